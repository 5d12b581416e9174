"""Robustness tests of a model: changes are stored, and the worst flips are listed."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.datasets.models import Item
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.runtime.engine.flips import Flip
from lifecycle.runtime.engine.perturb import PROBES, disturb
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from tests.support.evaluations import made_probes

HTMX = {"HTTP_HX_REQUEST": "true"}
KIND = {"kind": "robustness"}


@pytest.fixture
def evaluation(run) -> Evaluation:
    return queries.latest_evaluation(run, "test")


def upper(item: str, confidence: float) -> Flip:
    """A correct prediction that flips in upper case."""
    return Flip("upper", item, "card", "card", 0.9, "refund", confidence, 1.0, 0.0)


@pytest.fixture
def flips(evaluation) -> list[Flip]:
    one, two, *_ = queries.rows_of(evaluation).ids
    return [upper(one, 0.6), upper(two, 0.8)]


@pytest.fixture
def probed(evaluation, flips, mia) -> Analysis:
    return made_probes(evaluation, mia, flips)


def test_a_queued_test_is_not_queued_again(client_for, evaluation, mia):
    client = client_for(mia)

    answers = [
        client.post(f"/evaluations/{evaluation.uuid}/analyze/", KIND),
        client.post(
            f"/api/v1/evaluations/{evaluation.uuid}/analyses/", KIND, content_type="application/json"
        ),
    ]

    assert [answer.status_code for answer in answers] == [302, 202]
    job = Job.objects.get(kind="evaluation.robustness")
    assert (job.state, job.queue, job.args) == (
        "queued",
        "evaluation",
        {"evaluation": str(evaluation.uuid), "item": ""},
    )
    event = Event.objects.get(verb="evaluation.analysis_requested")
    assert json.loads(event.canonical)["payload"] == KIND | {"item": None}
    assert (
        'value="robustness"' not in client.get(f"/evaluations/{evaluation.uuid}/robustness/").content.decode()
    )


def test_robustness_tests_need_permission_to_evaluate(client_for, evaluation, mia, gita):
    with pytest.raises(PermissionDenied):
        actions.analyse(evaluation=evaluation, kind=Analysis.Kind.ROBUSTNESS, actor=gita)

    assert client_for(gita).post(f"/evaluations/{evaluation.uuid}/analyze/", KIND).status_code == 403
    assert not Job.objects.filter(kind="evaluation.robustness").exists()
    assert not Event.objects.filter(verb="evaluation.analysis_requested").exists()
    pages = [client_for(person).get(f"/evaluations/{evaluation.uuid}/robustness/") for person in (mia, gita)]
    assert [b'value="robustness"' in page.content for page in pages] == [True, False]


def test_the_first_result_is_stored_with_its_digests(evaluation, probed, flips, mia):
    report, rows = probed.report, probed.rows
    assert made_probes(evaluation, mia, flips[:1]) == probed

    probed.refresh_from_db()
    assert (probed.report, probed.rows) == (report, rows)
    payload = json.loads(Event.objects.get(verb="evaluation.analysis_recorded").canonical)["payload"]
    assert payload == KIND | {
        "evaluation": str(evaluation.uuid),
        "item": None,
        "report_digest": digest_of(report),
        "rows_digest": rows.digest,
    }


def test_a_known_finding_is_not_computed_again(client_for, evaluation, probed, mia):
    client = client_for(mia)

    answer = client.post(f"/evaluations/{evaluation.uuid}/analyze/", KIND, **HTMX)

    assert answer.status_code == 409
    assert not Job.objects.filter(kind="evaluation.robustness").exists()
    assert b'value="robustness"' not in client.get(f"/evaluations/{evaluation.uuid}/robustness/").content


def test_each_probe_is_a_row_and_its_worst_flips_open(client_for, evaluation, probed, flips, mia):
    client, url = client_for(mia), f"/evaluations/{evaluation.uuid}/robustness/"

    table, opened = client.get(url), client.get(url, {"probe": "upper"})

    assert [line["name"] for line in table.context["lines"]] == list(PROBES)
    assert b'<a href="?probe=upper#flips">2' in table.content
    assert table.content.count(b'<a href="?probe=') == 1
    worst = Item.objects.get(dataset=evaluation.snapshot.dataset, digest=flips[1].id)
    first = opened.context["flips"][0]
    assert (first.text, first.disturbed) == (
        (worst.text,),
        (disturb("upper", worst.text, seed=1, name=worst.digest).text,),
    )
    assert worst.text.upper() in opened.content.decode()


def test_the_page_is_a_fragment_and_a_page(client_for, evaluation, probed, mia):
    url = f"/evaluations/{evaluation.uuid}/robustness/"

    assert b"<html" not in client_for(mia).get(url, **HTMX).content
    assert b"<html" in client_for(mia).get(url).content
