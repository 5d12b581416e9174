"""The job that turns an accepted file into items: in batches, resumable from its checkpoint, visible only
when it's complete.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from datasets_app.datasets import ports, queries, rules
from datasets_app.datasets.actions.prefetch import prefetch
from datasets_app.datasets.actions.writing import Prepared, insert_items, keys_of, prepare, room_for_indexes
from datasets_app.datasets.importing import dry_run
from datasets_app.datasets.importing.label_values import LabelValues
from datasets_app.datasets.importing.mapping import Draft
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from lifecycle.ground.jobs.context import JobContext
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.rules import check_move
from lifecycle.runtime.task_types.answers import Value
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import accounts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

BATCH = 1_000
CASES = 20


@dataclass(slots=True)
class Tally:
    """Progress and findings of an import; kept in the job's checkpoint. conflicts: duplicates whose label
    contradicts the first one's.

    untaken: duplicates whose label was ignored because the text already existed. cases: the first duplicates
    with their lines. settled: key of the last item whose imported annotations were resolved.
    """

    rows: int = 0
    new: int = 0
    duplicate: int = 0
    failed: int = 0
    conflicts: int = 0
    untaken: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)
    settled: int = 0


class First(NamedTuple):
    """The first row with a repeated text. pk: of its item; None if it's earlier in the same batch, which
    makes `value` known.
    """

    pk: int | None
    member: str
    line: int
    here: bool
    value: Value | None = None


class Repeat(NamedTuple):
    """A row with an existing text."""

    draft: Draft
    first: First


Batch = list[Prepared | None]  # at most BATCH rows in their order; None where one cannot be an item


def run_import(ctx: JobContext) -> None:
    """Import the accepted upload named by the job. Safe to run again at any point; does nothing once the
    upload is imported.

    Raises Refused if its row and the audit log disagree about who accepted it, or how it is read.
    """
    upload = Upload.objects.select_related("dataset__project", "blob", "accepted_by").get(
        uuid=ctx.args["upload"]
    )
    if upload.state != UploadState.IMPORTING:
        return
    check_accepted(upload)
    tally = Tally(**ctx.job.checkpoint) if ctx.job.checkpoint else Tally()
    if not ctx.job.checkpoint:
        remove_leftovers(ctx, upload)
    dry = upload.report["dry_run"]
    importer = ports.label_importer() if dry["labels"] or dry.get("labeled") else None
    if importer:
        with transaction.atomic():
            listed = dry.get("classes", [])
            importer.begin(upload, [*listed, *sorted(set(dry["labels"]) - set(listed))])
    total = dry["rows"]
    with artifacts.local_copy(upload.blob.digest) as path, room_for_indexes():
        task, reading = upload.dataset.task, queries.reading_of(upload)
        chosen = LabelValues(task, upload.label_values)
        found = dry_run.read_drafts(path, reading, upload.mapping, upload.default_split, task, chosen)
        rows = (each for each in found if isinstance(each, Draft) or not each.notice)
        with closing(prepared(islice(rows, tally.rows, None))) as source:
            for batch in paced(source):
                ctx.progress(tally.rows, total, stage="Writing items", unit="rows")
                ctx.raise_if_cancelled()
                write_batch(ctx, upload, importer, batch, tally)
    if importer and dry.get("people"):
        resolve_annotations(ctx, upload, importer, tally)
    ctx.progress(tally.rows, total, stage="Publishing items", unit="rows")
    ctx.raise_if_cancelled()
    finish(ctx, upload, importer, tally)


def check_accepted(upload: Upload) -> None:
    """Raises Refused unless the audit log shows that this person accepted the file with these settings."""
    events = accounts.events_about(upload.uuid, {Verb.UPLOAD_ACCEPTED})
    is_read = {"labels_as": upload.labels_as, "read_as": queries.seen_digest(upload)}
    by = upload.accepted_by and str(upload.accepted_by.uuid)
    if not events or events[-1].actor != by or not is_read.items() <= events[-1].payload.items():
        raise Refused(
            "The audit log doesn't show who accepted this file with these settings.",
            next_step="Review it, then accept it again.",
        )


def prepared(rows: Iterable[Draft | Problem]) -> Generator[Batch, None, None]:
    """The rows in batches with their digests. On PostgreSQL a thread prefetches; on SQLite others can write
    in between.
    """
    return prefetch(batches(rows)) if connection.vendor == "postgresql" else batches(rows)


def batches(rows: Iterable[Draft | Problem]) -> Generator[Batch, None, None]:
    """The rows in batches of at most BATCH, with their digests."""
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield [prepare(found) if isinstance(found, Draft) else None for found in batch]


def paced(source: Iterable[Batch]) -> Iterator[Batch]:
    """The batches, smaller on SQLite after a slow one, so that other writers don't wait."""
    size = BATCH
    for batch in source:
        at = 0
        while at < len(batch):
            began = time.monotonic()
            yield batch[at : at + size]
            at += size
            if connection.vendor == "sqlite":
                size = rules.next_batch(size, time.monotonic() - began, BATCH)


