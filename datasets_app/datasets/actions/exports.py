"""CSV exports of filtered items: requested, written by a job, stored by digest."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from datasets_app.datasets import ports, queries
from datasets_app.datasets.models import Dataset, Export, Item
from datasets_app.datasets.selection import Selection
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui.cells import inert_cell
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

BATCH = 500
MEDIA = "text/csv"
OWN = ("id", "text", "split", "group", "time", "item", "file", "line", "metadata")


@transaction.atomic
def export_items(*, dataset_id: UUID, actor: User, filters: Mapping[str, str]) -> Job:
    """Start a job that writes filtered items as CSV, oldest first; all visible items without filters.
    filters: as for a slice.

    A repeated request returns the unfinished job. Raises PermissionDenied, or Refused (an unknown or invalid
    filter, with its field; or no item matches).
    """
    dataset = Dataset.objects.select_related("project").get(uuid=dataset_id)
    policy.require(actor, "datasets.export", dataset)
    selection = Selection(dataset, actor, filters, whole=True)
    if not selection.is_valid:
        fields = {name: [problem] for name, problem in selection.problems.items()}
        raise Refused(
            "The file wasn't created: a filter is no longer valid.",
            next_step=next(iter(selection.problems.values())),
            fields=fields,
        )
    found, edge = selection.first(1)
    if not found and edge is None:
        raise Refused(
            "The file wasn't created: no items match.", next_step="Remove a filter, or import a file."
        )
    args = {"dataset": str(dataset.uuid), "user": str(actor.uuid), "filters": selection.filters}
    return jobs.enqueue(
        "datasets.export",
        actor=actor,
        project=dataset.project,
        args=args,
        subject=dataset,
        key=f"datasets.export:{actor.uuid}:{digest_of([str(dataset.uuid), selection.filters])}",
    )


def run_export(ctx: JobContext) -> None:
    """The job: write the items that the requester may see to a file, store it, and record it."""
    dataset = Dataset.objects.select_related("project").get(uuid=ctx.args["dataset"])
    user = User.objects.get(uuid=ctx.args["user"])
    selection = Selection(dataset, user, ctx.args["filters"], whole=True)
    if not (policy.can(user, "datasets.export", dataset) and queries.may_read(user, dataset)):
        raise Conflict(
            "The file wasn't created: the person who requested it can't export texts anymore.",
            next_step="Ask an ML lead for the role.",
        )
    if not selection.is_valid:
        raise Conflict(
            "The file wasn't created: a filter is no longer valid.",
            next_step=next(iter(selection.problems.values())),
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.csv"
        count, escaped = write(path, header_of(dataset), rows(ctx, selection))
        ctx.raise_if_cancelled()
        blob = artifacts.put_file(path, media_type=MEDIA)
    with transaction.atomic():
        ctx.hold()
        made = Export.objects.create(
            dataset=dataset,
            filters=selection.filters,
            words=selection.words,
            blob=blob,
            items=count,
            neutralised=escaped,
            created_by=user,
        )
        ledger.record(
            user,
            Verb.ITEMS_EXPORTED,
            made,
            project=dataset.project.uuid,
            dataset=dataset.uuid,
            filters=digest_of(made.filters),
            file=blob.digest,
            items=count,
        )


def header_of(dataset: Dataset) -> list[str]:
    """The names of the columns; content where items are more than a text."""
    others = [name for columns in ports.item_columns() for name in columns.names]
    return [*OWN, *others, *(["content"] if queries.has_contents(dataset) else [])]


def write(path: Path, header: Sequence[str], found: Iterable[dict[str, str]]) -> tuple[int, int]:
    """UTF-8, quoted where needed, formulae neutralised. Returns how many rows, and how many cells were
    neutralised.
    """
    count = neutralised = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in found:
            cells = [row.get(name, "") for name in header]
            inert = [inert_cell(cell) for cell in cells]
            neutralised += sum(before != after for before, after in zip(cells, inert, strict=True))
            writer.writerow(inert)
            count += 1
    return count, neutralised


def rows(ctx: JobContext, selection: Selection) -> Iterator[dict[str, str]]:
    """The cells of each matching item, by column, read in batches; reports progress."""
    total = None if selection.filters else selection.dataset.items_total
    count = 0
    for window in selection.walk():
        keys = iter(window.keys)
        while batch := list(islice(keys, BATCH)):
            others = cells_above(selection.dataset, batch)
            for item in Item.objects.filter(pk__in=batch).select_related("upload").order_by("pk"):
                yield cells_of(item) | others.get(item.pk, {})
            count += len(batch)
            ctx.progress(count, total, stage="Writing items", unit="items")
            ctx.raise_if_cancelled()
        ctx.raise_if_cancelled()


def cells_above(dataset: Dataset, keys: Sequence[int]) -> dict[int, dict[str, str]]:
    """The cells of these items that higher apps provide, by key and column."""
    found: dict[int, dict[str, str]] = {}
    for columns in ports.item_columns():
        for key, cells in columns.cells(dataset, keys).items():
            found.setdefault(key, {}).update(zip(columns.names, cells, strict=True))
    return found


def cells_of(item: Item) -> dict[str, str]:
    """The item's own cells, by column."""
    return {
        "id": item.external_id,
        "text": item.text,
        "split": item.split,
        "group": item.group,
        "time": item.event_time.isoformat() if item.event_time else "",
        "item": item.digest,
        "file": f"{item.upload.file_name}/{item.member}" if item.member else item.upload.file_name,
        "line": str(item.line),
        "metadata": as_json(item.metadata),
        "content": as_json(item.content),
    }


def as_json(value: Any) -> str:
    """A structure as text; nothing where there is none."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
