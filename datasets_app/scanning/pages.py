"""Template contexts of the pages of scans and findings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.urls import reverse

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.scanning import queries
from datasets_app.scanning.duplicates import THRESHOLD
from datasets_app.scanning.forms import SendForm
from datasets_app.scanning.models import Finding, GroupMember, Scan, Tally
from datasets_app.scanning.queries import Place
from datasets_app.scanning.rules import Kind, ScanKind, ScanState, Status
from datasets_app.schemas.models.schemas import Label
from lifecycle.ground.jobs.models import Job
from lifecycle.ui import numbers, paging
from lifecycle.ui.addresses import choice_in, find_url, key_in, unreadable
from lifecycle.ui.marks import Step
from registry.ground.access import policy
from registry.ground.access.models import User

Context = dict[str, Any]
PAGE = 25
MEMBERS = 24
MARKS = {Status.OPEN: "half", Status.CONFIRMED: "warn", Status.DISMISSED: "stop", Status.GONE: "off"}
SCAN_MARKS = {
    ScanState.RUNNING: "live",
    ScanState.DONE: "ok",
    ScanState.FAILED: "bad",
    ScanState.CANCELLED: "stop",
}
ABOUT = {
    Kind.NEAR_DUPLICATE: (
        "Groups of nearly identical texts. Each text is similar to at least one other of its group, maybe not"
        " to all."
    ),
    Kind.LABEL_CONFLICT: "Groups of nearly identical texts with different labels.",
    Kind.LABEL_ERROR: (
        "Labels that a small model, trained on the other texts, finds unlikely. It's often wrong; check each"
        " one."
    ),
}


class ScanLine(NamedTuple):
    """One kind of scan, with its last scan and the job shown for it."""

    kind: ScanKind
    scan: Scan | None
    mark: str
    job: Job | None
    facts: list[tuple[str, str]]


class Line(NamedTuple):
    """A finding in a list. now: the current label, if it isn't the questioned one any more."""

    finding: Finding
    mark: str
    text: str
    now: Label | None


class MemberLine(NamedTuple):
    """A text of a group with its label. chained: similar to another text of the group, but not to the
    first.
    """

    member: GroupMember
    label: Label | None
    chained: bool


def listing(user: User, params: Mapping[str, str]) -> Context:
    """The scanned datasets, newest first, with finding counts."""
    before = key_in(params)
    scanned = Exists(Scan.objects.filter(dataset=OuterRef("pk")))
    rows = (
        policy.visible_to(user, Dataset, "scanning.view")
        .filter(scanned)
        .select_related("project")
        .order_by("-id")
    )
    found, older = paging.page(rows, before, PAGE)
    tallies: dict[int, dict[str, Tally]] = {}
    for tally in Tally.objects.filter(dataset__in=found):
        tallies.setdefault(tally.dataset_id, {})[tally.kind] = tally
    lines = [(row, [(kind, tallies.get(row.pk, {}).get(kind)) for kind in Kind]) for row in found]
    return {
        "lines": lines,
        "kinds": list(Kind),
        "pager": paging.links(before, older, first=reverse("scanning:list")),
    }


def of_dataset(user: User, uuid: UUID, params: Mapping[str, str]) -> Context:
    """The findings of one kind and status of a dataset, its scans, and the form to send findings to a
    queue.
    """
    dataset = datasets.get_dataset(user, uuid)
    scans = scan_lines(dataset)
    tallies = queries.tallies(dataset)
    first = next((kind for kind in Kind if tallies[kind].open), Kind.NEAR_DUPLICATE)
    kind, status = (
        Kind(choice_in(params, "kind", Kind.values, first)),
        Status(choice_in(params, "status", Status.values, Status.OPEN)),
    )
    place = place_of(params.get("after", ""))
    rows = queries.ranked(dataset, kind, status, place).select_related(
        "item", "group__opening", "given_label", "predicted_label", "queue"
    )
    found = list(rows[: PAGE + 1])
    here = reverse("scanning:dataset", args=[dataset.uuid])
    last = found[PAGE - 1] if len(found) > PAGE else None
    shown = queries.for_reader(user, dataset, found[:PAGE])
    following = link(here, kind, status, after=f"{last.score!r}:{last.pk}") if last else ""
    return {
        "dataset": dataset,
        "kind": kind,
        "status": status,
        "about": ABOUT[kind],
        "lines": list_lines(shown),
        "tabs": [
            {
                "label": each.label,
                "url": link(here, each, Status.OPEN),
                "current": each == kind,
                "count": tallies[each].open,
            }
            for each in Kind
        ],
        "statuses": [(each, link(here, kind, each), getattr(tallies[kind], each.value)) for each in Status],
        "scans": scans,
        "pager": {"previous": link(here, kind, status) if place else "", "next": following, "about": None},
        "scanned": queries.was_scanned(dataset, kind),
        "may_read": datasets.may_read(user, dataset),
        "may_scan": policy.can(user, "scanning.scan", dataset),
        "may_send": policy.can(user, "scanning.send", dataset),
        "to_send": tallies[kind].open + tallies[kind].confirmed,
        "form": SendForm(initial={"kind": kind, "name": kind.label}),
        "steps": dataset_steps(dataset),
    }


def place_of(word: str) -> Place | None:
    """The position in a ranking from "score:key"; None for the start. Raises Unreadable."""
    if not word:
        return None
    score, _, key = word.partition(":")
    with suppress(ValueError):
        if math.isfinite(number := float(score)) and (row := key_in({"after": key}, "after")) is not None:
            return Place(number, row)
    raise unreadable({"after": ["Use the value from the previous page's link."]})


