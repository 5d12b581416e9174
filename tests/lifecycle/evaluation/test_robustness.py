"""A model is probed with disturbed texts; what changed is kept, and the worst can be read."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.datasets.models import Item
from lifecycle.engine.flips import Flip
from lifecycle.engine.perturb import PROBES, disturb
from lifecycle.evaluation import actions, queries
from lifecycle.evaluation.models import Evaluation, Robustness
from lifecycle.jobs.models import Job
from registry.ledger.models import Event
from tests.support.evaluations import made_probes
from tests.support.training import make_run, make_snapshot

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def evaluation(project, mia) -> Evaluation:
    return queries.latest_evaluation(make_run(make_snapshot(project, mia), mia), "test")


def upper(item: str, confidence: float) -> Flip:
    """A right answer that broke in upper case."""
    return Flip("upper", item, "card", "card", 0.9, "refund", confidence)


@pytest.fixture
def flips(evaluation) -> list[Flip]:
    one, two, *_ = queries.predictions_of(evaluation).ids
    return [upper(one, 0.6), upper(two, 0.8)]


@pytest.fixture
def probed(evaluation, flips, mia) -> Robustness:
    return made_probes(evaluation, mia, flips)


def test_probes_are_asked_for_once_while_they_wait(client_for, evaluation, mia):
    client = client_for(mia)

    answers = [client.post(f"/evaluations/{evaluation.uuid}/probe/"), client.post(f"/api/v1/evaluations/{evaluation.uuid}/robustness/")]

    assert [answer.status_code for answer in answers] == [302, 202]
    job = Job.objects.get(kind="evaluation.probe")
    assert (job.state, job.queue, job.args) == ("queued", "training", {"evaluation": str(evaluation.uuid)})
    event = Event.objects.get(verb="evaluation.probes_requested")
    assert json.loads(event.canonical)["payload"] == {"run": str(evaluation.run.uuid), "split": "test"}
    assert "Probe with disturbed texts" not in client.get(f"/evaluations/{evaluation.uuid}/robustness/").content.decode()


def test_who_may_not_evaluate_may_not_probe(client_for, evaluation, gita):
    with pytest.raises(PermissionDenied):
        actions.probe(evaluation=evaluation, actor=gita)

    assert client_for(gita).post(f"/evaluations/{evaluation.uuid}/probe/").status_code == 403
    assert not Job.objects.filter(kind="evaluation.probe").exists()
    assert not Event.objects.filter(verb="evaluation.probes_requested").exists()
    assert "Probe with disturbed texts" not in client_for(gita).get(f"/evaluations/{evaluation.uuid}/robustness/").content.decode()


def test_the_same_result_is_kept_once(evaluation, probed, flips, mia):
    assert made_probes(evaluation, mia, flips) == probed
    assert made_probes(evaluation, mia, flips[:1]) != probed

    payload = json.loads(Event.objects.filter(verb="evaluation.probes_recorded").earliest("id").canonical)["payload"]
    assert payload == {
        "evaluation": str(evaluation.uuid), "rows": evaluation.rows, "root_digest": evaluation.root_digest,
        "report_digest": probed.report_digest,
    }  # fmt: skip


def test_each_probe_is_a_row_and_its_worst_flips_open(client_for, evaluation, probed, flips, mia):
    client, url = client_for(mia), f"/evaluations/{evaluation.uuid}/robustness/"

    table, opened = client.get(url), client.get(url, {"probe": "upper"})

    assert [line["name"] for line in table.context["lines"]] == list(PROBES)
    assert b'<a href="?probe=upper#flips">2' in table.content
    assert table.content.count(b'<a href="?probe=') == 1
    worst = Item.objects.get(dataset=evaluation.snapshot.dataset, digest=flips[1].id)
    first = opened.context["flips"][0]
    assert (first.text, first.disturbed) == (worst.text, disturb("upper", worst.text, seed=1, name=worst.digest))
    assert worst.text.upper() in opened.content.decode()


def test_flips_show_no_texts_to_those_who_may_not_read_samples(client_for, evaluation, probed, aida):
    page = client_for(aida).get(f"/evaluations/{evaluation.uuid}/robustness/", {"probe": "upper"})

    assert [(line.text, line.disturbed) for line in page.context["flips"]] == [("", "")] * 2
    assert b"hidden from your role" in page.content


def test_programs_get_the_newest_first(client_for, evaluation, probed, mia):
    newer = made_probes(evaluation, mia, [])

    found = client_for(mia).get(f"/api/v1/evaluations/{evaluation.uuid}/robustness/").json()

    assert [each["uuid"] for each in found] == [str(newer.uuid), str(probed.uuid)]
    assert found[1]["report"]["probes"]["upper"]["flipped"]["count"] == 2


def test_the_page_takes_the_same_statements_whatever_flipped(client_for, evaluation, probed, mia, django_assert_max_num_queries):
    client, url = client_for(mia), f"/evaluations/{evaluation.uuid}/robustness/?probe=upper"
    with django_assert_max_num_queries(30) as few:
        client.get(url)
    made_probes(evaluation, mia, [upper(item, 0.6) for item in queries.predictions_of(evaluation).ids])

    with django_assert_max_num_queries(len(few)):
        assert len(client.get(url).context["flips"]) == evaluation.rows > 2


def test_the_page_is_a_fragment_and_a_page(client_for, evaluation, probed, mia):
    url = f"/evaluations/{evaluation.uuid}/robustness/"

    assert b"<html" not in client_for(mia).get(url, **HTMX).content
    assert b"<html" in client_for(mia).get(url).content
