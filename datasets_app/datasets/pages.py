"""What the pages of this room show, gathered for their templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.urls import reverse

from datasets_app.datasets import queries
from datasets_app.datasets.forms import AcceptForm, ReadingForm, UploadForm
from datasets_app.datasets.importing import readers
from datasets_app.datasets.importing.report import TITLES
from datasets_app.datasets.listing import items
from datasets_app.datasets.models import Dataset, Upload
from datasets_app.datasets.rules import UploadState, place
from lifecycle.ground.jobs import queries as jobs
from lifecycle.runtime.task_types.columns import Role
from lifecycle.ui import numbers, paging
from lifecycle.ui.addresses import find_url, key_in
from lifecycle.ui.marks import Figure, Step
from registry.ground.access import policy
from registry.ground.access.models import User

Context = dict[str, Any]
FRAGMENTS = ("scanning:item", "trace:item")
LABELS_SHOWN = 20
PEOPLE_SHOWN = 50
STATE_KINDS = {
    UploadState.RECEIVED: "wait",
    UploadState.INSPECTED: "half",
    UploadState.IMPORTING: "live",
    UploadState.IMPORTED: "ok",
    UploadState.FAILED: "bad",
    UploadState.DISCARDED: "off",
}


def listing(user: User, params: Mapping[str, str]) -> Context:
    """The list of datasets."""
    before = key_in(params)
    found, older = paging.page(queries.datasets(user), before, queries.PAGE)
    may_create = policy.can_somewhere(user, "datasets.create")
    return {
        "datasets": found,
        "pager": paging.links(before, older, first=reverse("datasets:list")),
        "may_create": may_create,
    }


def dataset(user: User, uuid: UUID, params: Mapping[str, str]) -> Context:
    """One dataset with a page of its items."""
    row = queries.get_dataset(user, uuid)
    uploads = queries.uploads(row)
    return items(user, row, params) | {
        "uploads": [(each, STATE_KINDS[UploadState(each.state)]) for each in uploads],
        "figures": dataset_figures(row, uploads),
        "steps": dataset_steps(row, uploads),
        "may_upload": policy.can(user, "datasets.upload", row),
        "may_label": policy.can(user, "labeling.manage", row),
        "upload_form": UploadForm(),
    }


def dataset_figures(row: Dataset, uploads: list[Upload]) -> list[Figure]:
    """Items, uploads, and what was left out."""
    imported = [each for each in uploads if each.state == UploadState.IMPORTED]
    repeats, failed = (
        sum(each.rows_duplicate for each in imported),
        sum(each.rows_failed for each in imported),
    )
    waiting = sum(each.state == UploadState.INSPECTED for each in uploads)
    return [
        Figure("Items", numbers.count(row.items_total), sub="unique texts"),
        Figure(
            "Uploads",
            numbers.count(len(imported)),
            sub=(
                f"{numbers.count(waiting)} {'needs' if waiting == 1 else 'need'} review"
                if waiting
                else "all accepted"
            ),
        ),
        Figure("Repeated rows", numbers.count(repeats), sub="same text, kept once"),
        Figure("Rejected rows", numbers.count(failed), sub="couldn't be parsed"),
    ]


def dataset_steps(row: Dataset, uploads: list[Upload]) -> list[Step]:
    """Navigation context of a dataset."""
    first = next((each for each in reversed(uploads) if each.state == UploadState.IMPORTED), None)
    files = Step(
        "File",
        f"{first.file_name}" if first else "none yet",
        reverse("datasets:upload", args=[first.uuid]) if first else "",
    )
    labels, snapshots = (
        find_url("schemas:schema", uuid=row.uuid),
        find_url("snapshots:dataset", uuid=row.uuid),
    )
    following = [
        Step("Labels", "schema and guideline", labels),
        Step("Versions", "immutable, with splits", snapshots),
    ]
    return [files, Step("Dataset", row.name, at="now"), *following]


def upload(user: User, uuid: UUID) -> Context:
    """One upload in whatever state it is."""
    job = jobs.about(Upload, uuid).exclude(kind="datasets.clean_up").first()
    row = queries.get_upload(user, uuid)
    found, counts = row.report.get("dry_run", {}), Counter[str]()
    for code, count in found.get("counts", {}).items():
        counts[TITLES.get(code, code)] += count
    may_upload = policy.can(user, "datasets.upload", row)
    may_read = queries.may_read(user, row.dataset) or row.uploaded_by_id == user.pk
    editable = may_upload and row.state in (UploadState.RECEIVED, UploadState.INSPECTED, UploadState.FAILED)
    return {
        "upload": row,
        "dataset": row.dataset,
        "kind": STATE_KINDS[UploadState(row.state)],
        "found": found,
        "report": row.report,
        "job": job,
        "working": job is not None and not job.is_finished,
        "editable": editable,
        "may_read": may_read,
        "provenance": provenance(row),
        "figures": upload_figures(row),
        "place": place(row.parser),
        "parser_label": readers.PARSERS.get(row.parser, row.parser),
        "steps": [
            Step("File", row.file_name, digest=row.blob.digest, at="now"),
            Step("Dataset", row.dataset.name, dataset_url(row)),
        ],
        "form": ReadingForm(upload=row),
        "accept_form": AcceptForm(initial={"seen": queries.seen_digest(row)}),
        "before": queries.imported_before(row),
        "counts": list(counts.items()),
        "labels": sorted(found.get("labels", {}).items(), key=lambda pair: (-pair[1], pair[0]))[
            :LABELS_SHOWN
        ],
        "people": [
            (name, answers, found["accounts"].get(name, ""))
            for name, answers in found.get("people", {}).items()
        ][:PEOPLE_SHOWN],
        "people_left": max(0, len(found.get("people", {})) - PEOPLE_SHOWN),
        "models": list(found.get("models", {}).items())[:PEOPLE_SHOWN],
        "labels_left": max(0, len(found.get("labels", {})) - LABELS_SHOWN),
        "mapped": list(row.label_values.items())[:LABELS_SHOWN],
        "mapped_left": max(0, len(row.label_values) - LABELS_SHOWN),
        **head(row, may_read=may_read),
    }


def provenance(row: Upload) -> list[tuple[str, str]]:
    """The provenance of an upload's texts as (name, value) lines; an unknown value is empty."""
    days = [day.isoformat() for day in (row.collected_from, row.collected_until) if day]
    when = (
        " to ".join(days)
        if len(days) == 2
        else f"from {days[0]}"
        if row.collected_from
        else f"until {days[0]}"
        if days
        else ""
    )
    made = f"yes, by {row.generator}" if row.synthetic else "no"
    return [
        ("Source", row.origin),
        ("Collected", when),
        ("Method", row.collected_how),
        ("Licence", row.licence),
        ("Consent", row.consent),
        ("Synthetic", made),
    ]


