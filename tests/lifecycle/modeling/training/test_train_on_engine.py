"""Continuing from a run with the real engine and a tiny model, on other data, with measured forgetting."""

from __future__ import annotations

import pytest

from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from tests.lifecycle.modeling.training.test_train_on import OTHERS, SHARES
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze
from tests.support.tiny_models import make_tiny_base
from tests.support.training import labeled_dataset, make_base, make_snapshot

pytestmark = pytest.mark.engine
QUICK = {"epochs": 6, "batch_size": 8, "precision": "fp32", "patience": 0}


def test_a_run_continues_from_another_model_and_reports_forgetting(project, mia, tmp_path, client_for):
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    first = actions.launch(
        snapshot=make_snapshot(project, mia),
        base=base,
        strategy="lora",
        actor=mia,
        options=QUICK | {"head_learning_rate": 0.02},
    )
    run_ok()
    first.refresh_from_db()

    merged = actions.add_run_base(run=first, actor=mia)
    run_ok("default")
    merged.refresh_from_db()
    second = freeze(labeled_dataset(project, mia, texts=OTHERS, name="second", copies=6), mia, shares=SHARES)
    run = actions.launch(
        snapshot=second, base=merged, strategy="full", actor=mia, options=QUICK | {"rehearsal": 0.4}
    )
    run_ok()

    run.refresh_from_db()
    assert (run.state, run.error) == (Run.State.SUCCEEDED, None)
    assert merged.facts["parameters"] == base.facts["parameters"] - pooler(base)  # unused by the head
    assert run.result["rehearsed"] == round(second.counts["splits"]["train"] * 2 / 3)
    found = run.result["forgetting"]
    assert found["labels"] == 2
    assert set(found["per_class"]) <= {"card", "login"}
    assert set(found["metrics"]) == {"macro_f1", "accuracy"}
    assert "Forgetting" in client_for(mia).get(f"/runs/{run.uuid}/").content.decode()
    logged = list(run.log.values_list("text", flat=True))
    assert "The head reuses 2 of 3 outputs of Run 1." in logged


def pooler(base) -> int:
    """The parameter count of the pooler, which a merged encoder lacks."""
    return base.facts["hidden_size"] ** 2 + base.facts["hidden_size"]
