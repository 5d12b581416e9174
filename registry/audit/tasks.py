from __future__ import annotations

from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.urls import reverse

from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from registry.access.models import User
from registry.access.policy import can_somewhere
from registry.ledger import checkpoints
from registry.ledger import verify as ledger_verify


@shared_task  # type: ignore[untyped-decorator]
def sign_checkpoints() -> None:
    """Sign the head of every chain that moved."""
    checkpoints.sign_checkpoints()


def verify(ctx: JobContext) -> None:
    """Walk all chains against the checkpoints outside the database; the job fails with the first fault, else says how many events hold."""
    known = [s for file in sorted(Path(settings.CHECKPOINT_DIR).glob("*.jsonl")) for s in checkpoints.read_checkpoints(file)]
    chains = events = 0
    for name, count, fault in ledger_verify.verify_all(known):
        ctx.raise_if_cancelled()
        if fault:
            raise Refused(
                f"The trail does not hold: chain {name} is broken at event {fault.seq}. {fault.detail}",
                next_step="Treat this as an incident; keep the database as it is.",
            )
        chains, events = chains + 1, events + count
        ctx.progress(events, unit="events", stage="Recomputing hashes")
    ctx.progress(events, events, message=f"{chains} chains with {events} events are whole; {len(known)} signed checkpoints agree.")


def verify_url(_job: Job) -> str:
    """Where the result is shown."""
    return reverse("audit:events")


def may_see(user: User, job: Job) -> bool:
    """Whoever may read the trail, and whoever asked."""
    return job.created_by_id == user.pk or user.is_organisation_admin or can_somewhere(user, "audit.view")
