"""Registrations with the rooms below when the site starts."""

from __future__ import annotations

from datasets_app.assist.actions.learning import run_learn
from datasets_app.assist.actions.suggesting import run_functions
from datasets_app.assist.views import learning
from lifecycle.ground.jobs import registry, schedule
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ui import parts
from lifecycle.ui.addresses import find_url


def queue_url(job: Job) -> str:
    """The page of a job's queue; everyone who sees the job may open it."""
    return find_url("queues:queue", uuid=job.args["queue"])


def functions_url(job: Job) -> str:
    """The page of the labeling functions that a job applies."""
    return find_url("assist:functions", uuid=job.args["dataset"])


def bind() -> None:
    """Register this room's jobs, page part, and schedule."""
    registry.register(
        JobKind("assist.apply_functions", "Apply labeling functions", run_functions, url=functions_url)
    )
    registry.register(JobKind("assist.learn", "Train the built-in model", run_learn, url=queue_url))
    parts.register("queues:queue", "datasets_app/assist/learning.html#learning", learning.on_queue)
    schedule.every(60, "datasets_app.assist.tasks.learn_due")