def head(row: Upload, *, may_read: bool) -> Context:
    """The first rows as a table under their columns, for those who may read them."""
    columns: list[str] = row.report.get("dry_run", {}).get("columns", [])
    roles = {
        column: Role(role).words.split(":")[0] for column, role in row.mapping.items() if role in {*Role}
    }
    named = [(column, roles.get(column, "")) for column in columns]
    if not may_read or row.state == UploadState.DISCARDED or not columns:
        return {"rows": [], "columns": named}
    first = queries.first_rows(row)
    rows = [
        (found.member, found.line, [(column, found.values.get(column, "")[:300]) for column in columns])
        for found in first or ()
    ]
    return {"rows": rows, "columns": named, "slow": first is None}


def dataset_url(row: Upload) -> str:
    """The page of an upload's dataset."""
    return reverse("datasets:dataset", args=[row.dataset.uuid])


def upload_figures(row: Upload) -> list[Figure]:
    """What the dry run expects, or what the import did."""
    found = row.report.get("dry_run")
    if row.state == UploadState.IMPORTED:
        return [
            Figure("Rows read", numbers.count(row.rows_read), sub=numbers.size(row.size)),
            Figure("New items", numbers.count(row.rows_new)),
            (
                Figure(
                    "Added annotations",
                    numbers.count(row.rows_duplicate),
                    sub="of texts already in the dataset",
                )
                if found and found.get("people")
                else Figure(
                    "Repeated rows", numbers.count(row.rows_duplicate), sub="text already in the dataset"
                )
            ),
            Figure("Rejected rows", numbers.count(row.rows_failed), sub="listed below"),
        ]
    if not found:
        return []
    repeats = None if found["repeated"] is None else numbers.count(found["repeated"])
    return [
        Figure("Rows read", numbers.count(found["rows"]), sub=numbers.size(row.size)),
        Figure("Rows to import", numbers.count(found["ok"])),
        Figure("Rejected rows", numbers.count(found["failed"]), sub="listed below"),
        (
            Figure("Labels", numbers.count(len(found["labels"])), sub="unique names")
            if found["labels"] or not found.get("labeled")
            else Figure("Annotations", numbers.count(found["labeled"]), sub="rows with one")
        ),
        (
            Figure("Added annotations", repeats, sub="of texts already in the dataset")
            if found.get("people")
            else Figure(
                "Repeated in the file",
                repeats,
                sub="same text, kept once" if repeats else "counted during import",
            )
        ),
    ]


def item(user: User, uuid: UUID) -> Context:
    """One item."""
    row = queries.get_item(user, uuid)
    may_read = queries.may_read(user, row.dataset)
    steps = [
        Step("File", row.upload.file_name, reverse("datasets:upload", args=[row.upload.uuid])),
        Step("Dataset", row.dataset.name, reverse("datasets:dataset", args=[row.dataset.uuid])),
        Step("Item", row.external_id or row.digest[:8], at="now", digest=row.digest),
        Step("Used in", "labels, versions, runs", find_url("trace:item", uuid=row.uuid)),
    ]
    return {
        "item": row,
        "dataset": row.dataset,
        "may_read": may_read,
        "steps": steps,
        "duplicates": queries.duplicates(row),
        "metadata": sorted(row.metadata.items()) if may_read else [],
        "fragments": [url for name in FRAGMENTS if (url := find_url(name, uuid=row.uuid))],
    }