def link(here: str, kind: Kind, status: Status, **more: str) -> str:
    """The URL of a list."""
    return f"{here}?{urlencode({'kind': kind.value, 'status': status.value, **more})}"


def scan_lines(dataset: Dataset) -> list[ScanLine]:
    """Each kind of scan with its last scan."""
    found = []
    for kind in ScanKind:
        job, scan = queries.job_of(dataset, kind), queries.newest_scan(dataset, kind)
        shown_job = job if scan and scan.state in (ScanState.RUNNING, ScanState.FAILED) else None
        found.append(
            ScanLine(
                kind,
                scan,
                SCAN_MARKS[ScanState(scan.state)] if scan else "",
                shown_job,
                facts(scan) if scan else [],
            )
        )
    return found


def facts(scan: Scan) -> list[tuple[str, str]]:
    """The report of a scan, as labels and text."""
    report = scan.report
    if not report:
        return []
    found = [
        ("Texts", numbers.count(report["rows"])),
        (
            "Data issues",
            (
                f"{numbers.count(report['new'])} new, {numbers.count(report['again'])} known,"
                f" {numbers.count(report['gone'])} no longer found"
            ),
        ),
    ]
    if "agreement" in report:
        found.append(
            (
                "Model agreement",
                f"{numbers.percent(report['agreement'], 1)} of the labels, on texts it wasn't trained on",
            )
        )
    if "encoder" in report:
        words = (
            "TF-IDF of words: the package with all-MiniLM-L6-v2 isn't installed, so expect more false alarms"
        )
        found.append(
            ("Features", f"Sentence embeddings ({report['encoder']})" if report["encoder"] else words)
        )
    if "noise" in report:
        found.append(("Estimated wrong labels", numbers.percent(report["noise"], 1)))
    if report.get("left_out_rows"):
        names = ", ".join(report["left_out"][:5]) + (" …" if len(report["left_out"]) > 5 else "")
        text = (
            f"{numbers.count(report['left_out_rows'])} with labels that have fewer than {report['folds']}"
            f" different texts: {names}"
        )
        found.append(("Excluded", text))
    return found


def list_lines(rows: list[Finding]) -> list[Line]:
    """Findings with their text, and the current label if a questioned label changed since."""
    labels = queries.labels_of(row.item_id for row in rows if row.item_id)
    found = []
    for row in rows:
        item = row.item or (row.group.opening if row.group else None)
        now = labels.get(row.item_id) if row.item_id else None
        changed = now if now and row.given_label and now.stable_id != row.given_label.stable_id else None
        found.append(Line(row, MARKS[Status(row.status)], item.text if item else "", changed))
    return found


def dataset_steps(dataset: Dataset) -> list[Step]:
    """Navigation context of data issues."""
    return [
        Step("Dataset", dataset.name, reverse("datasets:dataset", args=[dataset.uuid])),
        Step("Labels", "schema and guideline", find_url("schemas:schema", uuid=dataset.uuid)),
        Step("Data issues", "found by scans", at="now"),
        Step(
            "Versions", "immutable, with splits", find_url("snapshots:dataset", uuid=dataset.uuid), at="next"
        ),
    ]


def detail(user: User, uuid: UUID) -> Context:
    """One finding: its texts with their labels, its status, and the available actions."""
    finding = queries.get_finding(user, uuid)
    queries.for_reader(user, finding.dataset, [finding])
    members = queries.members(finding.group, MEMBERS) if finding.group else []
    keys = [member.item_id for member in members] or [finding.item_id or 0]
    labels = queries.labels_of(keys)
    here = reverse("scanning:dataset", args=[finding.dataset.uuid])
    following = after(finding)
    return {
        "finding": finding,
        "dataset": finding.dataset,
        "mark": MARKS[Status(finding.status)],
        "about": ABOUT[Kind(finding.kind)],
        "members": [MemberLine(each, labels.get(each.item_id), each.first < THRESHOLD) for each in members],
        "left": finding.group.size - len(members) if finding.group else 0,
        "now": labels.get(finding.item_id or 0),
        "summary": summary(finding),
        "chance": numbers.significant(finding.score),
        "may_read": datasets.may_read(user, finding.dataset),
        "list_url": link(here, Kind(finding.kind), Status.OPEN),
        "may_review": policy.can(user, "scanning.review", finding),
        "seen": {"seen": finding.status},
        "next_url": reverse("scanning:finding", args=[following.uuid]) if following else "",
    }


def after(finding: Finding) -> Finding | None:
    """The next open finding of its kind in the ranking."""
    return (
        queries.ranked(finding.dataset, finding.kind, Status.OPEN, Place(finding.score, finding.pk))
        .exclude(pk=finding.pk)
        .first()
    )


def summary(finding: Finding) -> str:
    """The measurements of a group, as a sentence."""
    if finding.group is None:
        return ""
    size = numbers.count(finding.group.size)
    if finding.kind == Kind.LABEL_CONFLICT:
        return (
            f"{numbers.percent(finding.score, 0)} of the labeled texts among these {size} don't have the most"
            " frequent label."
        )
    return f"These {size} texts are linked by similarities of {numbers.decimals(finding.score, 2)} or more."


def item_lines(user: User, item: Item) -> list[tuple[Finding, str]]:
    """The findings of an item, with the mark of their status."""
    return [
        (row, MARKS[Status(row.status)])
        for row in queries.for_reader(user, item.dataset, queries.of_item(item))
    ]
