"""The real engine, a tiny model, marked parts of texts: launch, train, evaluate, and suggest spans through the warm process."""

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
from tests.support.marks import marked_snapshot
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
QUICK = {"epochs": 12, "batch_size": 8, "learning_rate": 5e-3, "head_learning_rate": 0.03, "precision": "fp32", "patience": 0}


def test_a_run_learns_marked_parts_is_measured_and_suggests_them(project, mia, tmp_path, warm_engine):
    snapshot = marked_snapshot(project, mia, copies=6)
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))

    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICK)
    jobs = run_ok("training", "evaluation")

    run.refresh_from_db()
    assert [job.kind for job in jobs] == ["training.train", "evaluation.evaluate"]
    assert run.state == Run.State.SUCCEEDED
    assert run.result["best_by"] == "micro_f1"
    assert run.points.filter(name="micro_f1").exists()
    test = evaluations.latest_evaluation(run, "test")
    assert test.report["task"] == "spans"
    assert set(test.report["baselines"]) == {"majority", "dictionary", "frozen_base_logreg"}
    assert test.report["micro_f1"] > test.report["baselines"]["majority"]["micro_f1"] == 0.0
    assert len(evaluations.rows_of(test).ids) == test.rows

    add_items(snapshot.dataset, mia, ["card lost money back please", "my card is late"])
    queue = make_queue(snapshot.dataset, mia)
    model = suggesters.get_model(mia, "run", run.uuid)
    evaluation.suggest(dataset=snapshot.dataset, model=model, actor=mia, queue=queue)
    run_ok("default")

    said = Suggestion.objects.select_related("item").get(source="run", item__text="card lost money back please")
    names = {str(label.stable_id): label.name for label in snapshot.schema.labels.all()}
    marked = [(said.item.text[each["start"] : each["end"]], names[each["label"]]) for each in said.value["spans"]]
    assert {("card", "thing"), ("money back", "wish")} <= set(marked)
    assert said.score == min(each["score"] for each in said.value["spans"])
