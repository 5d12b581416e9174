"""A snapshot as a file with its texts: asked for, made by a job, kept by digest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import conll, files, queries
from datasets_app.snapshots.models import Export, Snapshot
from datasets_app.snapshots.queries import TextRow
from lifecycle.jobs import actions as jobs
from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from registry.access import policy
from registry.access.models import User
from registry.artifacts import actions as artifacts
from registry.ledger import actions as ledger
from registry.ledger.verbs import Verb

MEDIA = {"csv": "text/csv", "jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet", "conll": "application/zip"}
CONTENT_TASKS = {Dataset.Task.CHAT, Dataset.Task.PREFERENCE, Dataset.Task.RANKING}
WRITTEN_TASKS = {Dataset.Task.FREE_TEXT, Dataset.Task.CHAT}


@transaction.atomic
def export(*, snapshot_id: UUID, actor: User, format: str) -> Job:
    """Have a snapshot written as a file by a job. Raises PermissionDenied, or Refused for an unknown format."""
    snapshot = Snapshot.objects.select_related("dataset__project").get(uuid=snapshot_id)
    policy.require(actor, "snapshots.export", snapshot)
    if format not in (known := formats_of(snapshot.dataset)):
        told = f"This snapshot is exported as {', '.join(known)}."
        raise Refused(told, fields={"format": [told]})
    return jobs.enqueue(
        "snapshots.export", actor=actor, project=snapshot.dataset.project, args={"snapshot": str(snapshot.uuid), "format": format},
        subject=snapshot, key=f"snapshots.export:{snapshot.uuid}:{format}",
    )  # fmt: skip


def run_export(ctx: JobContext) -> None:
    """The job: write the file, keep it, note it."""
    snapshot = Snapshot.objects.select_related("dataset__project", "manifest").get(uuid=ctx.args["snapshot"])
    kind = ctx.args["format"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"snapshot.{kind}"
        if kind == Export.Format.CONLL:
            neutralised = 0
            rows, dropped = conll.write(path, marked(lines(ctx, snapshot)), Path(folder))
        else:
            dropped = 0
            rows, neutralised = files.write(path, lines(ctx, snapshot), kind, shape_of(snapshot.dataset))
        ctx.raise_if_cancelled()
        blob = artifacts.put_file(path, media_type=MEDIA[kind])
    with transaction.atomic():
        ctx.hold()
        made = Export.objects.create(
            snapshot=snapshot, format=kind, blob=blob, rows=rows, neutralised=neutralised, dropped=dropped, created_by=ctx.job.created_by
        )
        ledger.record(
            ctx.job.created_by, Verb.SNAPSHOT_EXPORTED, snapshot, project=snapshot.dataset.project.uuid, export=made.uuid, format=kind,
            file=blob.digest, rows=rows,
        )  # fmt: skip


def formats_of(dataset: Dataset) -> list[str]:
    """The formats that hold what is decided in a dataset; CoNLL holds spans alone."""
    return [each.value for each in Export.Format if each != Export.Format.CONLL or dataset.task == Dataset.Task.SPANS]


def marked(rows: Iterator[files.Line]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """(split, text, spans) of each row."""
    return ((row["split"], row["text"], json.loads(row["label"])) for row in rows)


def shape_of(dataset: Dataset) -> files.Shape:
    """What a file of a dataset's snapshots holds, by its task."""
    task = Dataset.Task(dataset.task)
    return files.shape_of(structured=task != Dataset.Task.SINGLE_LABEL, content=task in CONTENT_TASKS)


def lines(ctx: JobContext, snapshot: Snapshot) -> Iterator[files.Line]:
    """The rows of the file, with progress."""
    total = snapshot.counts["rows"]
    rows = queries.with_items(queries.open_snapshot(snapshot))
    if snapshot.dataset.task in WRITTEN_TASKS:
        rows = queries.with_written(rows)
    for count, found in enumerate(rows):
        if count % queries.BATCH == 0:
            ctx.progress(count, total, stage="Writing rows", unit="rows")
            ctx.raise_if_cancelled()
        yield line(found)


def line(found: TextRow) -> files.Line:
    """One row of the file, in all columns that any file has."""
    row, item = found
    return {
        "id": item.external_id, "text": item.text, "label": row.label, "split": row.split, "group": item.group,
        "time": item.event_time.isoformat() if item.event_time else "", "item": row.item, "decision": row.decision,
        "metadata": json.dumps(item.metadata, ensure_ascii=False, sort_keys=True),
        **({"content": json.dumps(item.content, ensure_ascii=False)} if item.content else {}),
    }  # fmt: skip
