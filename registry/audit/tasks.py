from __future__ import annotations

from collections import Counter

from celery import shared_task
from django.urls import reverse

from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from registry.ground.access.models import User
from registry.ground.access.policy import can_somewhere
from registry.ground.ledger import checkpoints
from registry.ground.ledger import verify as ledger_verify
from registry.ground.ledger.faults import Fault, Part, counted

SHOWN = 3  # faults in the sentence of a job


@shared_task  # type: ignore[untyped-decorator]
def sign_checkpoints() -> None:
    """Sign the head of every chain that moved."""
    checkpoints.sign_checkpoints()


def verify(ctx: JobContext) -> None:
    """Do what `manage.py verify_audit` does; the job fails with the first faults, else reports what was
    walked.
    """
    faults: list[Fault] = []
    parts: list[Part] = []
    for found in ledger_verify.verify_all():
        ctx.raise_if_cancelled()
        if isinstance(found, Fault):
            faults += [found][: SHOWN - len(faults)]
            continue
        parts.append(found)
        ctx.progress(sum(part.count for part in parts), unit="checked", stage=f"Verified {found.name}")
    if faults:
        count = counted(sum(part.faults for part in parts), "fault")
        raise Refused(
            f"Audit log verification failed: {count}. {' '.join(map(str, faults))}",
            next_step=(
                "Treat this as an incident; keep the database as it is. The command verify_audit lists every"
                " fault."
            ),
        )
    totals: Counter[str] = Counter()
    for part in parts:
        totals[part.what] += part.count
    checked = totals.total()
    message = f"Audit log verified: {', '.join(f'{count:,} {what}' for what, count in totals.items())}."
    ctx.progress(checked, checked, stage="Audit log verified", message=message)


def verify_url(_job: Job) -> str:
    """Where the result is shown."""
    return reverse("audit:events")


def may_see(user: User, job: Job) -> bool:
    """Anyone who may read the audit log, and the person who asked."""
    return job.created_by_id == user.pk or user.is_organisation_admin or can_somewhere(user, "audit.view")