@transaction.atomic
def write_batch(
    ctx: JobContext, upload: Upload, importer: ports.LabelImporter | None, batch: Batch, tally: Tally
) -> None:
    """Write the new items of one batch, their labels and the checkpoint in one transaction."""
    rows = [row for row in batch if row is not None]
    known = queries.known_items(upload.dataset, [row.digest for row in rows])
    fresh: dict[str, Prepared] = {}
    repeats: list[Repeat] = []
    contradicted: set[str] = set()
    for row in rows:
        if (existing := known.get(row.digest)) is not None:
            repeats.append(
                Repeat(
                    row.draft,
                    First(existing.pk, existing.member, existing.line, existing.upload_id == upload.pk),
                )
            )
        elif (first := fresh.setdefault(row.digest, row)) is not row:
            repeats.append(
                Repeat(row.draft, First(None, first.draft.member, first.draft.line, True, first.draft.value))
            )
            if row.draft.value and first.draft.value not in (None, row.draft.value):
                contradicted.add(row.digest)
    if upload.contradicting == Upload.Contradicting.FIRST:
        contradicted.clear()
    insert_items(upload, list(fresh.values()))
    labeled = [row for row in fresh.values() if row.draft.value and row.digest not in contradicted]
    others = [
        row
        for row in rows
        if row.draft.labeling and (row.digest in fresh or known[row.digest].upload_id == upload.pk)
    ]
    if importer and (labeled or others):
        keys = keys_of(upload, list(fresh)) | {digest: existing.pk for digest, existing in known.items()}
        if labeled:
            importer.write(
                upload,
                [(item_of(keys[row.digest], row), row.draft.value) for row in labeled if row.draft.value],
            )
        if others:
            importer.write_labeling(
                upload,
                [
                    (item_of(keys[row.digest], row), row.draft.labeling)
                    for row in others
                    if row.draft.labeling
                ],
            )
    conflicts = count_repeats(importer, repeats, tally)
    if importer and conflicts and upload.contradicting != Upload.Contradicting.FIRST:
        importer.withdraw(conflicts)
    tally.rows += len(batch)
    tally.new += len(fresh)
    tally.failed += len(batch) - len(rows)
    ctx.checkpoint(asdict(tally))


def resolve_annotations(ctx: JobContext, upload: Upload, importer: ports.LabelImporter, tally: Tally) -> None:
    """Resolve unanimous imported annotations in batches, before the items are visible."""
    while True:
        ctx.progress(tally.rows, tally.rows, stage="Resolving annotations", unit="rows")
        ctx.raise_if_cancelled()
        with transaction.atomic():
            reached = importer.settle(upload, tally.settled)
            if reached is None:
                return
            tally.settled = reached
            ctx.checkpoint(asdict(tally))


def item_of(pk: int, row: Prepared) -> Item:
    """The item that was just written, with the fields that a label needs."""
    return Item.from_db(
        None, ["id", "text", "content", "digest"], [pk, row.draft.text, row.draft.content, row.digest]
    )


