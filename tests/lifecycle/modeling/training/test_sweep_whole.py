"""A sweep with the real engine and a tiny model: four trials through the queue; the best is evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.training import sweep_queries
from tests.support.jobs import run_ok
from tests.support.sweeps import make_sweep
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot

pytestmark = pytest.mark.engine

QUICK = {"epochs": 2, "precision": "fp32", "patience": 0, "evaluations_per_epoch": 1}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


def test_a_sweep_trains_its_trials_and_has_the_best_evaluated(project, mia, tiny):
    base = make_base(project, mia, folder=tiny)
    space = {"head_learning_rate": {"choices": [0.02, 0.0]}, "batch_size": {"choices": [4, 8]}}

    sweep = make_sweep(
        make_snapshot(project, mia),
        mia,
        base=base,
        space=space,
        trials=4,
        options=QUICK,
        warmup_trials=1,
        sampler="random",
    )
    run_ok()

    sweep.refresh_from_db()
    trials = list(sweep_queries.trials_of(sweep))
    best = sweep_queries.best_trial(trials)
    assert (sweep.state, sweep.ending["message"]) == ("finished", "4 of 4 trials finished.")
    assert [run.trial for run in trials] == [1, 2, 3, 4]
    assert {tuple(sweep_queries.params_of(sweep, run).values()) for run in trials} == {
        (0.02, 4),
        (0.02, 8),
        (0.0, 4),
        (0.0, 8),
    }
    assert best is not None
    assert best.metrics["macro_f1"] == max(run.metrics.get("macro_f1", 0) for run in trials)
    assert {run.state for run in trials} <= {"succeeded", "pruned"}
    assert {each.split for each in evaluations.of_run(best)} == {"validation", "test"}
    assert not any(evaluations.of_run(run) for run in trials if run != best)
