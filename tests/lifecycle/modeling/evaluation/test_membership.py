"""Membership inference by loss: starting it, storing it, and describing it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries, rules
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.runtime.statistics import clustered, membership
from tests.support.jobs import run_ok
from tests.support.losses import made_losses
from tests.support.training import make_evaluation, make_run, make_snapshot
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
MEMBERSHIP = Analysis.Kind.MEMBERSHIP
SURE = {"card": 0.9, "login": 0.6, "refund": 0.3}
REPORT = {"auc": 0.6, "low": 0.56, "high": 0.64}


@pytest.fixture
def measured(project, mia):
    snapshot = make_snapshot(project, mia, copies=12, shares={"train": 50, "validation": 10, "test": 40})
    return queries.latest_evaluation(make_run(snapshot, mia, accuracy=0.8), "test")


@pytest.fixture
def engine(monkeypatch):
    """An engine with confidences from SURE; its inputs are recorded."""
    return made_losses(monkeypatch, lambda row: -np.log(SURE[row["label"]]))


def test_rows_that_were_split_together_are_one_cluster_of_the_interval(measured, engine, mia, monkeypatch):
    real = snapshots.rows_of
    clusters = {
        row.item: str(at // 4)
        for split in ("train", "test")
        for at, row in enumerate(real(measured.snapshot, split))
    }
    monkeypatch.setattr(
        snapshots,
        "rows_of",
        lambda *asked: (row._replace(cluster=clusters[row.item]) for row in real(*asked)),
    )

    actions.analyse(evaluation=measured, kind=MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    report, answered = queries.analysis(measured, MEMBERSHIP).report, queries.losses_of(measured)
    sides = [-np.log(SURE[row["label"]]) for row in engine], list(answered.values())
    codes = [
        clustered.numbered(clusters[item] for item in side)
        for side in ([row["id"] for row in engine], answered)
    ]
    wanted, by_rows = membership.attack(*sides, *codes), membership.attack(*sides)
    assert [report[name] for name in ("auc", "low", "high")] == pytest.approx(
        [wanted[name] for name in ("auc", "low", "high")]
    )
    assert abs(report["high"] - by_rows["high"]) > 0.001


def test_held_out_rows_with_the_normalised_text_of_a_training_row_are_excluded(
    measured, engine, mia, monkeypatch
):
    """Splitting keeps such rows in one split; an evaluation on a later version may include them."""
    held_out, trained = (
        queries.rows_of(measured).ids,
        next(snapshots.rows_of(measured.run.snapshot, "train")).item,
    )
    real = queries.normal_digests
    monkeypatch.setattr(
        queries,
        "normal_digests",
        lambda *args: real(*args) | dict.fromkeys(held_out[:3], real(*args)[trained]),
    )

    actions.analyse(evaluation=measured, kind=MEMBERSHIP, actor=mia)
    run_ok("training", "evaluation")

    report = queries.analysis(measured, MEMBERSHIP).report
    assert (report["duplicates"], report["others"], report["members"]) == (
        3,
        len(held_out) - 3,
        len(held_out) - 3,
    )


@pytest.mark.parametrize(
    ("low", "high", "kind", "fact"),
    [
        (0.56, 0.64, "bad", "Training rows can be identified by their loss."),
        (0.55, 0.64, "warn", "Not enough data"),
        (0.45, 0.56, "warn", "Not enough data"),
        (0.51, 0.55, "warn", "slightly better than by guessing"),
        (0.5, 0.55, "ok", "no leak"),
        (0.45, 0.5, "ok", "no leak"),
    ],
)
def test_a_leak_is_found_by_the_lower_end_of_the_interval_and_ruled_out_by_the_upper_one(
    low, high, kind, fact
):
    found = rules.leak(REPORT | {"low": low, "high": high})

    assert (found.kind, fact in found.fact) == (kind, True)


def test_the_finding_explains_the_number():
    text = rules.leak(REPORT).text.replace("\u00a0", " ")

    assert (
        text
        == "AUC 0.60 (95 % 0.56 to 0.64): a training row has a lower loss than another row in 60 % of pairs. "
        "0.50 is guessing. This is a lower bound: a stronger attack may find more."
    )


def test_the_evaluations_page_offers_it_then_shows_it(measured, engine, client_for, mia, aida):
    address = f"/evaluations/{measured.uuid}/"
    before, asked_by_auditor = (client_for(person).get(address) for person in (mia, aida))
    assert b'value="membership"' in before.content
    assert b'value="membership"' not in asked_by_auditor.content
    assert (asked_by_auditor.context["membership"], asked_by_auditor.context["may_attack"]) == (None, False)

    client_for(mia).post(f"{address}analyze/", {"kind": "membership"})
    waiting = client_for(mia).get(address).content.decode()
    run_ok("training", "evaluation")
    page = client_for(aida).get(address).content.decode()

    assert 'hx-trigger="job-ended from:body"' in waiting
    found = rules.leak(queries.analysis(measured, MEMBERSHIP).report)
    assert found.fact in page
    scarce = [
        each["needed"]
        for each in queries.analysis(measured, MEMBERSHIP).report["rates"]
        if each["rate"] is None
    ]
    assert 1000 in scarce
    assert re.search(r"<dd>[^<]*\b1,000\s+other rows\.</dd>", page)
    assert (
        client_for(aida)
        .get(f"{address}membership/", HTTP_HX_REQUEST="true")
        .content.decode()
        .count("<section")
        == 1
    )


def test_too_few_rows_and_other_roles_are_refused_and_nothing_is_queued(project, mia, gita):
    few = make_evaluation(make_run(make_snapshot(project, mia), mia), "test", seed=3)
    assert few.rows < 50

    with refused(
        naming=(
            str(few.rows),
            "50",
        )
    ):
        actions.analyse(evaluation=few, kind=MEMBERSHIP, actor=mia)
    with pytest.raises(PermissionDenied):
        actions.analyse(evaluation=few, kind=MEMBERSHIP, actor=gita)
    assert not Job.objects.filter(kind="evaluation.membership").exists()


def test_a_form_without_a_known_kind_is_refused(measured, client_for, mia):
    answer = client_for(mia).post(f"/evaluations/{measured.uuid}/analyze/", {"kind": "words"})

    assert answer.status_code == 422
    assert not Job.objects.filter(subject_uuid=measured.uuid).exists()
