"""State changes of launched runs. Users pause, stop, and resume them; their jobs write the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Device, Priority, State
from lifecycle.modeling.training import ports, rules
from lifecycle.modeling.training.actions.launch import DEVICES, check_base, queue_job, queue_next_trial
from lifecycle.modeling.training.models import Diagnosis, MetricPoint, Run, RunLog, RunSample
from lifecycle.modeling.training.rules import RunState, SweepState
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from lifecycle.runtime.rules import check_move
from registry.ground.access.models import User
from registry.ground.access.policy import require
from registry.ground.artifacts.models import Folder
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of, plain
from registry.ground.ledger.verbs import Verb


def locked(run_id: UUID) -> Run:
    """The run, locked until the caller's transaction ends."""
    related = ("project", "job", "base", "snapshot", "sweep__project", "sweep__launched_by")
    return Run.objects.select_for_update(of=("self",), no_key=True).select_related(*related).get(uuid=run_id)


def move(run: Run, state: RunState, **values: Any) -> None:
    """Change a locked run's state and its consequences; if it is a trial that ends, its sweep continues.
    Raises Conflict.
    """
    check_move("run", rules.MOVES, RunState(run.state), state)
    run.state = state
    for name, value in values.items():
        setattr(run, name, value)
    run.save(update_fields=["state", *values])
    if run.sweep is not None and state in rules.FINISHED:
        queue_next_trial(run.sweep, after=run.trial or 0)


SAMPLE_LENGTH = 4_000  # stored characters of a sample


@transaction.atomic
def stop(*, run_id: UUID, actor: User) -> Run:
    """End a run at its next step with a checkpoint; a queued or paused one ends at once. Idempotent.

    Raises PermissionDenied or Conflict (it has ended).
    """
    run = locked_with_job(run_id)
    require(actor, "training.stop", run)
    if run.state == RunState.STOPPING:
        return run
    move(run, RunState.STOPPING)
    record(actor, Verb.RUN_STOPPED, run, project=run.project.uuid, step=run.step)
    return release_worker(run, actor)


@transaction.atomic
def pause(*, run_id: UUID, actor: User) -> Run:
    """Release a run's worker at its next step with a checkpoint, until `resume`. Idempotent.

    Raises PermissionDenied or Conflict (it has ended, or is stopping).
    """
    run = locked_with_job(run_id)
    require(actor, "training.pause", run)
    if run.state in (RunState.PAUSING, RunState.PAUSED):
        return run
    move(run, RunState.PAUSING)
    record(actor, Verb.RUN_PAUSED, run, project=run.project.uuid, step=run.step)
    return release_worker(run, actor)


def locked_with_job(run_id: UUID) -> Run:
    """The run and its job, locked; always the job first."""
    Job.objects.select_for_update(no_key=True).filter(
        pk__in=Run.objects.filter(uuid=run_id).values("job")
    ).first()
    return locked(run_id)


def release_worker(run: Run, actor: User) -> Run:
    """Let the job of a pausing or stopping run end; without a worker, the run ends or pauses at once."""
    if run.job is not None and not run.job.is_finished:
        jobs.cancel(run.job.uuid, actor)
    else:
        stopped(run.uuid)
    run.refresh_from_db()
    return run


@transaction.atomic
def resume(*, run_id: UUID, actor: User) -> Run:
    """Queue a paused, stopped, or failed run again from its last checkpoint, on its device and with its
    priority; the weights are as if it had never been interrupted.

    Raises PermissionDenied, Conflict (neither paused, stopped, nor failed), or NotReady (the base model's
    files are missing, or its old job hasn't ended and would stop it again).
    """
    run = locked_with_job(run_id)
    require(actor, "training.launch", run)
    check_base(run.base, run.project, actor)
    check_move("run", rules.MOVES, RunState(run.state), RunState.QUEUED)
    if run.job is not None and not run.job.is_finished:
        raise NotReady(f"{run} is still stopping on its worker.", next_step="Resume it in a few seconds.")
    old = run.state
    move(run, RunState.QUEUED, error=None, finished_at=None, result={})
    before = run.job
    device = Device(before.device) if before else DEVICES[run.spec.get("device", "auto")]
    queue_job(run, actor, Priority(before.priority) if before else Priority.NORMAL, device)
    record(actor, Verb.RUN_RESUMED, run, project=run.project.uuid, step=run.step, was=old)
    return run


