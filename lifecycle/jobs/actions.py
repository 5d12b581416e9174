"""Queue, cancel, claim, end and repair. Everything that changes a job stands here."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from lifecycle.jobs import queries, registry, rules
from lifecycle.jobs.celery import ring
from lifecycle.jobs.context import lease_time
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from registry.access.models import Project, User
from registry.access.policy import Person
from registry.ledger import actions as ledger
from registry.ledger.verbs import Verb

log = logging.getLogger(__name__)
FREE: dict[str, Any] = {"lease_token": None, "lease_until": None}


def enqueue(
    kind: str,
    *,
    actor: User | None,
    project: Project | None,
    args: dict[str, Any],
    subject: models.Model | None = None,
    key: str | None = None,
) -> Job:
    """Write a job into the queue, in the caller's transaction, and wake a worker once that commits.

    args: ids and small settings, JSON types only. subject: the row that the work is about (it has a uuid). key: while a job with this key
    is unfinished, that one is returned instead of a second. A broker that is down raises nothing; the job starts when beat rings again.
    """
    known = registry.get(kind)
    if key is not None and (waiting := _unfinished(key)):
        return waiting
    job = Job(
        kind=kind, queue=known.queue, max_attempts=known.max_attempts, project=project, created_by=actor, args=args, key=key,
        subject_type=subject._meta.label_lower if subject else "", subject_uuid=getattr(subject, "uuid", None), available_at=timezone.now(),
    )  # fmt: skip
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:  # another process queued the same work between the look and the write
        if key is not None and (waiting := _unfinished(key)):
            return waiting
        raise
    transaction.on_commit(partial(ring, job.queue), robust=True)
    return job


def _unfinished(key: str) -> Job | None:
    return Job.objects.filter(key=key, state__in=[State.QUEUED, State.RUNNING]).first()


@transaction.atomic
def cancel(job_id: UUID, actor: Person) -> Job:
    """Take a waiting job out of the queue, or ask a running one to stop at its next safe point.

    Raises PermissionDenied (neither started it nor leads its project) or Conflict (it has ended). Asking twice is asking once.
    """
    job = Job.objects.select_for_update(no_key=True).get(uuid=job_id)
    queries.require_cancel(actor, job)
    if job.is_cancelling:
        return job
    rules.check_move(State(job.state), State.CANCELLED)
    job.cancel_requested_at = timezone.now()
    job.save(update_fields=["cancel_requested_at"])
    if job.state == State.QUEUED:
        _end(job, State.QUEUED, State.CANCELLED, {})
    ledger.record(actor, Verb.JOB_CANCELLED, job, project=job.project.uuid if job.project else None, kind=job.kind)
    return job


def claim(queue: str) -> Job | None:
    """Take the oldest waiting job of a queue, with a lease, or None when nothing waits. Two claimers never get the same job."""
    while True:
        now = timezone.now()
        candidate = Job.objects.filter(queue=queue, state=State.QUEUED, available_at__lte=now).order_by("available_at", "id").first()
        if candidate is None:
            return None
        taken = Job.objects.filter(pk=candidate.pk, state=State.QUEUED).update(
            state=State.RUNNING, attempt=models.F("attempt") + 1, lease_token=uuid4(), lease_until=now + lease_time(), heartbeat_at=now,
            started_at=candidate.started_at or now, worker=worker_name(), message="",
        )  # fmt: skip
        if taken:
            candidate.refresh_from_db()
            return candidate


def worker_name() -> str:
    """Host and process of the caller."""
    return f"{socket.gethostname()}:{os.getpid()}"[:200]


def finish(job: Job) -> bool:
    """The work is done. False, and nothing changed, when the lease was lost meanwhile."""
    return _end(job, State.RUNNING, State.SUCCEEDED, _progress(job) | {"error": "", "next_step": ""})


def fail(job: Job, error: str, next_step: str = "") -> bool:
    """The work cannot be done. error, next_step: sentences for people. False, and nothing changed, when the lease was lost meanwhile."""
    return _end(job, State.RUNNING, State.FAILED, _progress(job) | {"error": error[:1000], "next_step": next_step[:500]})


def finish_cancelled(job: Job) -> bool:
    """The work stopped because it was asked to. False, and nothing changed, when the lease was lost meanwhile."""
    return _end(job, State.RUNNING, State.CANCELLED, _progress(job))


def put_back(job: Job, *, message: str, charged: bool) -> bool:
    """Queue a running job again. charged: whether the attempt counts (it does not when only the worker leaves)."""
    now = timezone.now()
    values = _progress(job) | FREE | {"state": State.QUEUED, "message": message}
    values |= {"available_at": now + rules.backoff(job.attempt)} if charged else {"available_at": now, "attempt": models.F("attempt") - 1}
    return bool(_held(job).update(**values))


def reap(*, batch: int = 100) -> int:
    """Free the jobs whose worker fell silent. Returns how many.

    They are queued again while attempts are left, else failed; a job that was asked to stop is cancelled.
    """
    dead = Job.objects.filter(state=State.RUNNING, lease_until__lt=timezone.now()).order_by("lease_until")[:batch]
    return sum(_reap_one(job) for job in dead)


def _reap_one(job: Job) -> bool:
    log.warning("job_reaped job=%s kind=%s attempt=%s worker=%s", job.uuid, job.kind, job.attempt, job.worker)
    if job.cancel_requested_at:
        return _end(job, State.RUNNING, State.CANCELLED, {})
    if job.attempt >= job.max_attempts:
        error = f"The worker stopped without a word in attempt {job.attempt} of {job.max_attempts}, so the job was given up."
        step = "Look for lack of memory or disk on the worker's machine, then start it again."
        return _end(job, State.RUNNING, State.FAILED, {"error": error, "next_step": step})
    message = f"The worker of attempt {job.attempt} stopped without a word; another one goes on."
    values = FREE | {"state": State.QUEUED, "available_at": timezone.now(), "message": message}
    return bool(_held(job).update(**values))


def ring_waiting() -> list[str]:
    """Ring for every queue in which a job waits: repairs lost messages. Returns the queues."""
    waiting = Job.objects.filter(state=State.QUEUED, available_at__lte=timezone.now()).order_by().values_list("queue", flat=True).distinct()
    queues = sorted(waiting)
    for queue in queues:
        ring(queue)
    return queues


def _held(job: Job) -> models.QuerySet[Job]:
    """The row of this job while the lease in hand is still the valid one."""
    return Job.objects.filter(pk=job.pk, state=State.RUNNING, lease_token=job.lease_token)


def _progress(job: Job) -> dict[str, Any]:
    return {"stage": job.stage, "done": job.done, "total": job.total, "unit": job.unit, "rate": job.rate, "message": job.message}


def _end(job: Job, old: State, new: State, values: dict[str, Any]) -> bool:
    """Move a job into a final state and tell its room, in one transaction. False, and nothing changed, when somebody was quicker."""
    rules.check_move(old, new)
    kind = registry.find(job.kind)
    told = {State.FAILED: kind.on_failed, State.CANCELLED: kind.on_cancelled}.get(new) if kind else None
    try:
        written = _write_end(job, old, new, values, told)
    except Exception:
        if told is None:
            raise
        log.exception("job_end_hook_failed job=%s kind=%s", job.uuid, job.kind)
        written = _write_end(job, old, new, values, None)
    if written:
        job.refresh_from_db()
    return written


@transaction.atomic
def _write_end(job: Job, old: State, new: State, values: dict[str, Any], told: Callable[[Job], None] | None) -> bool:
    values = values | FREE | {"state": new, "finished_at": timezone.now()}
    if not Job.objects.filter(pk=job.pk, state=old, lease_token=job.lease_token).update(**values):
        return False
    if told is not None:
        told(Job.objects.get(pk=job.pk))
    return True
