"""Registrations with the rooms below when the site starts."""

from __future__ import annotations

from datasets_app.review.actions.changes import follow_published, run_moves
from datasets_app.review.actions.checks import run_accept
from datasets_app.review.views import changes, checks
from datasets_app.schemas import ports
from lifecycle.ground.jobs import registry
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ui import parts
from lifecycle.ui.addresses import find_url


def queue_url(job: Job) -> str:
    """The page of a job's queue; everyone who sees the job may open it."""
    return find_url("queues:queue", uuid=job.args["queue"])


def schema_url(job: Job) -> str:
    """The page of the schema whose resolved labels a job moves."""
    return find_url("schemas:schema", uuid=job.args["dataset"])


def bind() -> None:
    """Register this room's jobs, page parts, and follow-up of published schemas."""
    registry.register(
        JobKind("review.move_decisions", "Move labels after a schema change", run_moves, url=schema_url)
    )
    registry.register(JobKind("review.accept", "Accept agreed labels", run_accept, url=queue_url))
    parts.register("queues:queue/top", "datasets_app/review/agreed.html", checks.on_queue)
    parts.register("schemas:schema", "datasets_app/review/behind.html", changes.on_schema)
    ports.on_published(follow_published)