def count_repeats(importer: ports.LabelImporter | None, repeats: list[Repeat], tally: Tally) -> list[int]:
    """Count the rows with an existing text, and those of them with a different label.

    Returns the items of earlier batches of this file whose labels such rows contradict.
    """
    contradicted: list[int] = []
    firsts = [repeat.first.pk for repeat in repeats if repeat.draft.value and repeat.first.pk is not None]
    values = importer.values_of(firsts) if importer and firsts else {}
    for repeat in repeats:
        first, value = repeat.first, repeat.draft.value
        present = first.value if first.pk is None else values.get(first.pk)
        conflict = bool(present and value and present != value)
        if conflict and first.here and first.pk is not None:
            contradicted.append(first.pk)
        tally.duplicate += 1
        tally.conflicts += conflict
        tally.untaken += bool(value and not present) or bool(
            repeat.draft.labeling and repeat.draft.labeling.answers and not first.here
        )
        if len(tally.cases) < CASES or (conflict and sum(case["conflict"] for case in tally.cases) < CASES):
            tally.cases.append(
                {
                    "line": repeat.draft.line,
                    "member": repeat.draft.member,
                    "first_line": first.line,
                    "first_member": first.member,
                    "same_file": first.here,
                    "conflict": conflict,
                }
            )
    return contradicted


@transaction.atomic
def finish(ctx: JobContext, upload: Upload, importer: ports.LabelImporter | None, tally: Tally) -> None:
    """Make all items visible at once, while this worker still holds the job."""
    ctx.hold()
    fresh = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
    check_move("upload", rules.MOVES, UploadState(fresh.state), UploadState.IMPORTED)
    upload.state, upload.imported_at = UploadState.IMPORTED, timezone.now()
    upload.rows_read, upload.rows_new, upload.rows_duplicate, upload.rows_failed = (
        tally.rows,
        tally.new,
        tally.duplicate,
        tally.failed,
    )
    found = {key: value for key, value in asdict(tally).items() if key in ("conflicts", "untaken", "cases")}
    upload.report = {"dry_run": upload.report["dry_run"], "import": found}
    upload.save(
        update_fields=[
            "state",
            "imported_at",
            "rows_read",
            "rows_new",
            "rows_duplicate",
            "rows_failed",
            "report",
        ]
    )
    Dataset.objects.filter(pk=upload.dataset_id).update(items_total=F("items_total") + tally.new)
    if importer:
        importer.finish(upload)
    counts = {
        "rows": tally.rows,
        "new": tally.new,
        "duplicate": tally.duplicate,
        "failed": tally.failed,
        "conflicts": tally.conflicts,
    }
    ledger.record(
        upload.accepted_by,
        Verb.UPLOAD_IMPORTED,
        upload,
        project=upload.dataset.project.uuid,
        file=upload.blob.digest,
        **counts,
    )


def remove_leftovers(ctx: JobContext, upload: Upload) -> None:
    """Delete hidden items of earlier attempts in this dataset, so that none of them counts as a duplicate."""
    hidden = Upload.objects.filter(dataset=upload.dataset_id).exclude(state=UploadState.IMPORTED)
    for other in hidden.order_by("id"):
        while remove_batch(other, states=(UploadState.IMPORTING,) if other.pk == upload.pk else CLOSED):
            ctx.raise_if_cancelled()


CLOSED = (UploadState.RECEIVED, UploadState.INSPECTED, UploadState.FAILED, UploadState.DISCARDED)


@transaction.atomic
def remove_batch(upload: Upload, *, states: tuple[UploadState, ...]) -> int:
    """Delete one batch of an upload's items and their labels while it's in one of these states. Returns the
    count.
    """
    if Upload.objects.select_for_update(no_key=True).get(pk=upload.pk).state not in states:
        return 0
    item_ids = list(Item.objects.filter(upload=upload).order_by("id").values_list("pk", flat=True)[:BATCH])
    if item_ids:
        if importer := ports.label_importer():
            importer.undo(upload, item_ids)
        Item.objects.filter(pk__in=item_ids).delete()
    return len(item_ids)


def clean_up(ctx: JobContext) -> None:
    """The job that deletes the hidden items of a failed or cancelled import."""
    upload = Upload.objects.get(uuid=ctx.args["upload"])
    done = 0
    while removed := remove_batch(upload, states=CLOSED):
        done += removed
        ctx.progress(done, stage="Removing hidden items", unit="items")
        ctx.raise_if_cancelled()
