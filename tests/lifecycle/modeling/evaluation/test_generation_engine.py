"""Generation with the real engine and a tiny decoder: launch, train, evaluate, and show."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.compute.child import run_child
from lifecycle.ground.jobs import actions as jobs
from lifecycle.modeling.evaluation import actions as analysing
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.training import actions
from tests.support.generation import generation_snapshot, make_decoder
from tests.support.jobs import run_jobs, run_ok

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
QUICK = {
    "epochs": 15,
    "batch_size": 8,
    "learning_rate": 2e-2,
    "precision": "fp32",
    "patience": 0,
    "max_new_tokens": 12,
    "threads": 1,
}


@pytest.fixture
def measured(project, mia):
    """An evaluation on test of a briefly trained decoder."""
    with TemporaryDirectory() as scratch:
        base = make_decoder(project, mia, Path(scratch))
    run = actions.launch(
        snapshot=generation_snapshot(project, mia), base=base, strategy="lora", actor=mia, options=QUICK
    )
    run_ok("training", "evaluation")
    return evaluations.latest_evaluation(run, "test")


def test_prompt_attribution_runs_in_a_separate_process(measured, mia, client_for):
    rows = evaluations.rows_of(measured)
    item = next(item for item, each in zip(rows.ids, rows.answers, strict=True) if each)
    text = next(row["text"] for row in rows_of(measured.snapshot, "test") if row["id"] == item)

    analysing.analyse(evaluation=measured, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    (job,) = run_ok("training", "evaluation")

    report = evaluations.analysis(measured, Analysis.Kind.WORDS, item).report
    assert [text[each["start"] : each["end"]] for each in report["words"]] == text.split()
    assert (report["unit"], report["taken"], report["found"]) == (
        "words",
        len(text.split()),
        len(text.split()),
    )
    assert report["log_probability"] < 0
    assert (job.done, job.total, job.unit) == (len(text.split()) + 2, len(text.split()) + 2, "prompts")
    page = client_for(mia).get(f"/evaluations/{measured.uuid}/attribution/?item={item}")
    assert [
        part.text for turn in page.context["turns"] for part in turn.parts if part.effect is not None
    ] == text.split()
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []


def test_a_cancelled_job_stores_no_words(measured, mia, monkeypatch):
    rows = evaluations.rows_of(measured)
    item = next(item for item, each in zip(rows.ids, rows.answers, strict=True) if each)
    job = analysing.analyse(evaluation=measured, kind=Analysis.Kind.WORDS, actor=mia, item=item)

    def cancelling(ctx, verb, folder, on_events):
        jobs.cancel(job.uuid, mia)
        return run_child(ctx, verb, folder, on_events)

    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", cancelling)
    run_jobs("training", "evaluation")

    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not Analysis.objects.exists()
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []


def rows_of(snapshot, split):
    return list(snapshots.learned_rows(snapshot, split))
