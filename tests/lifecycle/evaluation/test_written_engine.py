"""The real engine, a tiny decoder, prompts and completions: launch, train, evaluate, and read about it on the pages."""

from __future__ import annotations

import pytest

from lifecycle.evaluation import queries as evaluations
from lifecycle.training import actions
from lifecycle.training.models import Run
from tests.support.jobs import run_ok
from tests.support.written import make_decoder, written_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
QUICK = {"epochs": 15, "batch_size": 8, "learning_rate": 2e-2, "precision": "fp32", "patience": 0, "max_new_tokens": 12, "threads": 1}


def test_a_run_learns_to_answer_is_measured_beside_baselines_and_read_about(project, mia, tmp_path, client_for):
    snapshot = written_snapshot(project, mia)
    base = make_decoder(project, mia, tmp_path)

    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICK)
    jobs = run_ok("training")

    run.refresh_from_db()
    assert [job.kind for job in jobs] == ["training.train", "evaluation.evaluate", "evaluation.evaluate"]
    assert run.state == Run.State.SUCCEEDED
    assert set(run.metrics) == {"validation_loss", "perplexity"}
    points = run.points.filter(name="validation_loss").order_by("value", "step")
    assert points.first().step == run.best_step
    assert run.metrics["validation_loss"] == pytest.approx(points.first().value, rel=1e-4)
    assert run.samples.filter(step=run.step).count() == 4
    test = evaluations.latest_evaluation(run, "test")
    assert test.report["task"] == "free_text"
    assert set(test.report["baselines"]) == {"prompted_base", "nearest", "frequent"}
    assert test.report["perplexity"] < test.report["baselines"]["prompted_base"]["perplexity"]
    assert test.report["with_context"] == sum(bool(row.get("context")) for row in rows_of(snapshot, "test"))
    assert len(evaluations.texts_of(test)) == snapshot.counts["splits"]["test"]

    client = client_for(mia)
    page = client.get(f"/runs/{run.uuid}/").content.decode()
    assert "Sample predictions" in page
    assert "Perplexity, best" in page
    for path in ("", "answers/", "answers/?sort=loss&best=1&low=0.1"):
        answer = client.get(f"/evaluations/{test.uuid}/{path}")
        assert answer.status_code == 200
        assert "Untrained base" in answer.content.decode()
    (group,) = client.get(f"/api/v1/evaluations/{test.uuid}/groups/?column=fact:file").json()["groups"]
    assert group["rows"] == test.rows
    for path in ("threshold/", "items/", "clusters/"):
        refused = client.get(f"/evaluations/{test.uuid}/{path}")
        assert 400 <= refused.status_code < 500, path
        assert "This model writes texts" in refused.content.decode()


def rows_of(snapshot, split):
    from datasets_app.snapshots import queries as snapshots

    return list(snapshots.written_rows(snapshot, split))
