"""What happens to a run after its launch. People stop and resume it; its job writes the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.jobs import actions as jobs
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.training import ports, rules
from lifecycle.training.actions.launch import check_base, queue_job, queue_next_trial
from lifecycle.training.models import Diagnosis, MetricPoint, Run, RunLog
from lifecycle.training.rules import RunState
from registry.access.models import User
from registry.access.policy import require
from registry.artifacts.models import Folder
from registry.ledger.actions import record
from registry.ledger.verbs import Verb


def locked(run_id: UUID) -> Run:
    """The run, locked until the caller's transaction ends."""
    related = ("project", "job", "base", "snapshot", "sweep__project", "sweep__launched_by")
    return Run.objects.select_for_update(of=("self",), no_key=True).select_related(*related).get(uuid=run_id)


def move(run: Run, state: RunState, **values: Any) -> None:
    """Change a locked run's state and what goes with it; where a trial ends, its sweep goes on. Raises Conflict."""
    rules.check_move(RunState(run.state), state)
    run.state = state
    for name, value in values.items():
        setattr(run, name, value)
    run.save(update_fields=["state", *values])
    if run.sweep is not None and state in rules.FINISHED:
        queue_next_trial(run.sweep, after=run.trial or 0)


@transaction.atomic
def stop(*, run_id: UUID, actor: User) -> Run:
    """Have a run stop at its next step, with a checkpoint; a waiting one stops at once. Asking twice is asking once.

    Raises PermissionDenied or Conflict (it has ended).
    """
    Job.objects.select_for_update(no_key=True).filter(
        pk__in=Run.objects.filter(uuid=run_id).values("job")
    ).first()  # a job before its run, always
    run = locked(run_id)
    require(actor, "training.stop", run)
    if run.state == RunState.STOPPING:
        return run
    rules.check_move(RunState(run.state), RunState.STOPPED)
    if run.state == RunState.TRAINING:
        move(run, RunState.STOPPING)
    record(actor, Verb.RUN_STOPPED, run, project=run.project.uuid, step=run.step)
    if run.job is not None and not run.job.is_finished:
        jobs.cancel(run.job.uuid, actor)
    elif run.state in (RunState.QUEUED, RunState.STOPPING):
        move(run, RunState.STOPPED, finished_at=timezone.now())
    run.refresh_from_db()
    return run


@transaction.atomic
def resume(*, run_id: UUID, actor: User) -> Run:
    """Queue a stopped or failed run again; it goes on from its last checkpoint, to the same weights as if nothing had happened.

    Raises PermissionDenied, Conflict (neither stopped nor failed) or NotReady (the base model's files are gone).
    """
    run = locked(run_id)
    require(actor, "training.launch", run)
    check_base(run.base, run.project)
    old = run.state
    move(run, RunState.QUEUED, error=None, finished_at=None, result={})
    queue_job(run, actor)
    record(actor, Verb.RUN_RESUMED, run, project=run.project.uuid, step=run.step, was=old)
    return run


# ── Written by the run's job ────────────────────────────────────────────────
@transaction.atomic
def begin(run_id: UUID) -> Run:
    """The run's job has it in hand; again after a crash, where it is in training already. Raises Conflict when it has ended."""
    run = locked(run_id)
    if run.state not in (RunState.TRAINING, RunState.STOPPING):
        move(run, RunState.TRAINING, started_at=run.started_at or timezone.now())
    return run


def record_events(run: Run, events: Sequence[dict[str, Any]]) -> None:
    """Keep what the engine wrote. Safe twice: a step's last value, a finding's last state and each log line count once."""
    values: dict[tuple[str, int], float] = {}
    step, total = run.step, run.total_steps
    for event in events:
        if event["kind"] == "metric":
            step, total = int(event["step"]), int(event["total_steps"])
            values |= {(name, step): float(value) for name, value in event["values"].items() if value is not None}
        elif event["kind"] == "finding":
            keep_finding(run, event)
    MetricPoint.objects.bulk_create(
        [MetricPoint(run=run, name=name[:40], step=at, value=value) for (name, at), value in values.items()],
        update_conflicts=True, unique_fields=["run", "name", "step"], update_fields=["value"],
    )  # fmt: skip
    RunLog.objects.bulk_create([line for event in events if (line := log_line(run, event))], ignore_conflicts=True)
    if (step, total) != (run.step, run.total_steps):
        run.step, run.total_steps = step, total
        run.save(update_fields=["step", "total_steps"])


