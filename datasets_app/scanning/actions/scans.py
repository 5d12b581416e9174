"""Scans: requested, run by a job, and completed with a report."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from datasets_app.datasets.models import Dataset
from datasets_app.scanning import queries
from datasets_app.scanning.models import Finding, Scan, Tally
from datasets_app.scanning.rules import FOUND_BY, ScanKind, ScanState, Status
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

BATCH = 1_000


@transaction.atomic
def scan(*, dataset: Dataset, kind: str, actor: User) -> Job:
    """Enqueue a job that scans a dataset; the scan's uuid is job.args["scan"].

    kind: near_duplicates, label_errors. Raises PermissionDenied, Refused (unknown kind, nothing to scan), or
    Conflict (being scanned).
    """
    Dataset.objects.select_for_update(of=("self",), no_key=True).get(pk=dataset.pk)
    policy.require(actor, "scanning.scan", dataset)
    if kind not in ScanKind.values:
        message = f"Choose a type of scan: {' or '.join(ScanKind.values)}."
        raise Refused(message, fields={"kind": [message]})
    if queries.running(dataset, kind):
        raise Conflict(
            "This dataset is already being scanned.",
            next_step="Wait until the scan finishes, or cancel its job.",
        )
    if kind == ScanKind.LABEL_ERRORS and not dataset.task_type.one_label:
        message = "Label errors can only be found in single-label datasets."
        raise Refused(message, next_step="Scan for near duplicates instead.", fields={"kind": [message]})
    if kind == ScanKind.LABEL_ERRORS and not queries.has_decisions(dataset):
        raise Refused(
            "This dataset has no labeled items yet.",
            next_step="Label items, or import a file with resolved labels.",
        )
    if not queries.newest_item(dataset):
        raise Refused("This dataset has no items yet.", next_step="Import a file first.")
    row = Scan.objects.create(dataset=dataset, kind=kind, created_by=actor)
    for each in FOUND_BY[ScanKind(kind)]:
        Tally.objects.get_or_create(dataset=dataset, kind=each)
    job = jobs.enqueue(
        f"scanning.{kind}",
        actor=actor,
        project=dataset.project,
        args={"scan": str(row.uuid), "dataset": str(dataset.uuid)},
        subject=dataset,
        key=f"scanning.{kind}:{dataset.uuid}",
    )
    ledger.record(
        actor, Verb.SCAN_REQUESTED, row, project=dataset.project.uuid, dataset=dataset.uuid, kind=kind
    )
    return job


def load(ctx: JobContext) -> Scan:
    """The scan of a job."""
    return Scan.objects.select_related("dataset__project").get(uuid=ctx.args["scan"])


def finish(ctx: JobContext, row: Scan, report: dict[str, Any]) -> None:
    """Close findings that weren't found again, then write the report. Safe to rerun."""
    total = 0
    while closed := close_some(ctx, row):
        total += closed
        ctx.progress(total, stage="Closing issues no longer found", unit="findings")
    with transaction.atomic():
        ctx.hold()
        found = Finding.objects.filter(last_scan=row)
        new = found.filter(scan=row).count()
        row.report = report | {"new": new, "again": found.count() - new, "gone": total}
        row.state, row.ended_at = ScanState.DONE, timezone.now()
        row.save(update_fields=["report", "state", "ended_at"])
        ledger.record(
            ctx.job.created_by,
            Verb.SCAN_ENDED,
            row,
            project=row.dataset.project.uuid,
            dataset=row.dataset.uuid,
            kind=row.kind,
            new=row.report["new"],
            again=row.report["again"],
            gone=total,
        )


@transaction.atomic
def close_some(ctx: JobContext, row: Scan) -> int:
    """Mark at most 1,000 findings that this scan didn't find as no longer found. Dismissed ones stay. Returns
    their number.
    """
    ctx.raise_if_cancelled()
    ctx.hold()
    total = 0
    for kind in FOUND_BY[ScanKind(row.kind)]:
        for status in (Status.OPEN, Status.CONFIRMED):
            left = (
                queries.ranked(row.dataset, kind, status)
                .exclude(last_scan=row)
                .values_list("pk", flat=True)[: BATCH - total]
            )
            closed = Finding.objects.filter(pk__in=list(left), status=status).update(status=Status.GONE)
            count(row.dataset, kind, {status: -closed, Status.GONE: closed})
            total += closed
    return total


def count(dataset: Dataset, kind: str, changes: dict[Status, int]) -> None:
    """Update the tally of a kind, in the caller's transaction."""
    moved = {status.value: F(status.value) + change for status, change in changes.items() if change}
    if moved:
        Tally.objects.filter(dataset=dataset, kind=kind).update(**moved)


def fail_scan(job: Job) -> None:
    """Handle a failed job. Issues found stay."""
    Scan.objects.filter(uuid=job.args["scan"]).update(state=ScanState.FAILED, ended_at=timezone.now())


def cancel_scan(job: Job) -> None:
    """Handle a cancelled job. Issues found stay."""
    Scan.objects.filter(uuid=job.args["scan"]).update(state=ScanState.CANCELLED, ended_at=timezone.now())
