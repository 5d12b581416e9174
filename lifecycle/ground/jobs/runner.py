"""Executing a claimed job: call its handler, keep its lease alive, write how it ended."""

from __future__ import annotations

import logging
from contextlib import nullcontext

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections

from lifecycle.ground.jobs import actions, queries, registry
from lifecycle.ground.jobs.context import Cancelled, Heart, JobContext, LeaseLost, Released
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import NotReady, Refusal

log = logging.getLogger(__name__)
PASSING = (NotReady, OperationalError, InterfaceError, ConnectionError, TimeoutError)
NEXT_STEP = (
    "Start it again. If it fails again, give this job's number to your administrator: the log has the"
    " details."
)


def execute(job: Job, *, beating: bool = True) -> None:
    """Run one claimed job to its end or back into the queue; one that was cancelled does nothing. Never
    raises for what a handler does.

    beating: keep the lease alive from a thread; tests inside one transaction turn it off.
    """
    log.info("job_started job=%s kind=%s attempt=%s", job.uuid, job.kind, job.attempt)
    ctx = JobContext(job, beating=beating)
    try:
        if queries.was_cancelled(job):
            raise Cancelled
        handler = registry.get(job.kind).handler
        with Heart(ctx) if beating else nullcontext():
            handler(ctx)
    except LeaseLost:
        written = False
    except Cancelled:
        written = actions.finish_cancelled(job)
    except Released:
        written = actions.put_back(
            job, message="Its worker was stopped; the job continues when one is free.", charged=False
        )
    except Exception as error:
        written = _end_badly(job, error)
    else:
        written = actions.finish(job)
    if written:
        log.info("job_ended job=%s kind=%s state=%s", job.uuid, job.kind, job.state)
    else:
        log.warning("job_lease_lost job=%s kind=%s: nothing was written", job.uuid, job.kind)


def _end_badly(job: Job, error: Exception) -> bool:
    """Queue again after a passing obstacle while attempts are left; else fail with a sentence. The traceback
    goes to the log only.
    """
    if isinstance(error, DatabaseError):
        close_old_connections()
    if isinstance(error, PASSING) and job.attempt < job.max_attempts:
        log.warning("job_retried job=%s kind=%s error=%s", job.uuid, job.kind, type(error).__name__)
        reason = (
            str(error)
            if isinstance(error, Refusal)
            else f"A service didn't respond ({type(error).__name__})."
        )
        return actions.put_back(
            job,
            message=f"{reason} Attempt {job.attempt} of {job.max_attempts} failed; retrying."[:500],
            charged=True,
        )
    if isinstance(error, registry.UnknownKind):
        return actions.fail(job, str(error), "Start a worker of the current release.")
    if isinstance(error, Refusal):
        return actions.fail(job, error.message, error.next_step, refusal=error.code)
    log.error("job_failed job=%s kind=%s", job.uuid, job.kind, exc_info=error)
    return actions.fail(job, f"The job failed with an internal error ({type(error).__name__}).", NEXT_STEP)
