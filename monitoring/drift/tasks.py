from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from celery import shared_task
from django.urls import reverse

from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from monitoring.drift import actions
from monitoring.drift.actions.ask import measure_requested
from monitoring.drift.actions.texts import note_failure
from monitoring.drift.rules import Span
from registry.catalog.models import Endpoint, ModelVersion


@shared_task  # type: ignore[untyped-decorator]
def tick() -> None:
    """Measure what is due."""
    actions.tick()


@dataclass(frozen=True, slots=True)
class Work:
    """What a job of this room is about."""

    endpoint: Endpoint
    version: ModelVersion
    span: Span


def work_of(job: Job) -> Work:
    """Read from the ids that the job was given."""
    return Work(
        Endpoint.objects.select_related("model__project").get(uuid=UUID(job.args["endpoint"])),
        ModelVersion.objects.select_related("model", "folder", "evaluation__snapshot__dataset").get(
            uuid=UUID(job.args["version"])
        ),
        Span(datetime.fromisoformat(job.args["start"]), datetime.fromisoformat(job.args["end"])),
    )


def texts(ctx: JobContext) -> None:
    """Compare the texts of a day."""
    work = work_of(ctx.job)
    actions.check_texts(ctx, work.endpoint, work.version, work.span)


def measure(ctx: JobContext) -> None:
    """Measure on request."""
    work = work_of(ctx.job)
    measure_requested(ctx, work.endpoint, work.version, work.span)


def failed(job: Job) -> None:
    """Store that the texts were not compared, and why, for the endpoint's page."""
    work = work_of(job)
    if work.endpoint.keep_text:
        note_failure(
            work.endpoint,
            work.version,
            work.span.start,
            work.span.end,
            job.error,
            requested=job.kind == "drift.measure",
        )


def page(job: Job) -> str:
    """The page with the result."""
    return reverse("drift:endpoint", args=[job.args["endpoint"]])
