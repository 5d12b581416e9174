"""Robustness tests with the real engine and a tiny model: a trained run is tested, and nothing stored
changes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from datasets_app.datasets.models import Item
from lifecycle.ground.compute.child import run_child
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.training import actions as training
from lifecycle.runtime.engine.flips import read_flips
from lifecycle.runtime.engine.perturb import PROBES
from registry.ground.artifacts import actions as artifacts
from tests.support.generation import generation_snapshot, make_decoder
from tests.support.jobs import run_jobs, run_ok
from tests.support.spans import spans_snapshot
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot, multi_label_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_a_trained_run_is_probed_by_its_job(project, mia, tmp_path):
    snapshot = make_snapshot(project, mia)
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    options = {
        "epochs": 12,
        "batch_size": 8,
        "learning_rate": 5e-3,
        "head_learning_rate": 0.02,
        "precision": "fp32",
        "patience": 0,
    }
    run = training.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)
    run_ok("training", "evaluation")
    run.refresh_from_db()
    evaluation = queries.latest_evaluation(run, "test")
    texts = list(Item.objects.order_by("pk").values_list("text", "digest"))

    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.ROBUSTNESS, actor=mia)
    run_ok("training", "evaluation")

    found = Analysis.objects.get()
    assert (found.evaluation, found.created_by) == (evaluation, mia)
    assert set(found.report["probes"]) == set(PROBES)
    assert found.report["clean"]["accuracy"] == pytest.approx(evaluation.report["accuracy"])
    assert found.report["rows"] == found.report["of"] == evaluation.rows
    assert list(Item.objects.order_by("pk").values_list("text", "digest")) == texts
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []


def test_a_span_run_is_probed_and_its_job_reports_progress(project, mia, tmp_path, client_for):
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    options = {
        "epochs": 12,
        "batch_size": 8,
        "learning_rate": 5e-3,
        "head_learning_rate": 0.02,
        "precision": "fp32",
        "patience": 0,
    }
    run = training.launch(
        snapshot=spans_snapshot(project, mia), base=base, strategy="full", actor=mia, options=options
    )
    run_ok("training", "evaluation")
    run.refresh_from_db()
    evaluation = queries.latest_evaluation(run, "test")

    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.ROBUSTNESS, actor=mia)
    run_ok("training", "evaluation")

    found = Analysis.objects.get()
    assert found.report["scores"] == ["micro_f1", "exact_texts"]
    assert found.report["clean"]["micro_f1"] == pytest.approx(evaluation.report["micro_f1"])
    assert found.report["probes"]["half"]["lost"]["spans"] > 0
    job, rows = Job.objects.get(kind="evaluation.robustness"), 7 * evaluation.rows
    assert (job.done, job.total, job.unit) == (rows, rows, "rows")
    page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/robustness/?probe=half").content.decode()
    lost = found.report["probes"]["half"]["lost"]
    assert re.search(rf"\b{lost['spans']} spans? in\s+{lost['rows']} texts?\b", page)


def test_a_job_cancelled_while_predicting_stores_nothing(project, mia, tmp_path, monkeypatch):
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    run = training.launch(
        snapshot=multi_label_snapshot(project, mia),
        base=base,
        strategy="full",
        actor=mia,
        options={"epochs": 1},
    )
    run_ok("training", "evaluation")
    run.refresh_from_db()
    evaluation = queries.latest_evaluation(run, "test")
    job = actions.analyse(evaluation=evaluation, kind=Analysis.Kind.ROBUSTNESS, actor=mia)
    seen = []

    def cancelling(ctx, verb, folder, on_events):
        def on(events):
            on_events(events)
            if not seen and any(event["kind"] == "progress" for event in events):
                jobs.cancel(job.uuid, mia)
            seen.extend(events)

        return run_child(ctx, verb, folder, on)

    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", cancelling)
    run_jobs("training", "evaluation")

    job.refresh_from_db()
    assert (job.state, job.unit) == ("cancelled", "rows")
    assert 0 < job.done <= job.total == 7 * evaluation.rows
    assert not Analysis.objects.exists()
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []


def test_a_generation_run_is_probed_by_its_prompts(project, mia, tmp_path, client_for):
    options = {
        "epochs": 30,
        "batch_size": 8,
        "learning_rate": 2e-2,
        "precision": "fp32",
        "patience": 0,
        "max_new_tokens": 8,
    }
    base = make_decoder(project, mia, tmp_path)
    run = training.launch(
        snapshot=generation_snapshot(project, mia), base=base, strategy="full", actor=mia, options=options
    )
    run_ok("training", "evaluation")
    run.refresh_from_db()
    evaluation = queries.latest_evaluation(run, "test")

    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.ROBUSTNESS, actor=mia)
    run_ok("training", "evaluation")

    found = Analysis.objects.get()
    assert found.report["clean"]["rouge_l"] == pytest.approx(evaluation.report["rouge_l"])
    probe = max(PROBES, key=lambda name: found.report["probes"][name]["flipped"]["count"])
    with artifacts.local_copy(found.rows.digest) as path:
        flips = read_flips(path, probe)
    stored = queries.rows_of(evaluation)
    assert flips
    assert all(flip.clean == stored.answers[stored.ids.index(flip.id)] for flip in flips)
    page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/robustness/?probe={probe}").content.decode()
    assert flips[0].predicted[:50] in page
