"""The real engine, a tiny decoder, prompts and completions: launch, train, evaluate, and read about it on the pages."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings

from datasets_app.snapshots import queries as snapshots
from lifecycle.compute.child import run_child
from lifecycle.evaluation import actions as analysing
from lifecycle.evaluation import queries as evaluations
from lifecycle.evaluation.models import Analysis
from lifecycle.jobs import actions as jobs
from lifecycle.training import actions
from lifecycle.training.models import Run
from tests.support.jobs import run_jobs, run_ok
from tests.support.written import make_decoder, written_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
QUICK = {"epochs": 15, "batch_size": 8, "learning_rate": 2e-2, "precision": "fp32", "patience": 0, "max_new_tokens": 12, "threads": 1}


def test_a_run_learns_to_answer_is_measured_beside_baselines_and_read_about(project, mia, tmp_path, client_for):
    snapshot = written_snapshot(project, mia)
    base = make_decoder(project, mia, tmp_path)

    run = actions.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=QUICK)
    ended = run_ok("training", "evaluation")

    run.refresh_from_db()
    assert [job.kind for job in ended] == ["training.train", "evaluation.evaluate"]
    assert run.state == Run.State.SUCCEEDED
    assert set(run.metrics) == {"validation_loss", "perplexity"}
    points = run.points.filter(name="validation_loss").order_by("value", "step")
    assert points.first().step == run.best_step
    assert run.metrics["validation_loss"] == pytest.approx(points.first().value, rel=1e-4)
    assert run.samples.filter(step=run.step).count() == 4
    test = evaluations.latest_evaluation(run, "test")
    assert test.report["task"] == "generation"
    assert set(test.report["baselines"]) == {"prompted_base", "nearest", "frequent"}
    assert test.report["perplexity"] < test.report["baselines"]["prompted_base"]["perplexity"]
    assert test.report["with_context"] == sum(bool(row.get("context")) for row in rows_of(snapshot, "test"))
    assert len(evaluations.rows_of(test)) == snapshot.counts["splits"]["test"]

    client = client_for(mia)
    page = client.get(f"/runs/{run.uuid}/").content.decode()
    assert "Sample predictions" in page
    assert "Perplexity, best" in page
    for path in ("", "answers/", "answers/?sort=loss&best=1&low=0.1"):
        answer = client.get(f"/evaluations/{test.uuid}/{path}")
        assert answer.status_code == 200
        assert "Base before fine-tuning" in answer.content.decode()
    (group,) = client.get(f"/api/v1/evaluations/{test.uuid}/groups/?column=fact:file").json()["groups"]
    assert group["rows"] == test.rows
    for path in ("threshold/", "items/", "clusters/"):
        refused = client.get(f"/evaluations/{test.uuid}/{path}")
        assert 400 <= refused.status_code < 500, path
        assert "This is a generation model" in refused.content.decode()


@pytest.fixture
def measured(project, mia):
    """How a decoder that has learnt a little answers its test rows."""
    with TemporaryDirectory() as scratch:
        base = make_decoder(project, mia, Path(scratch))
    run = actions.launch(snapshot=written_snapshot(project, mia), base=base, strategy="lora", actor=mia, options=QUICK)
    run_ok("training", "evaluation")
    return evaluations.latest_evaluation(run, "test")


def test_the_words_of_a_prompt_are_found_in_a_process_of_its_own(measured, mia, client_for):
    said = evaluations.rows_of(measured)
    item = next(item for item, each in zip(said.ids, said.answers, strict=True) if each)
    text = next(row["text"] for row in rows_of(measured.snapshot, "test") if row["id"] == item)

    analysing.analyse(evaluation=measured, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    (job,) = run_ok("training", "evaluation")

    report = evaluations.analysis(measured, Analysis.Kind.WORDS, item).report
    assert [text[each["start"] : each["end"]] for each in report["words"]] == text.split()
    assert (report["unit"], report["taken"], report["found"]) == ("words", len(text.split()), len(text.split()))
    assert report["log_probability"] < 0
    assert (job.done, job.total, job.unit) == (len(text.split()) + 2, len(text.split()) + 2, "prompts")
    page = client_for(mia).get(f"/evaluations/{measured.uuid}/words/?item={item}")
    assert [part.text for turn in page.context["turns"] for part in turn.parts if part.effect is not None] == text.split()
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []


def test_a_job_that_is_cancelled_while_it_asks_keeps_no_words(measured, mia, monkeypatch):
    said = evaluations.rows_of(measured)
    item = next(item for item, each in zip(said.ids, said.answers, strict=True) if each)
    job = analysing.analyse(evaluation=measured, kind=Analysis.Kind.WORDS, actor=mia, item=item)

    def cancelling(ctx, verb, folder, on_events):
        jobs.cancel(job.uuid, mia)
        return run_child(ctx, verb, folder, on_events)

    monkeypatch.setattr("lifecycle.evaluation.child.run_child", cancelling)
    run_jobs("training", "evaluation")

    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not Analysis.objects.exists()
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []


def rows_of(snapshot, split):
    return list(snapshots.learned_rows(snapshot, split))
