"""Export a dataset version with its texts: requested, created by a job, stored by digest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.db import transaction

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import queries
from datasets_app.snapshots.formats import FORMATS, LOSSES, About
from datasets_app.snapshots.models import Export, Snapshot
from datasets_app.snapshots.rules import ExportFormat
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.exports import Entry, Tally
from lifecycle.ui.markdown import inline
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

MEDIA = {name.value: each.media for name, each in FORMATS.items()}


@transaction.atomic
def export(*, snapshot_id: UUID, actor: User, format: str) -> Job:
    """Enqueue a job that exports a dataset version as a file. Raises PermissionDenied, or Refused for an
    unknown format.
    """
    snapshot = Snapshot.objects.select_related("dataset__project").get(uuid=snapshot_id)
    policy.require(actor, "snapshots.export", snapshot)
    known = queries.export_formats(snapshot)
    if format not in known:
        message = f"This dataset version can be exported as {', '.join(known)}."
        raise Refused(message, fields={"format": [message]})
    most = FORMATS[ExportFormat(format)].most
    if most and snapshot.counts["rows"] > most:
        message = (
            f"{ExportFormat(format).label} is limited to {most:,} rows; this version has"
            f" {snapshot.counts['rows']:,}."
        )
        raise Refused(message, next_step="Export CSV or Parquet.", fields={"format": [message]})
    return jobs.enqueue(
        "snapshots.export",
        actor=actor,
        project=snapshot.dataset.project,
        args={"snapshot": str(snapshot.uuid), "format": format},
        subject=snapshot,
        key=f"snapshots.export:{snapshot.uuid}:{format}",
    )


def run_export(ctx: JobContext) -> None:
    """The job: write the file, store it, and record it with what its format couldn't represent."""
    snapshot = Snapshot.objects.select_related("dataset__project", "manifest").get(uuid=ctx.args["snapshot"])
    kind = ExportFormat(ctx.args["format"])
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"snapshot.{kind}"
        FORMATS[kind].write(path, entries(ctx, snapshot), tally, about(snapshot))
        ctx.raise_if_cancelled()
        blob = artifacts.put_file(path, media_type=FORMATS[kind].media)
    losses = [{"code": code, "count": tally.losses[code]} for code in LOSSES if tally.losses[code]]
    with transaction.atomic():
        ctx.hold()
        made = Export.objects.create(
            snapshot=snapshot,
            format=kind,
            blob=blob,
            rows=tally.rows,
            neutralised=tally.neutralised,
            dropped=tally.losses.total(),
            losses=losses,
            created_by=ctx.job.created_by,
        )
        ledger.record(
            ctx.job.created_by,
            Verb.SNAPSHOT_EXPORTED,
            snapshot,
            project=snapshot.dataset.project.uuid,
            export=made.uuid,
            format=kind,
            file=blob.digest,
            rows=tally.rows,
            losses=losses,
        )


def about(snapshot: Snapshot) -> About:
    """What writers need before the rows."""
    dataset: Dataset = snapshot.dataset
    splits = ", ".join(f"{count:,} {split}" for split, count in snapshot.counts["splits"].items())
    facts = [
        f"{snapshot.counts['rows']:,} rows: {splits}.",
        f"Task: {dataset.get_task_display()}.",
        f"Digest of the dataset version: `{snapshot.digest}`.",
    ]
    if dataset.licence:
        facts.append(f"Licence: {inline(dataset.licence)}.")
    return About(
        dataset.task,
        queries.labels_of(snapshot),
        datasets.has_contents(dataset),
        f"{dataset.name}, version {snapshot.number}",
        facts,
    )


def entries(ctx: JobContext, snapshot: Snapshot) -> Iterator[Entry]:
    """The rows of the file, with progress."""
    total = snapshot.counts["rows"]
    rows = queries.with_values(snapshot, queries.open_snapshot(snapshot))
    for count, (row, item, label) in enumerate(rows):
        if count % queries.BATCH == 0:
            ctx.progress(count, total, stage="Writing rows", unit="rows")
            ctx.raise_if_cancelled()
        yield Entry(
            text=item.text,
            label=label,
            split=row.split,
            id=item.external_id,
            group=item.group,
            time=item.event_time.isoformat() if item.event_time else "",
            metadata=item.metadata,
            content=item.content or {},
            item=row.item,
            decision=row.decision,
        )
