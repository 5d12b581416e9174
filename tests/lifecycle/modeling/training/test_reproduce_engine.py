"""Reproducing a run with the real engine and a tiny model: launch, train in a child, evaluate on both
splits.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.actions import measuring
from lifecycle.modeling.training import actions, queries
from lifecycle.modeling.training.rules import Repeat
from registry.ground.artifacts import actions as artifacts
from tests.support.jobs import run_ok
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot

pytestmark = pytest.mark.engine

QUICK = {"epochs": 6, "batch_size": 8, "head_learning_rate": 0.02, "precision": "fp32", "patience": 0}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


def test_a_reproduced_run_has_the_same_weights(project, mia, tiny):
    snapshot, base = make_snapshot(project, mia), make_base(project, mia, folder=tiny)
    first = actions.launch(
        snapshot=snapshot, base=base, strategy="fast_lora", actor=mia, options=QUICK | {"epochs": 2}
    )
    run_ok("training", "evaluation")
    first.refresh_from_db()
    found = evaluations.latest_evaluation(first, "test")
    known = found.report | {"baselines": {"majority": {"accuracy": 0.123}}}
    with artifacts.local_copy(found.predictions.digest) as path:
        measuring.keep(run=first, split="test", result=known, predictions=path, actor=None)

    again = actions.reproduce(run_id=first.uuid, actor=mia)
    run_ok("training", "evaluation")

    again.refresh_from_db()
    reports = [evaluations.latest_evaluation(again, split).report for split in ("validation", "test")]
    # not fitted again on the same rows
    assert [each["baselines"]["majority"]["accuracy"] == 0.123 for each in reports] == [False, True]
    assert set(reports[0]["baselines"]) == {"majority", "tfidf_logreg", "frozen_base_logreg"}
    assert queries.repeat_of(again) == Repeat((), ())
    assert queries.cost_of(again)["cpu_seconds"] > 0
