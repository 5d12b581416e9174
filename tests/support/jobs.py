"""Running the queue inside a test, without broker, worker or threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from lifecycle.ground.jobs import actions, registry, runner
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.registry import JobKind
from lifecycle.ground.jobs.rules import Queue, State


def run_jobs(*queues: str, limit: int = 100) -> list[Job]:
    """Run what waits in these queues (all by default), and what it queues in turn, until nothing is left.
    Returns the jobs as they ended.

    Retries that wait for a later moment are run at once. Fails the test when a job does not end within
    `limit` executions.
    """
    ended: list[Job] = []
    for _ in range(limit):
        if not Job.objects.filter(state=State.QUEUED).update(available_at=timezone.now()):
            return ended
        job = next((job for queue in queues or Queue.values if (job := actions.claim(queue))), None)
        if job is None:
            return ended
        runner.execute(job, beating=False)
        if job.state == State.RUNNING:  # it had lost its lease, and wrote nothing
            job.refresh_from_db()
        if job.is_finished:
            ended.append(job)
    raise AssertionError(f"The queue was not empty after {limit} executions.")


def run_ok(*queues: str) -> list[Job]:
    """Like run_jobs, and fails the test with the job's own sentence when one did not succeed."""
    ended = run_jobs(*queues)
    for job in ended:
        assert job.state == State.SUCCEEDED, f"{job.kind} {job.state}: {job.error} {job.next_step}"
    return ended


@contextmanager
def kind(name: str, handler: Any, **options: Any) -> Iterator[JobKind]:
    """A kind of work that exists during a test."""
    known = JobKind(name, options.pop("label", name.capitalize()), handler, **options)
    registry.register(known)
    try:
        yield known
    finally:
        registry.unregister(name)
