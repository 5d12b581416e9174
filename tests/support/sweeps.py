"""Sweeps for tests: real rows, and trials that end with a score without training."""

from __future__ import annotations

from typing import Any

from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run, Sweep
from lifecycle.runtime.task_types.by_key.measures import metrics_of
from registry.ground.access.models import User
from tests.support.jobs import run_jobs
from tests.support.training import finish_run, make_base

SPACE = {
    "learning_rate": {"low": 0.0001, "high": 0.01},
    "batch_size": {"choices": [8, 16]},
    "rank": {"choices": [2, 4]},
}


def make_sweep(
    snapshot: Snapshot, user: User, *, trials: int = 3, space: dict[str, Any] | None = None, **given: Any
) -> Sweep:
    """A sweep whose first trial waits for the queue. user: engineer or lead."""
    base = given.pop("base", None) or make_base(snapshot.dataset.project, user)
    return actions.start_sweep(
        snapshot=snapshot,
        base=base,
        strategy="lora",
        space=space or SPACE,
        trials=trials,
        actor=user,
        **given,
    )


def finish_trial(run: Run, score: float) -> Run:
    """Let a launched trial have trained to this score by its task's leading metric, which it also had at both
    of its evaluations.
    """
    run = finish_run(run)
    name = metrics_of(run.task).trained.name
    run.metrics = {name: score} if name == "macro_f1" else {name: score, "macro_f1": 1 - score}
    run.save(update_fields=["metrics"])
    run.points.filter(name="macro_f1").exclude(
        pk__in=run.points.filter(name="macro_f1").order_by("step")[:2]
    ).delete()
    run.points.filter(name="macro_f1").update(name=name, value=score)
    return run


def run_trials(sweep: Sweep, *outcomes: float | str) -> Sweep:
    """Let trials end one after the other: with a score, "pruned" or "failed"."""
    for outcome in outcomes:
        run_jobs("default")
        run = sweep.trials.latest("trial")
        if isinstance(outcome, float):
            finish_trial(run, outcome)
            continue
        actions.begin(run.uuid)
        at = "2026-11-24T12:00:00.000+00:00"
        point = {
            "seq": 0,
            "at": at,
            "kind": "metric",
            "step": 10,
            "total_steps": 60,
            "epoch": 1.0,
            "values": {metrics_of(run.task).trained.name: 0.2},
        }
        actions.record_events(run, [point])
        if outcome == "pruned":
            actions.prune(
                run.uuid,
                "Pruned at evaluation 1: its best macro-F1 so far, 0.200, is below 0.700, the median of 1"
                " trial at that evaluation.",
            )
        else:
            actions.fail(run.uuid, "nan_loss", "The loss is not a number.", "Lower the rate.")
    run_jobs("default")
    sweep.refresh_from_db()
    return sweep
