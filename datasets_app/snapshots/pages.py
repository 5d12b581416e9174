"""Template contexts of the pages of dataset versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.urls import reverse

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.datasets.selection import Selection
from datasets_app.snapshots import protocol, queries
from datasets_app.snapshots.formats import FORMATS
from datasets_app.snapshots.forms import ExportForm, FreezeForm
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.rules import SPLITS, Reason
from lifecycle.ground.jobs import queries as jobs
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.ui import numbers, paging
from lifecycle.ui.addresses import find_url, key_in
from lifecycle.ui.marks import Figure, Step
from registry.ground.access import policy
from registry.ground.access.models import User

Context = dict[str, Any]
PAGE = 30
CASES_SHOWN = 20


class LabelLine(NamedTuple):
    """Rows of one label. share: of the largest label, from 0 to 1."""

    name: str
    counts: list[int]
    total: int
    share: float


def listing(user: User, params: Mapping[str, str]) -> Context:
    """Versions of all datasets, newest first."""
    before = key_in(params)
    found, older = paging.page(queries.snapshots(user), before, PAGE)
    return {"snapshots": found, "pager": paging.links(before, older, first=reverse("snapshots:list"))}


def of_dataset(user: User, uuid: UUID, params: Mapping[str, str]) -> Context:
    """The versions of one dataset, the unfinished job, and the form for the next version, for the slice in
    ?slice=.
    """
    dataset = datasets.get_dataset(user, uuid)
    job = jobs.of_subject(dataset).filter(kind="snapshots.create").first()
    found = list(
        Snapshot.objects.filter(dataset=dataset)
        .select_related("created_by", "schema")
        .order_by("-number")[:100]
    )
    newest = found[0] if found else None
    initial: dict[str, Any] = {"after": newest.number if newest else 0, "slice": params.get("slice")}
    if newest:
        initial |= {**newest.shares, "seed": newest.seed}
    return {
        "dataset": dataset,
        "snapshots": found,
        "form": FreezeForm(dataset, user, initial=initial),
        "job": job,
        "working": job and not job.is_finished,
        "may_create": policy.can(user, "snapshots.create", dataset),
        "has_decisions": queries.has_decisions(dataset),
        "steps": [
            Step("Dataset", dataset.name, reverse("datasets:dataset", args=[dataset.uuid])),
            Step("Labels", "schema and guideline", find_url("schemas:schema", uuid=dataset.uuid)),
            Step("Versions", f"latest: {newest.number}" if newest else "none yet", at="now"),
            Step("Runs", "trained on them", at="next"),
        ],
    }


def detail(user: User, uuid: UUID) -> Context:
    """One version: its steps, counts, exclusions, and exports."""
    snapshot = queries.get_snapshot(user, uuid)
    export, made = (
        jobs.of_subject(snapshot).filter(kind="snapshots.export").first(),
        snapshot.counts["label_protocol"],
    )
    launch = find_url("training:launch")
    return {
        "snapshot": snapshot,
        "dataset": snapshot.dataset,
        "steps": steps(snapshot),
        "figures": figures(snapshot),
        "splits": SPLITS,
        "of_slice": (
            Selection(snapshot.dataset, user, snapshot.filters, whole=True).words if snapshot.filters else ""
        ),
        "decided_by": protocol.decided_by(made),
        "agreement": protocol.agreement(made),
        "labels": label_lines(snapshot),
        "left_out": left_out(snapshot),
        "cases": cases(snapshot),
        "exports": list(snapshot.exports.select_related("blob", "created_by").order_by("-id")[:20]),
        "export_form": ExportForm(snapshot),
        "formats": [(name.label, FORMATS[name].holds) for name in queries.export_formats(snapshot)],
        "export_job": export,
        "exporting": export is not None and not export.is_finished,
        "may_export": policy.can(user, "snapshots.export", snapshot),
        "may_correct": policy.can(user, "labeling.adjudicate", snapshot),
        "launch_url": (
            f"{launch}?dataset_version={snapshot.uuid}"
            if launch and policy.can(user, "training.launch", snapshot)
            else ""
        ),
        "above_url": find_url("trace:snapshot", uuid=snapshot.uuid),
    }


def steps(snapshot: Snapshot) -> list[Step]:
    """Navigation context of a dataset version."""
    dataset: Dataset = snapshot.dataset
    schema = find_url("schemas:schema_version", uuid=dataset.uuid, version=snapshot.schema.version)
    return [
        Step("Dataset", dataset.name, reverse("datasets:dataset", args=[dataset.uuid])),
        Step("Labels", f"schema {snapshot.schema.version}", schema),
        Step("Dataset version", f"version {snapshot.number}", at="now", digest=snapshot.digest),
        Step("Runs", "see all", find_url("trace:snapshot", uuid=snapshot.uuid), at="next"),
    ]


def figures(snapshot: Snapshot) -> list[Figure]:
    """Rows in total and by split, excluded rows, and leaked rows."""
    counts, leakage = snapshot.counts, snapshot.leakage
    total = counts["rows"]
    parts = [
        Figure(split.capitalize(), numbers.count(rows), sub=numbers.percent(rows / total, 1) + " of all")
        for split, rows in counts["splits"].items()
    ]
    out = sum(leakage["left_out"].values())
    return [
        Figure("Rows", numbers.count(total), sub=content_text(snapshot)),
        *parts,
        Figure("Excluded", numbers.count(out), sub=f"and {numbers.count(leakage['unlabeled'])} unlabeled"),
        Figure("Test rows in train", numbers.count(leakage["leaked"]), sub="re-checked after splitting"),
    ]


def content_text(snapshot: Snapshot) -> str:
    """What its rows contain, such as "12 labels"."""
    classes = len(snapshot.counts["labels"])
    return (
        formats_of(snapshot.dataset.task).rows_in_words
        or f"{numbers.count(classes)} label{'' if classes == 1 else 's'}"
    )


def label_lines(snapshot: Snapshot) -> list[LabelLine]:
    """The labels with their rows by split, the largest first."""
    lines = [
        (name, [counts[split] for split in SPLITS]) for name, counts in snapshot.counts["labels"].items()
    ]
    largest = max((sum(counts) for _, counts in lines), default=0)
    found = [LabelLine(name, counts, sum(counts), sum(counts) / largest) for name, counts in lines]
    return sorted(found, key=lambda line: (-line.total, line.name))


def left_out(snapshot: Snapshot) -> list[tuple[str, int]]:
    """Each reason as text with its count, including zeros."""
    counts = snapshot.leakage["left_out"]
    return [(reason.label, counts.get(reason.value, 0)) for reason in Reason]


def cases(snapshot: Snapshot) -> list[dict[str, str]]:
    """The first excluded rows, with the reason as text."""
    return [{**case, "why": Reason(case["reason"]).label} for case in snapshot.leakage["cases"][:CASES_SHOWN]]
