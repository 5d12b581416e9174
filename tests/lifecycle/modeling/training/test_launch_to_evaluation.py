"""The real engine, a tiny model, the whole way: launch, train in a child, evaluate on both splits."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.actions import measuring
from lifecycle.modeling.training import actions, queries
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import Repeat
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.models import Event
from tests.support.jobs import run_ok
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot

pytestmark = pytest.mark.engine

QUICK = {"epochs": 6, "batch_size": 8, "head_learning_rate": 0.02, "precision": "fp32", "patience": 0}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


def test_a_launched_run_trains_in_a_child_and_is_measured_on_both_splits(project, mia, tiny):
    snapshot = make_snapshot(project, mia)
    base = make_base(project, mia, folder=tiny)

    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICK)
    jobs = run_ok("training", "evaluation")

    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED
    assert [job.kind for job in jobs] == ["training.train", "evaluation.evaluate"]
    assert run.step == run.total_steps > 0
    assert run.best_step in set(run.points.filter(name="macro_f1").values_list("step", flat=True))
    assert {"serving/model.onnx", "head.safetensors", "lifecycle.json"} <= {file["name"] for file in run.artifact.files}
    assert {e.split for e in evaluations.of_run(run)} == {"test", "validation"}
    test = evaluations.latest_evaluation(run, "test")
    assert test.rows == snapshot.counts["splits"]["test"]
    assert set(test.report["baselines"]) == {"majority", "tfidf_logreg", "frozen_base_logreg"}
    assert len(evaluations.rows_of(test).ids) == test.rows
    verbs = list(Event.objects.filter(object_id=str(run.uuid)).order_by("seq").values_list("verb", flat=True))
    assert verbs == ["training.launched", "training.ended"]
    assert Event.objects.filter(verb="evaluation.recorded").count() == 2
    kept = {path.name for path in (Path(settings.DATA_DIR) / "runs" / str(run.uuid)).iterdir()}
    assert kept == {"spec.json", "events.jsonl", "result.json"}
    assert not list((Path(settings.DATA_DIR) / "scratch").iterdir())
    assert Job.objects.exclude(state="succeeded").count() == 0


def test_a_run_that_is_run_again_ends_with_the_same_weights(project, mia, tiny):
    snapshot, base = make_snapshot(project, mia), make_base(project, mia, folder=tiny)
    first = actions.launch(snapshot=snapshot, base=base, strategy="fast_lora", actor=mia, options=QUICK | {"epochs": 2})
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
    assert [each["baselines"]["majority"]["accuracy"] == 0.123 for each in reports] == [False, True]  # not fitted again from the same rows
    assert set(reports[0]["baselines"]) == {"majority", "tfidf_logreg", "frozen_base_logreg"}
    assert queries.repeat_of(again) == Repeat((), ())
    assert queries.cost_of(again)["cpu_seconds"] > 0
