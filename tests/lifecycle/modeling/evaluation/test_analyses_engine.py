"""Analyses of an evaluation with the real engine and a tiny model, in the warm process or a child process."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from django.conf import settings

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.compute.child import run_child
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries, rules
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.task_types.by_key.rows import rows_for
from lifecycle.modeling.evaluation.task_types.single_label.rows import ENTRY as LABELS
from lifecycle.modeling.training import actions as training
from tests.support.generation import chat_snapshot, generation_snapshot, make_decoder
from tests.support.jobs import run_jobs, run_ok
from tests.support.ranking import ranking_snapshot
from tests.support.spans import spans_snapshot
from tests.support.training import make_real_base, make_snapshot, multi_label_snapshot

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def measured(project, mia):
    """An evaluation on test of a tiny, barely trained model."""
    snapshot = make_snapshot(project, mia, copies=8, shares={"train": 40, "validation": 20, "test": 40})
    base = make_real_base(project, mia)
    options = {
        "epochs": 1,
        "batch_size": 32,
        "learning_rate": 1e-6,
        "head_learning_rate": 1e-6,
        "precision": "fp32",
    }
    run = training.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)
    run_ok("training", "evaluation")
    return queries.latest_evaluation(run, "test")


def test_the_errors_of_a_trained_run_are_grouped(measured, mia, warm_engine):
    actions.analyse(evaluation=measured, kind=Analysis.Kind.CLUSTERS, actor=mia)
    run_ok("default")

    report = queries.analysis(measured, Analysis.Kind.CLUSTERS).report
    assert report["taken"] == report["errors"] >= 20
    assert sum(len(group["items"]) for group in report["groups"]) == report["taken"]


def test_the_words_of_an_item_are_found(measured, mia, warm_engine):
    item = queries.rows_of(measured).ids[0]

    actions.analyse(evaluation=measured, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    run_ok("default")

    report = queries.analysis(measured, Analysis.Kind.WORDS, item).report
    assert (report["answer"],) == LABELS.one(measured, item).predicted
    assert (
        len(report["words"])
        == report["found"]
        == len(queries.items_by_digest(measured, [item])[item].text.split())
    )


def test_the_words_of_responses_in_order_are_found(project, mia, warm_engine):
    base = make_real_base(project, mia)
    options = {
        "epochs": 4,
        "batch_size": 8,
        "learning_rate": 5e-3,
        "head_learning_rate": 0.02,
        "precision": "fp32",
        "patience": 0,
    }
    run = training.launch(
        snapshot=ranking_snapshot(project, mia, "ranking"),
        base=base,
        strategy="full",
        actor=mia,
        options=options,
    )
    run_ok("training", "evaluation")
    evaluation = queries.latest_evaluation(run, "test")
    item = queries.rows_of(evaluation).ids[0]

    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    run_ok("default")

    report = queries.analysis(evaluation, Analysis.Kind.WORDS, item).report["responses"]
    strengths = rows_for(evaluation).one(evaluation, item).strengths
    order = sorted(range(3), key=lambda at: -strengths[at])
    assert [each["answer"] for each in report] == order
    assert report[0]["log_odds"] == pytest.approx(strengths[order[0]] - strengths[order[1]], abs=1e-4)
    assert report[2]["log_odds"] == pytest.approx(strengths[order[2]] - strengths[order[0]], abs=1e-4)
    row = snapshots.learned_rows_of(evaluation.snapshot, [item])[item]
    assert [len(each["prompt"]) + len(each["words"]) for each in report] == [
        len(row["text"].split()) + len(row["responses"][at].split()) for at in order
    ]


def test_an_untrained_model_leaks_nothing_but_few_rows_rule_out_no_leak(measured, mia):
    actions.analyse(evaluation=measured, kind=Analysis.Kind.MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    report = queries.analysis(measured, Analysis.Kind.MEMBERSHIP).report
    assert report["low"] < 0.5 < report["high"]
    assert "neither shown nor ruled out" in rules.leak(report).fact


SHARES = {"train": 45, "validation": 10, "test": 45}
ENCODED = {
    "multi_label": lambda *people: multi_label_snapshot(*people, copies=7, shares=SHARES),
    "spans": lambda *people: spans_snapshot(*people, copies=10, shares=SHARES),
    "preference": lambda *people: ranking_snapshot(*people, rows=130, shares=SHARES),
}


def trained(project, mia, task):
    """An evaluation on test of a tiny, briefly trained model of a task."""
    if task in ENCODED:
        snapshot, base, options = (
            ENCODED[task](project, mia),
            make_real_base(project, mia),
            {"head_learning_rate": 1e-3},
        )
    else:
        make_texts = chat_snapshot if task == "chat" else generation_snapshot
        snapshot, options = make_texts(project, mia, copies=15, shares=SHARES), {"max_new_tokens": 4}
        with TemporaryDirectory() as scratch:
            base = make_decoder(project, mia, Path(scratch))
    options |= {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32", "threads": 1}
    run = training.launch(snapshot=snapshot, base=base, strategy="full", actor=mia, options=options)
    run_ok("training", "evaluation")
    return queries.latest_evaluation(run, "test")


@pytest.fixture
def several(project, mia):
    return trained(project, mia, "multi_label")


@pytest.fixture
def marked(project, mia):
    return trained(project, mia, "spans")


@pytest.mark.parametrize("task", ["preference", "generation", "chat"])
def test_membership_inference_runs_for_every_task_and_reports_progress(task, project, mia, client_for):
    attack(trained(project, mia, task), mia, client_for)


def test_membership_inference_runs_for_multi_label(several, mia, client_for):
    attack(several, mia, client_for)


def test_membership_inference_runs_for_spans(marked, mia, client_for):
    attack(marked, mia, client_for)


def attack(evaluation, mia, client_for):
    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    report, job = (
        queries.analysis(evaluation, Analysis.Kind.MEMBERSHIP).report,
        Job.objects.get(kind="evaluation.membership"),
    )
    assert report["members"] == report["others"] >= 50
    assert report["mean_losses"]["others"] == pytest.approx(
        np.mean(list(queries.losses_of(evaluation).values())), rel=0.1
    )
    # it is barely trained
    assert report["mean_losses"]["members"] == pytest.approx(report["mean_losses"]["others"], rel=0.5)
    assert report["low"] < 0.5 + 0.1
    assert (job.unit, job.total) == ("rows", report["members"])
    assert (
        rules.leak(report).fact
        in client_for(mia).get(f"/evaluations/{evaluation.uuid}/membership/").content.decode()
    )


def test_multi_label_errors_are_grouped(several, mia, warm_engine, client_for):
    group(several, mia, client_for)


def test_span_errors_are_grouped(marked, mia, warm_engine, client_for):
    group(marked, mia, client_for)


def group(evaluation, mia, client_for):
    actions.analyse(evaluation=evaluation, kind=Analysis.Kind.CLUSTERS, actor=mia)
    run_ok("default")

    report = queries.analysis(evaluation, Analysis.Kind.CLUSTERS).report
    assert report["taken"] == report["errors"] == evaluation.report["wrong_rows"] >= 20
    assert sum(len(group["items"]) for group in report["groups"]) == report["taken"]
    assert {group["kind"] for group in report["groups"]} <= {"missed", "invented", "class", "boundary"}
    page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/clusters/")
    assert [len(group.lines) for group in page.context["groups"]] == [
        min(3, len(group["items"])) for group in report["groups"]
    ]


def test_a_cancelled_attack_stores_nothing(several, mia, monkeypatch):
    seen = []
    job = actions.analyse(evaluation=several, kind=Analysis.Kind.MEMBERSHIP, actor=mia)

    def cancelling(ctx, verb, folder, on_events):
        def on(events):
            on_events(events)
            if not seen:
                jobs.cancel(job.uuid, mia)
            seen.extend(events)

        return run_child(ctx, verb, folder, on)

    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", cancelling)
    run_jobs("training", "evaluation")

    job.refresh_from_db()
    assert job.state == "cancelled"
    assert [event["name"] for event in seen if event["kind"] == "stage"] == ["losses"]
    assert not Analysis.objects.exists()
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []
