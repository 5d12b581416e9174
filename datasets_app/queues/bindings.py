"""Registrations with the rooms below when the site starts."""

from __future__ import annotations

from datasets_app.datasets import ports as datasets
from datasets_app.queues import filters
from datasets_app.queues.actions.filling import run_fill
from datasets_app.queues.actions.ordering import run_reorder
from datasets_app.queues.actions.webhooks import CHANGED, LABELED
from datasets_app.queues.queries.comments import open_mentions
from datasets_app.queues.queries.decisions import decided_cells
from lifecycle.ground.jobs import registry, schedule
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ground.notices import topics
from lifecycle.ui import navigation
from lifecycle.ui.addresses import find_url
from registry.ground.access import policy


def queue_url(job: Job) -> str:
    """The page of a job's queue; everyone who sees the job may open it."""
    return find_url("queues:queue", uuid=job.args["queue"])


def bind() -> None:
    """Register this room's filters, jobs, schedules, notice topics, and navigation."""
    datasets.register_item_filter(*filters.FILTERS)
    datasets.register_item_columns(datasets.ItemColumns(("label", "decision"), decided_cells))
    registry.register(JobKind("queues.fill", "Fill labeling queue", run_fill, url=queue_url))
    registry.register(JobKind("queues.reorder", "Reorder labeling queue", run_reorder, url=queue_url))
    schedule.every(60, "datasets_app.queues.tasks.sweep")
    schedule.every(30, "datasets_app.queues.tasks.send_labels")
    topics.register(LABELED, "Annotations", for_programs=True)
    topics.register(CHANGED, "Resolved labels", for_programs=True)
    navigation.register(
        navigation.NavItem(
            "Data",
            "Labeling",
            "queues:list",
            order=20,
            key="l",
            match=("schemas", "prelabels", "queues", "quality", "review", "exchange", "assist"),
            show=lambda user: policy.can_somewhere(user, "labeling.view"),
            count=open_mentions,
        )
    )
