"""Error clusters of a model, with words, texts, and a link to a queue."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.ground.compute import warm
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from tests.support.jobs import run_jobs, run_ok
from tests.support.training import make_run, make_snapshot
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
CLUSTERS = Analysis.Kind.CLUSTERS
NEAR = {"card": [1.0, 0.0], "refund": [0.0, 1.0]}  # texts with neither word are near refund


@pytest.fixture
def snapshot(project, mia):
    return make_snapshot(project, mia, copies=12, shares={"train": 40, "validation": 20, "test": 40})


@pytest.fixture
def measured(snapshot, mia):
    """An evaluation with about half of the predictions wrong."""
    return queries.latest_evaluation(make_run(snapshot, mia, accuracy=0.5), "test")


def embed(folder, texts, timeout_seconds=0.0):
    """An engine that embeds texts with the same word close together."""
    assert (folder / "lifecycle.json").is_file()
    return [NEAR["card" if "card" in text else "refund"] for text in texts]


@pytest.fixture
def engine(monkeypatch):
    monkeypatch.setattr(warm, "embed", embed)


@pytest.fixture
def grouped(measured, mia):
    with patch.object(warm, "embed", embed):
        actions.analyse(evaluation=measured, kind=CLUSTERS, actor=mia)
        run_ok("default")
    return queries.analysis(measured, CLUSTERS)


@pytest.mark.postgres
def test_the_api_starts_it_and_returns_it(measured, engine, client_for, mia, aida):
    address = f"/api/v1/evaluations/{measured.uuid}/analyses/"

    asked = client_for(mia).post(address, {"kind": "clusters"}, content_type="application/json")
    run_ok("default")

    assert (asked.status_code, asked.json()["kind"]) == (202, "evaluation.clusters")
    (found,) = client_for(aida).get(address).json()
    assert (found["kind"], found["item"]) == ("clusters", "")
    assert found["report"] == queries.analysis(measured, CLUSTERS).report
    assert (
        client_for(mia).post(address, {"kind": "words"}, content_type="application/json").status_code == 400
    )


@pytest.mark.postgres
def test_a_known_result_is_not_computed_again_and_a_queued_one_is_one_job(measured, engine, mia):
    first, second = (actions.analyse(evaluation=measured, kind=CLUSTERS, actor=mia) for _ in range(2))
    assert first == second
    run_ok("default")

    with refused(by=Conflict):
        actions.analyse(evaluation=measured, kind=CLUSTERS, actor=mia)
    assert Analysis.objects.count() == 1
    assert (
        json.loads(Event.objects.get(verb="evaluation.analysis_requested").canonical)["payload"]["kind"]
        == "clusters"
    )
    assert Job.objects.filter(kind="evaluation.clusters").count() == 1


def test_only_users_who_may_evaluate_can_start_it(measured, client_for, mia, gita, otto):
    with pytest.raises(PermissionDenied):
        actions.analyse(evaluation=measured, kind=CLUSTERS, actor=gita)
    mine, theirs = (
        client_for(person).get(f"/evaluations/{measured.uuid}/clusters/").content for person in (mia, gita)
    )
    assert (b'value="clusters"' in mine, b'value="clusters"' in theirs) == (True, False)
    assert client_for(otto).get(f"/evaluations/{measured.uuid}/clusters/").status_code == 404
    assert not Job.objects.filter(kind="evaluation.clusters").exists()


def test_an_engine_failure_stores_nothing_and_gives_the_reason(measured, client_for, mia, monkeypatch):
    def broken(*_, **__):
        raise Refused("The engine refused.", next_step="Look at it.")

    monkeypatch.setattr(warm, "embed", broken)
    client_for(mia).post(f"/evaluations/{measured.uuid}/analyze/", {"kind": "clusters"})
    (job,) = run_jobs("default")

    assert job.state == "failed"
    assert not Analysis.objects.exists()
    assert b"The engine refused." in client_for(mia).get(f"/evaluations/{measured.uuid}/clusters/").content


def test_the_query_count_does_not_grow_with_groups(grouped, measured, snapshot, client_for, mia, monkeypatch):
    other = queries.latest_evaluation(make_run(snapshot, mia, accuracy=0.5, seed=2), "test")
    monkeypatch.setattr(warm, "embed", lambda folder, texts: [[1.0, 0.0]] * len(texts))
    actions.analyse(evaluation=other, kind=CLUSTERS, actor=mia)
    run_ok("default")

    def asked(evaluation) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as statements:
            page = client_for(mia).get(f"/evaluations/{evaluation.uuid}/clusters/")
        return len(page.context["groups"]), len(statements)

    asked(measured)
    many, one = asked(measured), asked(other)
    assert (many[0], one[0]) == (2, 1)
    assert many[1] == one[1]
