"""The real engine, a tiny model, any number of classes a text: launch, train, evaluate, and suggest through the warm process."""

from __future__ import annotations

import pytest

from datasets_app.labeling.models import Suggestion
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation import suggesters
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import Run
from tests.support.jobs import run_ok
from tests.support.labeling import add_items, make_queue
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, several_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
QUICK = {"epochs": 25, "batch_size": 8, "learning_rate": 5e-3, "head_learning_rate": 0.03, "precision": "fp32", "patience": 0}


def test_a_run_learns_several_classes_is_measured_and_suggests_them(project, mia, tmp_path, warm_engine):
    snapshot = several_snapshot(project, mia, copies=6)
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))

    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICK)
    jobs = run_ok("training", "evaluation")

    run.refresh_from_db()
    assert [job.kind for job in jobs] == ["training.train", "evaluation.evaluate"]
    assert run.state == Run.State.SUCCEEDED
    assert {"macro_f1", "micro_f1", "subset_accuracy"} <= set(run.metrics)
    assert run.points.filter(name="micro_f1").exists()
    test = evaluations.latest_evaluation(run, "test")
    assert test.report["task"] == "multi_label"
    assert set(test.report["baselines"]) == {"majority", "tfidf_logreg", "frozen_base_logreg"}
    assert test.report["macro_f1"] > test.report["baselines"]["majority"]["macro_f1"]
    assert evaluations.rows_of(test).thresholds is not None

    add_items(snapshot.dataset, mia, ["my card is lost money back 9", "password reset 9", "good day to you 9"])
    queue = make_queue(snapshot.dataset, mia)
    model = suggesters.get_model(mia, "run", run.uuid)
    evaluation.suggest(dataset=snapshot.dataset, model=model, actor=mia, queue=queue)
    run_ok("default")

    said: dict[str, set[str]] = {}
    for text, label in Suggestion.objects.filter(source="run").values_list("item__text", "label__name"):
        said.setdefault(text, set()).add(label)
    assert said == {"my card is lost money back 9": {"card", "refund"}, "password reset 9": {"login"}}
