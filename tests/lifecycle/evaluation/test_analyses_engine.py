"""The real engine, a tiny model: what is computed of an evaluation through the warm process."""

from __future__ import annotations

import pytest

from lifecycle.evaluation import actions, queries, rules
from lifecycle.evaluation.models import Analysis
from lifecycle.training import actions as training
from tests.support.jobs import run_ok
from tests.support.tiny_models import make_tiny_base
from tests.support.training import make_base, make_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def measured(project, mia, tmp_path):
    """How a tiny model that has hardly learnt answers on its test rows."""
    snapshot = make_snapshot(project, mia, copies=8, shares={"train": 40, "validation": 20, "test": 40})
    base = make_base(project, mia, folder=make_tiny_base(tmp_path / "base"))
    options = {"epochs": 1, "batch_size": 32, "learning_rate": 1e-6, "head_learning_rate": 1e-6, "precision": "fp32"}
    run = training.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)
    run_ok("training")
    return queries.latest_evaluation(run, "test")


def test_the_errors_of_a_trained_run_are_grouped(measured, mia, warm_engine):
    actions.analyse(evaluation=measured, kind=Analysis.Kind.CLUSTERS, actor=mia)
    run_ok("default")

    report = queries.analysis(measured, Analysis.Kind.CLUSTERS).report
    assert report["taken"] == report["errors"] >= 20
    assert sum(len(group["items"]) for group in report["groups"]) == report["taken"]


def test_the_words_of_an_item_are_found(measured, mia, warm_engine):
    item = queries.predictions_of(measured).ids[0]

    actions.analyse(evaluation=measured, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    run_ok("default")

    report = queries.analysis(measured, Analysis.Kind.WORDS, item).report
    assert (report["answer"],) == queries.answer_to(measured, item).predicted
    assert len(report["words"]) == report["found"] == len(queries.items_by_digest(measured, [item])[item].text.split())


def test_an_untrained_model_tells_no_row(measured, mia, warm_engine):
    actions.analyse(evaluation=measured, kind=Analysis.Kind.MEMBERSHIP, actor=mia)
    run_ok("default")

    report = queries.analysis(measured, Analysis.Kind.MEMBERSHIP).report
    assert report["low"] < 0.5 < report["high"]
    assert rules.leak(report).kind == "ok"