@transaction.atomic
def prioritise(*, run_id: UUID, priority: Priority, actor: User, seen: Priority | None = None) -> Run:
    """Raise or lower the priority of a queued run. Idempotent.

    seen: the priority shown to the user. Raises PermissionDenied or Conflict (it isn't queued, or its
    priority has changed).
    """
    run = locked_with_job(run_id)
    require(actor, "training.launch", run)
    if run.job is None or run.job.state != State.QUEUED:
        raise Conflict(
            f"{run} is {RunState(run.state).label.lower()}, so it isn't in the queue.",
            next_step="Reload the page.",
        )
    jobs.prioritise(run.job.uuid, priority, actor, seen=seen)
    run.refresh_from_db()
    return run


# ── By the run's job ────────────────────────────────────────────────────────
@transaction.atomic
def begin(run_id: UUID) -> Run:
    """Its job starts the run; after a crash, a run in training is started again. Raises Conflict if it has
    ended.
    """
    run = locked(run_id)
    if run.state not in (RunState.TRAINING, RunState.PAUSING, RunState.STOPPING):
        move(run, RunState.TRAINING, started_at=run.started_at or timezone.now())
    return run


def record_events(run: Run, events: Sequence[dict[str, Any]]) -> None:
    """Store the engine's events. Idempotent: only a step's last value, a diagnosis's last state, and each log
    line count.
    """
    values: dict[tuple[str, int], float] = {}
    step, total = run.step, run.total_steps
    for event in events:
        if event["kind"] == "metric":
            step, total = int(event["step"]), int(event["total_steps"])
            values |= {
                (name, step): float(value) for name, value in event["values"].items() if value is not None
            }
        elif event["kind"] == "finding":
            keep_finding(run, event)
        elif event["kind"] == "samples":
            keep_samples(run, event)
    MetricPoint.objects.bulk_create(
        [MetricPoint(run=run, name=name[:40], step=at, value=value) for (name, at), value in values.items()],
        update_conflicts=True,
        unique_fields=["run", "name", "step"],
        update_fields=["value"],
    )
    RunLog.objects.bulk_create(
        [line for event in events if (line := log_line(run, event))], ignore_conflicts=True
    )
    if (step, total) != (run.step, run.total_steps):
        run.step, run.total_steps = step, total
        run.save(update_fields=["step", "total_steps"])


def keep_finding(run: Run, event: dict[str, Any]) -> None:
    """One row per code: a finding that grows replaces its earlier text."""
    Diagnosis.objects.update_or_create(
        run=run,
        code=event["code"][:40],
        defaults={
            "severity": event["severity"],
            "title": event["title"][:200],
            "detail": event.get("detail") or "",
            "next_step": (event.get("next_step") or "")[:300],
            "from_step": event.get("from_step"),
            "to_step": event.get("to_step"),
        },
    )


def keep_samples(run: Run, event: dict[str, Any]) -> None:
    """Predictions for a few rows at one step; a repeated step replaces them."""
    fields = ("item", "truth", "answer", "confidence")
    RunSample.objects.bulk_create(
        [
            RunSample(
                run=run,
                step=int(event["step"]),
                place=place,
                item=each["id"][:64],
                truth=each["truth"],
                answer=short(each["answer"]),
                confidence=each["confidence"],
            )
            for place, each in enumerate(event["rows"])
        ],
        update_conflicts=True,
        unique_fields=["run", "step", "place"],
        update_fields=fields,
    )


def short(answer: Any) -> Any:
    """A prediction as stored: for generated text the first characters, without NUL, which PostgreSQL doesn't
    accept.
    """
    return answer[:SAMPLE_LENGTH].replace("\0", "\ufffd") if isinstance(answer, str) else answer


def log_line(run: Run, event: dict[str, Any]) -> RunLog | None:
    """The log line of an event, or None if people don't see it."""
    text = event.get("message") or (
        f"Checkpoint at step {event['step']}." if event["kind"] == "checkpoint" else ""
    )
    return (
        RunLog(run=run, seq=event["seq"], at=datetime.fromisoformat(event["at"]), text=text[:500])
        if text
        else None
    )


@transaction.atomic
def succeed(run_id: UUID, result: dict[str, Any], artifact: Folder) -> Run:
    """Record success with the artifact; if training diverged, that of the best step.

    Rooms above are notified in the same transaction; for a running sweep, of its best trial at the end.

    Raises Conflict if it has ended.
    """
    run = locked(run_id)
    move(
        run,
        RunState.SUCCEEDED,
        result=result,
        metrics=result["metrics"],
        best_step=result["best_step"],
        artifact=artifact,
        step=result.get("last_step") or run.step,
        finished_at=timezone.now(),
        error=result.get("error"),
    )
    early = {"code": run.error["code"]} if run.error else {}
    forgotten = {"forgetting": digest_of(plain(result["forgetting"]))} if result.get("forgetting") else {}
    record(
        None,
        Verb.RUN_ENDED,
        run,
        project=run.project.uuid,
        state=run.state,
        artifact=artifact.root_digest,
        spec_digest=run.spec_digest,
        best_step=run.best_step,
        metrics=run.metrics,
        **early,
        **forgotten,
    )
    if run.sweep is None or run.sweep.state != SweepState.RUNNING:
        ports.succeeded(run)
    return run


@transaction.atomic
def prune(run_id: UUID, reason: str, result: dict[str, Any] | None = None) -> Run:
    """The sweep gives up the run. reason: a sentence. It can't be resumed. No effect on a run that has
    ended.
    """
    run = locked(run_id)
    if run.state in rules.FINISHED:
        return run
    error = {"code": "pruned", "message": reason, "next_step": ""}
    move(run, RunState.PRUNED, error=error, finished_at=timezone.now(), result=result or run.result)
    record(None, Verb.RUN_ENDED, run, project=run.project.uuid, state=run.state, step=run.step, reason=reason)
    return run


@transaction.atomic
def stopped(run_id: UUID, result: dict[str, Any] | None = None) -> Run:
    """Record that the run released its worker on request, paused or stopped; its checkpoint is kept for a
    resume.
    """
    run = locked(run_id)
    if run.state in (*rules.FINISHED, RunState.PAUSED):
        return run
    if run.state == RunState.PAUSING:
        move(run, RunState.PAUSED, result=result or run.result)
        return run
    move(run, RunState.STOPPED, finished_at=timezone.now(), result=result or run.result)
    record(None, Verb.RUN_ENDED, run, project=run.project.uuid, state=run.state, step=run.step)
    return run


@transaction.atomic
def fail(run_id: UUID, code: str, message: str, next_step: str, result: dict[str, Any] | None = None) -> Run:
    """Record that the run failed. message, next_step: sentences for people. result: from the engine, if any.
    No effect on a run that has ended.
    """
    run = locked(run_id)
    if run.state in rules.FINISHED:
        return run
    if not message:
        raise Refused("A failure needs a message.")
    error = {"code": code, "message": message, "next_step": next_step}
    move(run, RunState.FAILED, error=error, finished_at=timezone.now(), result=result or run.result)
    record(None, Verb.RUN_ENDED, run, project=run.project.uuid, state=run.state, code=code, step=run.step)
    return run