def keep_finding(run: Run, event: dict[str, Any]) -> None:
    """One row a code: a finding that grows replaces what it said before."""
    Diagnosis.objects.update_or_create(
        run=run,
        code=event["code"][:40],
        defaults={
            "severity": event["severity"], "title": event["title"][:200], "detail": event.get("detail") or "",
            "next_step": (event.get("next_step") or "")[:300], "from_step": event.get("from_step"), "to_step": event.get("to_step"),
        },
    )  # fmt: skip


def log_line(run: Run, event: dict[str, Any]) -> RunLog | None:
    """What an event says to people, or None where it says nothing."""
    text = event.get("message") or (f"Checkpoint at step {event['step']}." if event["kind"] == "checkpoint" else "")
    return RunLog(run=run, seq=event["seq"], at=datetime.fromisoformat(event["at"]), text=text[:500]) if text else None


@transaction.atomic
def succeed(run_id: UUID, result: dict[str, Any], artifact: Folder) -> Run:
    """The run has its artifact. Rooms above are told in the same transaction; of a sweep's trials they are told the best, at its end.

    Raises Conflict when it has ended.
    """
    run = locked(run_id)
    move(
        run, RunState.SUCCEEDED, result=result, metrics=result["metrics"], best_step=result["best_step"], artifact=artifact,
        step=result.get("last_step") or run.step, finished_at=timezone.now(), error=None,
    )  # fmt: skip
    record(
        None, Verb.RUN_ENDED, run, project=run.project.uuid, state=run.state, artifact=artifact.root_digest, spec_digest=run.spec_digest,
        best_step=run.best_step, metrics=run.metrics,
    )  # fmt: skip
    if run.sweep is None:
        ports.succeeded(run)
    return run


@transaction.atomic
def prune(run_id: UUID, reason: str, result: dict[str, Any] | None = None) -> Run:
    """The run is given up by its sweep. reason: a sentence. It cannot be resumed. A run that has ended stays what it is."""
    run = locked(run_id)
    if run.state in rules.FINISHED:
        return run
    error = {"code": "pruned", "message": reason, "next_step": ""}
    move(run, RunState.PRUNED, error=error, finished_at=timezone.now(), result=result or run.result)
    record(None, Verb.RUN_ENDED, run, project=run.project.uuid, state=run.state, step=run.step, reason=reason)
    return run


@transaction.atomic
def stopped(run_id: UUID, result: dict[str, Any] | None = None) -> Run:
    """The run has stopped because it was asked to; its checkpoint waits for a resume."""
    run = locked(run_id)
    if run.state in rules.FINISHED:
        return run
    move(run, RunState.STOPPED, finished_at=timezone.now(), result=result or run.result)
    record(None, Verb.RUN_ENDED, run, project=run.project.uuid, state=run.state, step=run.step)
    return run


@transaction.atomic
def fail(run_id: UUID, code: str, message: str, next_step: str, result: dict[str, Any] | None = None) -> Run:
    """The run cannot go on. message, next_step: sentences for people. result: the engine's, where it left one. A run that has ended stays
    what it is."""
    run = locked(run_id)
    if run.state in rules.FINISHED:
        return run
    if not message:
        raise Refused("A failure needs a sentence.")
    error = {"code": code, "message": message, "next_step": next_step}
    move(run, RunState.FAILED, error=error, finished_at=timezone.now(), result=result or run.result)
    record(None, Verb.RUN_ENDED, run, project=run.project.uuid, state=run.state, code=code, step=run.step)
    return run
