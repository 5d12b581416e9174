"""Enqueue, cancel, claim, finish, and repair jobs: all actions that change a job."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from lifecycle.ground.jobs import queries, registry, rules
from lifecycle.ground.jobs.celery import ring
from lifecycle.ground.jobs.context import lease_time
from lifecycle.ground.jobs.models import Job, Worker
from lifecycle.ground.jobs.rules import Device, Priority, State
from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.rules import check_move
from registry.ground.access.models import Project, User
from registry.ground.access.policy import Person
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

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
    priority: Priority = Priority.NORMAL,
    device: Device = Device.ANY,
) -> Job:
    """Write a job into the queue, in the caller's transaction, and wake a worker once that commits.

    args: ids and small settings, JSON types only. subject: the row that the work is about (it has a uuid).
    key: while a job with this key is unfinished, that one is returned instead of a second. device: which
    workers may take it.

    A broker that is down raises nothing; the job starts when beat rings again.
    """
    known = registry.get(kind)
    if key is not None and (waiting := _unfinished(key)):
        return waiting
    job = Job(
        kind=kind,
        queue=known.queue,
        max_attempts=known.max_attempts,
        project=project,
        created_by=actor,
        args=args,
        key=key,
        priority=priority,
        device=device,
        subject_type=subject._meta.label_lower if subject else "",
        subject_uuid=getattr(subject, "uuid", None),
        subject_name=str(subject)[:200] if subject else "",
        available_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:  # another process queued the same work between the look and the write
        if key is not None and (waiting := _unfinished(key)):
            return waiting
        raise
    transaction.on_commit(partial(ring_for, job.queue, job.device), robust=True)
    return job


def _unfinished(key: str) -> Job | None:
    return Job.objects.filter(key=key, state__in=[State.QUEUED, State.RUNNING]).first()


@transaction.atomic
def cancel(job_id: UUID, actor: Person) -> Job:
    """Cancel a queued job, or ask a running one to stop at its next safe point.

    Raises PermissionDenied (neither started it nor leads its project) or Conflict (it has ended). Idempotent.
    """
    job = Job.objects.select_for_update(no_key=True).get(uuid=job_id)
    queries.require_cancel(actor, job)
    if job.is_cancelling:
        return job
    check_move("job", rules.MOVES, State(job.state), State.CANCELLED)
    job.cancel_requested_at = timezone.now()
    job.save(update_fields=["cancel_requested_at"])
    if job.state == State.QUEUED:
        _end(job, State.QUEUED, State.CANCELLED, {})
    ledger.record(
        actor, Verb.JOB_CANCELLED, job, project=job.project.uuid if job.project else None, kind=job.kind
    )
    return job


@transaction.atomic
def prioritise(job_id: UUID, priority: Priority, actor: Person, *, seen: Priority | None = None) -> Job:
    """Change a queued job's priority. Idempotent.

    seen: its priority as the person saw it. Raises PermissionDenied (as `cancel`) or Conflict (it isn't
    queued, or someone has changed its priority since).
    """
    job = Job.objects.select_for_update(no_key=True).get(uuid=job_id)
    queries.require_cancel(actor, job)
    old = Priority(job.priority)
    if job.state != State.QUEUED:
        raise Conflict(
            f"This job is {State(job.state).label.lower()}, so its priority can't change.",
            next_step="Reload the page.",
        )
    if old == priority:
        return job
    if seen is not None and old != seen:
        raise Conflict(
            f"Someone else set this job's priority to {old.word} while you had it open.",
            next_step="Reload the page, then decide.",
        )
    job.priority = priority
    job.save(update_fields=["priority"])
    project = job.project.uuid if job.project else None
    ledger.record(
        actor, Verb.JOB_PRIORITISED, job, project=project, kind=job.kind, old=old.word, new=priority.word
    )
    return job


def claim(queue: str, device: Device = Device.CPU) -> Job | None:
    """Take the next job of a queue for a worker of this device, with a lease, or None where nothing waits
    that it may take.

    The most urgent first, and among those equally urgent the one that has waited longest.
    Two claimers never get the same job.
    """
    while True:
        now = timezone.now()
        candidate = next_in_line(queue, device, now)
        if candidate is None:
            return None
        taken = Job.objects.filter(pk=candidate.pk, state=State.QUEUED).update(
            state=State.RUNNING,
            attempt=models.F("attempt") + 1,
            lease_token=uuid4(),
            lease_until=now + lease_time(),
            heartbeat_at=now,
            started_at=candidate.started_at or now,
            worker=worker_name(),
            message="",
        )
        if taken:
            candidate.refresh_from_db()
            return candidate


def next_in_line(queue: str, device: Device, now: datetime) -> Job | None:
    """The job that a worker of this device would take now."""
    waiting = Job.objects.filter(
        queue=queue, state=State.QUEUED, available_at__lte=now, device__in=rules.TAKES[device]
    )
    return waiting.order_by("priority", "available_at", "id").first()


def bind(job: Job, device: Device) -> None:
    """Bind a job without a device to this one, also after a crash. Does nothing without the lease."""
    if job.device == Device.ANY and _held(job).update(device=device):
        job.device = device


def announce(queues: list[str], device: Device) -> None:
    """Record that this worker process is alive, and delete workers without a heartbeat for a week."""
    now = timezone.now()
    Worker.objects.update_or_create(
        name=worker_name(), defaults={"queues": queues, "device": device, "seen_at": now}
    )
    Worker.objects.filter(seen_at__lt=now - rules.WORKER_RETENTION).delete()


def leave() -> None:
    """Record that this worker process takes no more jobs. Its row is kept for a week, as for one that
    died.
    """
    Worker.objects.filter(name=worker_name()).update(seen_at=timezone.now() - 2 * rules.WORKER_TIMEOUT)


def ring_for(queue: str, device: str) -> None:
    """Ring the bells of workers that take jobs of this device. Without a GPU worker its bell isn't rung,
    since it would stay in the broker; such a worker rings for itself when it starts.
    """
    for bell in rules.bells(queue, device):
        if bell == queue or Device.GPU in queries.devices_served(queue):
            ring(queue, bell)


def worker_name() -> str:
    """Host and process of the caller."""
    return f"{socket.gethostname()}:{os.getpid()}"[:200]


def finish(job: Job) -> bool:
    """Mark the job as succeeded. Returns False, and changes nothing, when the lease was lost meanwhile."""
    return _end(job, State.RUNNING, State.SUCCEEDED, _progress(job) | {"error": "", "next_step": ""})


def fail(job: Job, error: str, next_step: str = "", *, refusal: str = "") -> bool:
    """Mark the job as failed. error, next_step: sentences for people; refusal: the code of a refusal. Returns
    False, and changes nothing, when the lease was lost meanwhile.
    """
    ending = {"error": error[:1000], "next_step": next_step[:500], "refusal": refusal}
    return _end(job, State.RUNNING, State.FAILED, _progress(job) | ending)


def finish_cancelled(job: Job) -> bool:
    """Mark the job as cancelled. Returns False, and changes nothing, when the lease was lost meanwhile."""
    return _end(job, State.RUNNING, State.CANCELLED, _progress(job))


def put_back(job: Job, *, message: str, charged: bool) -> bool:
    """Queue a running job again. charged: whether the attempt counts (it does not when only the worker
    leaves).
    """
    now = timezone.now()
    values = _progress(job) | FREE | {"state": State.QUEUED, "message": message}
    values |= (
        {"available_at": now + rules.backoff(job.attempt)}
        if charged
        else {"available_at": now, "attempt": models.F("attempt") - 1}
    )
    written = bool(_held(job).update(**values))
    if written:
        job.refresh_from_db()
    return written


def reap(*, batch: int = 100) -> int:
    """Free the jobs of dead workers. Returns how many.

    They are queued again while attempts are left, else failed; a job that was asked to stop is cancelled.
    """
    dead = Job.objects.filter(state=State.RUNNING, lease_until__lt=timezone.now()).order_by("lease_until")[
        :batch
    ]
    return sum(_reap_one(job) for job in dead)


def _reap_one(job: Job) -> bool:
    log.warning("job_reaped job=%s kind=%s attempt=%s worker=%s", job.uuid, job.kind, job.attempt, job.worker)
    if job.cancel_requested_at:
        return _end(job, State.RUNNING, State.CANCELLED, {})
    if job.attempt >= job.max_attempts:
        error = (
            f"The worker stopped unexpectedly in attempt {job.attempt} of {job.max_attempts}, so the job"
            " failed."
        )
        step = "Check memory and disk on the worker's machine, then start the job again."
        return _end(job, State.RUNNING, State.FAILED, {"error": error, "next_step": step})
    message = f"The worker of attempt {job.attempt} stopped unexpectedly; another one continues."
    values = FREE | {"state": State.QUEUED, "available_at": timezone.now(), "message": message}
    return bool(_held(job).update(**values))


def ring_waiting() -> list[str]:
    """Ring for every queue with a job that is due: repairs lost messages. Returns the queues."""
    waiting = (
        Job.objects.filter(state=State.QUEUED, available_at__lte=timezone.now())
        .order_by()
        .values_list("queue", "device")
        .distinct()
    )
    found = sorted(waiting)
    for queue, device in found:
        ring_for(queue, device)
    return sorted({queue for queue, _ in found})


def _held(job: Job) -> models.QuerySet[Job]:
    """The job's row while its lease is still valid."""
    return Job.objects.filter(pk=job.pk, state=State.RUNNING, lease_token=job.lease_token)


