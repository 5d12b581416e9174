"""The real engine, a tiny model: a run that was just trained is probed, and nothing that is stored changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from datasets_app.datasets.models import Item
from lifecycle.engine.perturb import PROBES
from lifecycle.evaluation import actions, queries
from lifecycle.evaluation.models import Analysis
from lifecycle.training import actions as training
from tests.support.jobs import run_ok
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_a_trained_run_is_probed_by_its_job(project, mia, tmp_path):
    snapshot = make_snapshot(project, mia)
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    options = {"epochs": 12, "batch_size": 8, "learning_rate": 5e-3, "head_learning_rate": 0.02, "precision": "fp32", "patience": 0}
    run = training.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)
    run_ok("training")
    run.refresh_from_db()
    evaluation = queries.latest_evaluation(run, "test")
    texts = list(Item.objects.order_by("pk").values_list("text", "digest"))

    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.ROBUSTNESS, actor=mia)
    run_ok("training")

    found = Analysis.objects.get()
    assert (found.evaluation, found.created_by) == (evaluation, mia)
    assert list(found.report["probes"]) == list(PROBES)
    assert found.report["clean"]["accuracy"] == pytest.approx(evaluation.report["accuracy"])
    assert found.report["rows"] == found.report["of"] == evaluation.rows
    assert list(Item.objects.order_by("pk").values_list("text", "digest")) == texts
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []
