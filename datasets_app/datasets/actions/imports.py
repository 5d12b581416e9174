"""The job that turns an accepted file into items: in batches, from its checkpoint on, seen by others only when all is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from datasets_app.datasets import ports, queries, rules
from datasets_app.datasets.importing import dry_run
from datasets_app.datasets.importing.mapping import Draft
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from lifecycle.jobs.context import JobContext
from registry.artifacts import actions as artifacts
from registry.ledger import actions as ledger
from registry.ledger.verbs import Verb

BATCH = 1_000
CASES = 20


@dataclass(slots=True)
class Tally:
    """How far an import is, and what it met; kept in the job's checkpoint. conflicts: duplicates whose label contradicts the first one's.

    untaken: duplicates whose label was not taken because the text was there before. cases: the first duplicates with their lines.
    """

    rows: int = 0
    new: int = 0
    duplicate: int = 0
    failed: int = 0
    conflicts: int = 0
    untaken: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Repeat:
    """A row whose text is already there. known: the item that holds it, None when it stands earlier in the same batch."""

    draft: Draft
    first: Item


def run_import(ctx: JobContext) -> None:
    """Import the accepted upload named by the job. Safe to run again at any point; does nothing once the upload is imported."""
    upload = Upload.objects.select_related("dataset__project", "blob", "accepted_by").get(uuid=ctx.args["upload"])
    if upload.state != UploadState.IMPORTING:
        return
    tally = Tally(**ctx.job.checkpoint) if ctx.job.checkpoint else Tally()
    if not ctx.job.checkpoint:
        remove_leftovers(ctx, upload)
    importer = ports.label_importer() if upload.report["dry_run"]["labels"] else None
    if importer:
        with transaction.atomic():
            importer.begin(upload, sorted(upload.report["dry_run"]["labels"]))
    total = upload.report["dry_run"]["rows"]
    with artifacts.local_copy(upload.blob.digest) as path:
        found = dry_run.read_drafts(path, queries.reading_of(upload), upload.mapping, upload.default_split)
        rows = (each for each in found if isinstance(each, Draft) or not each.notice)
        for batch in batches(islice(rows, tally.rows, None)):
            ctx.progress(tally.rows, total, stage="Writing items", unit="rows")
            ctx.raise_if_cancelled()
            write_batch(ctx, upload, importer, batch, tally)
    ctx.progress(tally.rows, total, stage="Making the items visible", unit="rows")
    ctx.raise_if_cancelled()
    finish(ctx, upload, importer, tally)


def batches(rows: Iterable[Draft | Problem]) -> Iterator[list[Draft | Problem]]:
    """The rows in lists of at most BATCH."""
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield batch


@transaction.atomic
def write_batch(ctx: JobContext, upload: Upload, importer: ports.LabelImporter | None, batch: list[Draft | Problem], tally: Tally) -> None:
    """Write the new items of one batch, their labels and the checkpoint, all or nothing."""
    drafts = [found for found in batch if isinstance(found, Draft)]
    digests = [rules.content_digest(draft.text) for draft in drafts]
    known = queries.known_items(upload.dataset, digests)
    fresh: dict[str, tuple[Item, str]] = {}
    repeats: list[Repeat] = []
    for draft, digest in zip(drafts, digests, strict=True):
        if digest in known:
            repeats.append(Repeat(draft, known[digest]))
        elif digest in fresh:
            repeats.append(Repeat(draft, fresh[digest][0]))
        else:
            fresh[digest] = (new_item(upload, draft, digest), draft.label)
    Item.objects.bulk_create([item for item, _ in fresh.values()])
    labelled = [(item, label) for item, label in fresh.values() if label]
    if importer and labelled:
        importer.write(upload, labelled)
    count_repeats(importer, upload, repeats, labelled, tally)
    tally.rows += len(batch)
    tally.new += len(fresh)
    tally.failed += len(batch) - len(drafts)
    ctx.checkpoint(asdict(tally))


def new_item(upload: Upload, draft: Draft, digest: str) -> Item:
    """The row as an item that is not saved yet."""
    return Item(
        dataset=upload.dataset, upload=upload, member=draft.member, line=draft.line, text=draft.text,
        digest=digest, normal_digest=rules.normal_digest(draft.text), external_id=draft.external_id, group=draft.group,
        event_time=draft.event_time, split=draft.split, metadata=draft.metadata,
    )  # fmt: skip


def count_repeats(
    importer: ports.LabelImporter | None, upload: Upload, repeats: list[Repeat], labelled: list[tuple[Item, str]], tally: Tally
) -> None:
    """Count the rows whose text is there already, and those of them whose label says something else."""
    labels = {item.pk: label for item, label in labelled}
    if importer and (asked := [repeat.first.pk for repeat in repeats if repeat.draft.label and repeat.first.pk not in labels]):
        labels |= importer.labels_of(asked)
    for repeat in repeats:
        present = labels.get(repeat.first.pk, "")
        conflict = bool(present and repeat.draft.label and present != repeat.draft.label)
        tally.duplicate += 1
        tally.conflicts += conflict
        tally.untaken += bool(repeat.draft.label and not present)
        if len(tally.cases) < CASES or (conflict and sum(case["conflict"] for case in tally.cases) < CASES):
            here = repeat.first.upload_id == upload.pk
            tally.cases.append(
                {
                    "line": repeat.draft.line, "member": repeat.draft.member, "first_line": repeat.first.line,
                    "first_member": repeat.first.member, "same_file": here, "conflict": conflict,
                }
            )  # fmt: skip


@transaction.atomic
def finish(ctx: JobContext, upload: Upload, importer: ports.LabelImporter | None, tally: Tally) -> None:
    """Make all items visible at once, while the job is still ours."""
    ctx.hold()
    fresh = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
    rules.check_move(UploadState(fresh.state), UploadState.IMPORTED)
    upload.state, upload.imported_at = UploadState.IMPORTED, timezone.now()
    upload.rows_read, upload.rows_new, upload.rows_duplicate, upload.rows_failed = tally.rows, tally.new, tally.duplicate, tally.failed
    found = {key: value for key, value in asdict(tally).items() if key in ("conflicts", "untaken", "cases")}
    upload.report = {"dry_run": upload.report["dry_run"], "import": found}
    upload.save(update_fields=["state", "imported_at", "rows_read", "rows_new", "rows_duplicate", "rows_failed", "report"])
    Dataset.objects.filter(pk=upload.dataset_id).update(items_total=F("items_total") + tally.new)
    if importer:
        importer.finish(upload)
    counts = {"rows": tally.rows, "new": tally.new, "duplicate": tally.duplicate, "failed": tally.failed, "conflicts": tally.conflicts}
    ledger.record(upload.accepted_by, Verb.UPLOAD_IMPORTED, upload, project=upload.dataset.project.uuid, file=upload.blob.digest, **counts)


def remove_leftovers(ctx: JobContext, upload: Upload) -> None:
    """Take away hidden items of earlier attempts in this dataset, so that none of them counts as a duplicate."""
    hidden = Upload.objects.filter(dataset=upload.dataset_id).exclude(state=UploadState.IMPORTED)
    for other in hidden.order_by("id"):
        while remove_batch(other, states=(UploadState.IMPORTING,) if other.pk == upload.pk else CLOSED):
            ctx.raise_if_cancelled()


CLOSED = (UploadState.RECEIVED, UploadState.INSPECTED, UploadState.FAILED, UploadState.DISCARDED)


@transaction.atomic
def remove_batch(upload: Upload, *, states: tuple[UploadState, ...]) -> int:
    """Delete one batch of an upload's items with what hangs on them, while it is in one of these states. Returns how many."""
    if Upload.objects.select_for_update(no_key=True).get(pk=upload.pk).state not in states:
        return 0
    item_ids = list(Item.objects.filter(upload=upload).order_by("id").values_list("pk", flat=True)[:BATCH])
    if item_ids:
        if importer := ports.label_importer():
            importer.undo(upload, item_ids)
        Item.objects.filter(pk__in=item_ids).delete()
    return len(item_ids)


def clean_up(ctx: JobContext) -> None:
    """The job that takes away the hidden items of an import that failed or was cancelled."""
    upload = Upload.objects.get(uuid=ctx.args["upload"])
    done = 0
    while removed := remove_batch(upload, states=CLOSED):
        done += removed
        ctx.progress(done, stage="Removing hidden items", unit="items")
        ctx.raise_if_cancelled()
