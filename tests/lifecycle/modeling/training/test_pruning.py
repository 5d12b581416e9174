"""A trial below the median is pruned while it trains: its process exits, no checkpoint is kept, and the
reason is shown.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.training import actions, search, sweep_queries, tasks
from lifecycle.modeling.training.models import MetricPoint, Run
from lifecycle.runtime.refusals import Conflict
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs
from tests.support.sweeps import make_sweep, run_trials
from tests.support.trail import behind_its_back
from tests.support.unchanged import refused

REASON = (
    "Pruned at evaluation 1: its best macro-F1 so far, 0.500, is below 0.800, the median of 2 trials at that"
    " evaluation."
)


@pytest.fixture
def sweep(snapshot, base, mia):
    return run_trials(make_sweep(snapshot, mia, base=base, trials=9, warmup_trials=2), 0.7, 0.9)


@pytest.fixture
def trial(sweep) -> Run:
    return sweep.trials.get(trial=3)


@pytest.fixture
def child(monkeypatch):
    """Replace the engine's process by one that reports these scores and exits when asked to; returns the list
    of its starts.
    """
    starts = []

    def scoring(*values: float, result: Result | None = None, meanwhile=lambda: None):
        def run_child(ctx: JobContext, verb: str, folder: Path, on_events, *, enough, **options) -> Result:
            starts.append(1)
            (folder / "checkpoints" / "checkpoint-10").mkdir(parents=True, exist_ok=True)
            with transaction.atomic():  # like the real one
                on_events([event(at, value) for at, value in enumerate(values, 1)])
            meanwhile()
            asked = enough() or ctx.cancelled
            return result or Result(
                "cancelled" if asked else "failed",
                "crashed",
                "It ended.",
                "",
                {"status": "cancelled", "last_step": 20},
            )

        monkeypatch.setattr(tasks, "run_child", run_child)
        return starts

    return scoring


def event(at: int, value: float) -> dict:
    values = {"macro_f1": value, "validation_loss": 1.0}
    return {
        "seq": at,
        "at": "2026-11-24T12:00:00+00:00",
        "kind": "metric",
        "step": 10 * at,
        "total_steps": 60,
        "epoch": 1.0,
        "values": values,
    }


def folder_of(run: Run) -> Path:
    return Path(settings.DATA_DIR) / "runs" / str(run.uuid)


def test_as_many_evaluations_of_other_trials_are_read_as_the_trial_has(sweep, trial, monkeypatch):
    first, second = sweep.trials.filter(trial__lt=3).order_by("trial")
    put_scores(first, 0.7, 0.6, 0.95, 0.9, 0.9)
    put_scores(second, 0.9, 0.8)
    put_scores(trial, 0.85, 0.6, 0.5)
    asked = []
    pure = search.find_cut
    monkeypatch.setattr(
        search,
        "find_cut",
        lambda own, others, **named: asked.append((own, others)) or pure(own, others, **named),
    )

    cut = sweep_queries.find_cut(trial)

    assert [(own, [each.evaluations for each in others]) for own, others in asked] == [
        ((0.85, 0.6, 0.5), [(0.7, 0.6, 0.95), (0.9, 0.8)])
    ]
    whole = sweep_queries.ended_trials(sweep, [first, second])
    assert [each.evaluations for each in whole] == [(0.7, 0.6, 0.95, 0.9, 0.9), (0.9, 0.8)]
    assert cut == pure((0.85, 0.6, 0.5), whole, warmup=2) == search.Cut(3, 0.85, 0.95, 1)


def put_scores(run: Run, *values: float) -> None:
    """Replace the evaluations of a run; each run has them at different steps."""
    run.points.filter(name="macro_f1").delete()
    MetricPoint.objects.bulk_create(
        MetricPoint(run=run, name="macro_f1", step=(10 + (run.trial or 0)) * at, value=value)
        for at, value in enumerate(values, 1)
    )


def test_a_trial_below_the_median_ends_without_a_checkpoint_and_the_next_starts(trial, child):
    child(0.5, 0.9)

    (job,) = run_jobs("training")

    trial.refresh_from_db()
    assert (job.state, trial.state, trial.step, trial.result["last_step"]) == ("succeeded", "pruned", 20, 20)
    assert trial.error == {"code": "pruned", "message": REASON, "next_step": ""}
    assert not (folder_of(trial) / "checkpoints").exists()
    assert not (folder_of(trial) / "train.jsonl").exists()
    payload = json.loads(Event.objects.get(object_id=str(trial.uuid), verb="training.ended").canonical)[
        "payload"
    ]
    assert (payload["state"], payload["reason"]) == ("pruned", REASON)
    assert not Event.objects.filter(verb__in=["training.stopped", "jobs.cancelled"]).exists()
    run_jobs("default")
    assert trial.sweep.trials.latest("trial").trial == 4


@pytest.mark.postgres
def test_a_trial_at_the_median_continues(trial, child):
    child(0.8, 0.8)

    run_jobs("training")

    trial.refresh_from_db()
    assert (trial.state, trial.error["code"]) == ("failed", "crashed")


def test_without_pruning_every_trial_continues(trial, child):
    behind_its_back("UPDATE training_sweep SET prunes = %s", False)
    child(0.1, 0.1)

    run_jobs("training")

    trial.refresh_from_db()
    assert trial.state == "failed"


@pytest.mark.postgres
def test_a_worker_lost_after_the_decision_does_not_train_it_again(trial, child):
    starts = child(0.5)
    actions.begin(trial.uuid)
    actions.record_events(trial, [event(1, 0.5)])
    lost = jobs.claim("training")
    Job.objects.filter(pk=lost.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.reap()

    run_jobs("training")

    trial.refresh_from_db()
    assert (trial.state, trial.error["message"], starts) == ("pruned", REASON, [])


def test_a_process_that_finished_before_it_was_pruned_keeps_its_model(trial, child):
    def laid_out() -> None:
        (folder_of(trial) / "artifact").mkdir(parents=True)
        (folder_of(trial) / "artifact" / "head.safetensors").write_bytes(b"weights")

    child(
        0.5,
        result=Result("succeeded", data={"metrics": {"macro_f1": 0.5}, "best_step": 10}),
        meanwhile=laid_out,
    )
    run_jobs("training")

    trial.refresh_from_db()
    assert (trial.state, trial.metrics) == ("succeeded", {"macro_f1": 0.5})


def test_a_person_who_stops_it_at_the_same_moment_keeps_its_checkpoint(trial, child, mia):
    child(0.5, meanwhile=lambda: actions.stop(run_id=trial.uuid, actor=mia))

    run_jobs("training")

    trial.refresh_from_db()
    assert trial.state == "stopped"
    assert (folder_of(trial) / "checkpoints" / "checkpoint-10").exists()


def test_a_pruned_trial_is_not_resumed(trial, child, mia):
    child(0.5)
    run_jobs("training")

    with refused(
        by=Conflict,
        naming=(
            "pruned",
            "queued",
        ),
    ):
        actions.resume(run_id=trial.uuid, actor=mia)

    trial.refresh_from_db()
    assert trial.state == "pruned"
