"""{% load jobs %}: the one progress fragment, for every page that waits for background work."""

from __future__ import annotations

from typing import Any

from django import template

from lifecycle.jobs import queries
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State

register = template.Library()
MARKS = {State.QUEUED: "wait", State.RUNNING: "live", State.SUCCEEDED: "ok", State.FAILED: "bad", State.CANCELLED: "stop"}


@register.inclusion_tag("jobs/progress.html", takes_context=True)
def job_progress(context: dict[str, Any], job: Job | None) -> dict[str, Any]:
    """{% job_progress run.job %}: how far the job is, polled until it ends; nothing where there is no job or its kind hides it."""
    user = context["request"].user
    shown = job is not None and user.is_authenticated and queries.may_see(user, job)
    return {"line": queries.line(user, job) if job is not None and shown else None, "request": context["request"]}


@register.filter
def job_mark(job: Job) -> str:
    """The mark of a job's state: wait, live, ok, bad, stop."""
    return MARKS[State(job.state)]