def _progress(job: Job) -> dict[str, Any]:
    return {
        "stage": job.stage,
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "rate": job.rate,
        "message": job.message,
    }


def _end(job: Job, old: State, new: State, values: dict[str, Any]) -> bool:
    """Move a job into a final state and call its kind's hook, in one transaction. False, and nothing changed,
    after a lost race.
    """
    check_move("job", rules.MOVES, old, new)
    kind = registry.find(job.kind)
    hook = {State.FAILED: kind.on_failed, State.CANCELLED: kind.on_cancelled}.get(new) if kind else None
    try:
        written = _write_end(job, old, new, values, hook)
    except Exception:
        if hook is None:
            raise
        log.exception("job_end_hook_failed job=%s kind=%s", job.uuid, job.kind)
        written = _write_end(job, old, new, values, None)
    if written:
        job.refresh_from_db()
    return written


def _write_end(
    job: Job, old: State, new: State, values: dict[str, Any], hook: Callable[[Job], None] | None
) -> bool:
    values = values | FREE | {"state": new, "finished_at": timezone.now()}
    rows = Job.objects.filter(pk=job.pk, state=old, lease_token=job.lease_token)
    if hook is None:
        return bool(rows.update(**values))
    with transaction.atomic():
        if written := bool(rows.update(**values)):
            hook(Job.objects.get(pk=job.pk))
    return written
