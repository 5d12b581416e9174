"""{% load jobs %}: the one progress fragment, for every page that waits for background work."""

from __future__ import annotations

from typing import Any

from django import template

from lifecycle.ground.jobs import queries
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State

register = template.Library()
MARKS = {
    State.QUEUED: "wait",
    State.RUNNING: "live",
    State.SUCCEEDED: "ok",
    State.FAILED: "bad",
    State.CANCELLED: "stop",
}
# What the page of a job's subject is called: by the kind, else by its first word.
SUBJECTS = {
    "training": "run",
    "training.next_trial": "sweep",
    "training.estimate": "estimate",
    "training.keep_base": "base models",
    "evaluation": "evaluation",
    "evaluation.compare": "comparison",
    "snapshots": "dataset version",
    "scanning": "scan",
    "datasets": "upload",
    "datasets.count_slice": "slice",
    "datasets.export": "exports",
    "queues": "queue",
    "quality": "queue",
    "review": "queue",
    "assist": "queue",
    "assist.apply_functions": "labeling functions",
    "review.move_decisions": "label schema",
    "exchange.export": "export",
    "exchange.look_through": "corrected labels",
    "exchange.correct": "corrected labels",
    "catalog": "version",
    "catalog.register": "model",
    "promotions": "request",
    "drift": "drift",
    "trace": "prediction",
}


@register.inclusion_tag("jobs/progress.html", takes_context=True)
def job_progress(context: dict[str, Any], job: Job | None) -> dict[str, Any]:
    """{% job_progress run.job %}: how far the job is, polled until it ends; nothing where there is no job or
    its kind hides it.
    """
    user = context["request"].user
    shown = job is not None and user.is_authenticated and queries.may_see(user, job)
    return {
        "line": queries.line(user, job) if job is not None and shown else None,
        "request": context["request"],
    }


@register.filter
def job_mark(job: Job) -> str:
    """The mark of a job's state: wait, live, ok, bad, stop."""
    return MARKS[State(job.state)]


@register.filter
def job_subject(job: Job) -> str:
    """The name of the subject's page: run, upload, queue; page for other kinds."""
    return SUBJECTS.get(job.kind) or SUBJECTS.get(job.kind.split(".")[0], "page")
