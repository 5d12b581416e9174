"""Membership inference for models of every task, by the loss of their evaluation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.compute.child import Result
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries, rules
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.generation.rows import TextRows
from lifecycle.runtime.statistics import membership
from registry.ground.ledger.models import Event
from tests.support.generation import chat_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_jobs, run_ok
from tests.support.losses import made_losses
from tests.support.unchanged import refused
from tests.task_types.examples import TRAINED as TASKS

pytestmark = pytest.mark.django_db
MEMBERSHIP = Analysis.Kind.MEMBERSHIP


@pytest.fixture(autouse=True)
def _few_are_enough(monkeypatch):
    monkeypatch.setattr(rules, "LEAST_ROWS", 5)


@pytest.fixture
def before(of_each_task, mia) -> dict[str, int]:
    """Start membership inference from the page of each evaluation. Returns the query count of that page
    before, by task.
    """
    client, before = Client(), {}
    client.force_login(mia)
    client.get("/evaluations/")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rules, "LEAST_ROWS", 5)
        made_losses(patched, lambda row: 0.1)
        for task, uuid in of_each_task.items():
            with CaptureQueriesContext(connection) as statements:
                client.get(f"/evaluations/{uuid}/")
            before[task] = len(statements)
            client.post(f"/evaluations/{uuid}/analyze/", {"kind": "membership"})
        run_ok("training", "evaluation")
    return before


def in_the_report(evaluation) -> float:
    """The mean loss in the report of an evaluation."""
    return evaluation.report["loss" if evaluation.report.get("task") == "generation" else "log_loss"]


@pytest.mark.parametrize("task", TASKS)
def test_stored_losses_are_compared_with_as_many_training_rows(task, measure, mia, monkeypatch):
    evaluation = measure(task)
    asked = made_losses(monkeypatch, lambda row: int(row["id"][:4], 16) / 65_536)
    trained = {row.item for row in snapshots.rows_of(evaluation.run.snapshot, "train")}

    actions.analyse(evaluation=evaluation, kind=MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    report = queries.analysis(evaluation, MEMBERSHIP).report
    others = queries.losses_of(evaluation)
    members = [int(row["id"][:4], 16) / 65_536 for row in asked]
    assert (
        report["members"]
        == report["others"]
        == len(others)
        == len(asked)
        == len({row["id"] for row in asked})
        == evaluation.rows
    )
    assert {row["id"] for row in asked} <= trained
    assert all(row["text"] for row in asked)
    assert report["mean_losses"] == pytest.approx(
        {"members": np.mean(members), "others": np.mean(list(others.values()))}
    )
    wanted = membership.attack(members, list(others.values()))
    assert [report[name] for name in ("auc", "low", "high")] == [
        wanted[name] for name in ("auc", "low", "high")
    ]
    assert (report["duplicates"], [each["rate"] for each in report["rates"]]) == (0, [None, None])
    assert sorted(report) == ["auc", "duplicates", "high", "low", "mean_losses", "members", "others", "rates"]
    assert not (
        Path(settings.DATA_DIR) / "scratch" / str(Job.objects.get(kind="evaluation.membership").uuid)
    ).exists()


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_where_a_row_counts_as_one_the_mean_is_the_log_loss_of_the_report(task, measure):
    evaluation = measure(task)

    assert np.mean(list(queries.losses_of(evaluation).values())) == pytest.approx(
        evaluation.report["log_loss"]
    )


@pytest.mark.parametrize("task", ["spans", "preference", "ranking", "generation", "chat"])
def test_where_a_row_is_a_mean_of_parts_the_parts_give_the_loss_of_the_report(task, measure):
    evaluation = measure(task)
    losses = queries.losses_of(evaluation)
    if task == "spans":
        kept = queries.rows_of(evaluation)
        parts = dict(zip(kept.ids, kept.tokens, strict=True))
    elif task in ("preference", "ranking"):
        kept = queries.rows_of(evaluation)
        parts = dict(zip(kept.ids, kept.scored.pairs, strict=True))
    else:
        kept = queries.rows_of(evaluation)
        parts = dict(zip(kept.ids, kept.scored.tokens, strict=True))

    assert np.average(list(losses.values()), weights=[parts[item] for item in losses]) == pytest.approx(
        in_the_report(evaluation)
    )


@pytest.mark.parametrize("task", TASKS)
def test_the_report_offers_it_in_the_tasks_terms(task, measure, client_for, mia, aida):
    evaluation = measure(task)

    before, others = (
        client_for(person).get(f"/evaluations/{evaluation.uuid}/").content.decode() for person in (mia, aida)
    )

    loss = page_of(evaluation).loss
    most = "1,000" if task in ("generation", "chat") else "10,000"
    assert before.count('id="membership"') == 1
    for page in (before, others):
        assert re.search(rf" {re.escape(loss)}\. [^<]*\b{most}\s+rows\b", page)
    assert 'value="membership"' in before
    assert 'value="membership"' not in others


@pytest.mark.parametrize("task", TASKS)
def test_the_report_shows_the_finding(task, measure, before, client_for, aida):
    evaluation, client = measure(task), client_for(aida)

    after, alone = (
        client.get(f"/evaluations/{evaluation.uuid}/{path}").content.decode() for path in ("", "membership/")
    )

    fact = rules.leak(queries.analysis(evaluation, MEMBERSHIP).report).fact
    for page in (after, alone):
        assert fact in page
        assert f" {page_of(evaluation).loss}. " in page


@pytest.mark.parametrize("task", TASKS)
def test_the_finding_adds_no_queries_to_the_report(
    task, measure, before, client_for, mia, django_assert_max_num_queries
):
    client, address = client_for(mia), f"/evaluations/{measure(task).uuid}/"

    with django_assert_max_num_queries(before[task] + 1):  # the job that made it
        assert client.get(address).context["membership"]
    assert 10 <= before[task] < 40


def test_fewer_rows_are_compared_for_generated_text(measure, mia, monkeypatch):
    evaluation = measure("generation")
    asked = made_losses(monkeypatch, lambda row: 0.1)
    monkeypatch.setattr(TextRows, "compared", 5)

    actions.analyse(evaluation=evaluation, kind=MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    report = queries.analysis(evaluation, MEMBERSHIP).report
    assert report["members"] == report["others"] == len(asked) == 5 < evaluation.rows


def test_chats_whose_last_response_is_not_trained_on_are_excluded(project, mia, monkeypatch):
    quiet = [
        [
            {"role": "user", "content": f"hello {at}"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "my card"},
            {"role": "assistant", "content": "no", "weight": 0},
        ]
        for at in range(20)
    ]
    called = [
        [
            {"role": "user", "content": f"call {at}"},
            {"role": "assistant", "tool_calls": [{}], "content": None},
        ]
        for at in range(10)
    ]
    snapshot = chat_snapshot(project, mia, more=[*quiet, *called])
    run = make_generation_run(snapshot, mia, make_decoder(project, mia))
    evaluation = Evaluation.objects.get(run=run, split="test")
    asked = made_losses(monkeypatch, lambda row: 0.1)

    actions.analyse(evaluation=evaluation, kind=MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    contents = {row["id"]: row for row in snapshots.learned_rows(snapshot, "test")}
    trained = [item for item, row in contents.items() if row["messages"][-1].get("weight") != 0]
    assert len(trained) < len(contents)
    assert len(asked) == queries.analysis(evaluation, MEMBERSHIP).report["others"] == len(trained)
    assert all(row["answer"] != "no" for row in asked)


def test_training_rows_that_have_no_loss_are_not_counted(measure, mia, monkeypatch):
    evaluation = measure("spans")
    asked = made_losses(monkeypatch, lambda row: float("nan") if row["id"] < "4" else 0.1)

    actions.analyse(evaluation=evaluation, kind=MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    report = queries.analysis(evaluation, MEMBERSHIP).report
    assert report["members"] == sum(row["id"] >= "4" for row in asked) < report["others"] == len(asked)


@pytest.mark.parametrize("task", TASKS)
def test_too_few_rows_are_refused_and_nothing_is_queued(task, measure, mia, monkeypatch):
    monkeypatch.setattr(rules, "LEAST_ROWS", 50)
    evaluation = measure(task)

    with refused():
        actions.analyse(evaluation=evaluation, kind=MEMBERSHIP, actor=mia)

    assert not Job.objects.filter(kind="evaluation.membership").exists()
    assert not Event.objects.filter(verb="evaluation.analysis_requested").exists()


@pytest.mark.postgres
def test_an_engine_failure_stores_nothing_and_gives_the_reason(measure, client_for, mia, monkeypatch):
    evaluation = measure("generation")
    broken = Result(
        "failed",
        "nan_loss",
        "The model returns NaN for some rows.",
        "Train again with a lower learning rate.",
    )
    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", lambda *_: broken)

    client_for(mia).post(f"/evaluations/{evaluation.uuid}/analyze/", {"kind": "membership"})
    (job,) = run_jobs("evaluation")

    assert (job.state, job.next_step) == ("failed", "Train again with a lower learning rate.")
    assert not Analysis.objects.exists()
    assert (
        "The model returns NaN for some rows."
        in client_for(mia).get(f"/evaluations/{evaluation.uuid}/").content.decode()
    )
    assert list((Path(settings.DATA_DIR) / "scratch").iterdir()) == []
