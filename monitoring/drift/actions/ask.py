"""A person wants to know now."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.ground.jobs.actions import enqueue
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from monitoring.drift import queries
from monitoring.drift.actions.measure import measure
from monitoring.drift.actions.texts import check_texts
from monitoring.drift.rules import Span, running_span
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.queries.deployments import live_deployment
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def ask(*, endpoint_id: UUID, actor: User) -> Job:
    """Queue a measurement of the last 24 hours, counts and texts. While one waits or runs, that one is
    returned.

    What it finds opens and closes nothing. Raises PermissionDenied or Conflict (nothing is live).
    """
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=endpoint_id)
    policy.require(actor, "drift.measure", endpoint)
    live = live_deployment(endpoint)
    if live is None:
        raise Conflict(
            f"Nothing is live on {endpoint}, so there is nothing to measure.",
            next_step="Deploy an approved version.",
        )
    running = queries.job_of(endpoint)
    if running and not running.is_finished and running.kind == "drift.measure":
        return running
    span = running_span(timezone.now())
    args = {
        "endpoint": str(endpoint.uuid),
        "version": str(live.version.uuid),
        "start": span.start.isoformat(),
        "end": span.end.isoformat(),
    }
    job = enqueue(
        "drift.measure",
        actor=actor,
        project=endpoint.model.project,
        args=args,
        subject=endpoint,
        key=f"drift.measure:{endpoint.uuid}",
    )
    record(
        actor,
        Verb.DRIFT_MEASURED,
        endpoint,
        project=endpoint.model.project.uuid,
        version=live.version.uuid,
        start=span.start,
        end=span.end,
    )
    return job


def measure_requested(ctx: JobContext, endpoint: Endpoint, version: ModelVersion, span: Span) -> None:
    """The work of such a job: first the counts, then the texts where they are kept."""
    ctx.progress(0, stage="Counting")
    measure(endpoint, version, span, requested=True)
    if endpoint.keep_text:
        check_texts(ctx, endpoint, version, span, requested=True)
