"""Registrations with the rooms below when the site starts."""

from __future__ import annotations

from datasets_app.quality.actions.quality import run_measure
from datasets_app.quality.views import quality
from lifecycle.ground.jobs import registry, schedule
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ui import parts
from lifecycle.ui.addresses import find_url


def queue_url(job: Job) -> str:
    """The page of a job's queue; everyone who sees the job may open it."""
    return find_url("queues:queue", uuid=job.args["queue"])


def bind() -> None:
    """Register this room's job, page part, and schedule."""
    registry.register(JobKind("quality.measure", "Measure label quality", run_measure, url=queue_url))
    parts.register("queues:queue", "datasets_app/quality/agreement.html", quality.on_queue)
    schedule.every(600, "datasets_app.quality.tasks.measure_due")
