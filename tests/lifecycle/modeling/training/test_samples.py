"""Sample predictions on a run's page and over the API: the newest evaluation beside the one before, texts only for who may read them."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.training import actions, sample_page
from lifecycle.modeling.training.actions.runs import SAMPLE_LENGTH
from lifecycle.modeling.training.models import RunSample
from registry.ground.ledger.models import Event

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def run(waiting):
    actions.begin(waiting.uuid)
    waiting.refresh_from_db()
    return waiting


@pytest.fixture
def rows(run):
    return [
        each for each, _ in zip(snapshots.with_items(run.snapshot, snapshots.rows_of(run.snapshot, "validation")), range(3), strict=False)
    ]


def event(rows, step: int, *answers: str):
    """What the engine tells at one evaluation."""
    said = [
        {"id": each.row.item, "truth": each.row.label, "answer": answer, "confidence": 0.75}
        for each, answer in zip(rows, answers, strict=True)
    ]
    return {"seq": step, "at": "2026-11-24T12:00:00+00:00", "kind": "samples", "step": step, "rows": said}


def test_the_page_tells_the_newest_answers_beside_those_before(run, rows, mia, client_for):
    truth = [each.row.label for each in rows]
    actions.record_events(run, [event(rows, 10, "card", "card", "card"), event(rows, 20, *truth)])

    found = sample_page.samples(mia, run)
    part = client_for(mia).get(f"/runs/{run.uuid}/live/", **HTMX).content.decode()

    assert (found["step"], found["earlier"], found["right"]) == (20, 10, 3)
    assert [line.text for line in found["lines"]] == [each.item.text for each in rows]
    assert [line.has_changed for line in found["lines"]] == [label != "card" for label in truth]
    assert [line.before for line in found["lines"]] == [["card"]] * 3
    assert 'id="samples"' in part
    assert "3 of 3 correct." in part
    assert rows[0].item.text in part


def test_a_step_that_is_made_again_replaces_what_it_said(run, rows):
    actions.record_events(run, [event(rows, 10, "card", "card", "card")])
    actions.record_events(run, [event(rows, 10, "login", "card", "card")])

    assert list(RunSample.objects.order_by("place").values_list("answer", flat=True)) == ["login", "card", "card"]


def test_a_run_without_an_evaluation_says_when_they_appear(run, mia, client_for):
    assert sample_page.samples(mia, run) is None
    assert "Sample predictions appear after the first evaluation." in client_for(mia).get(f"/runs/{run.uuid}/").content.decode()


def test_texts_are_for_those_who_may_read_them(run, rows, lee, client_for):
    actions.record_events(run, [event(rows, 10, "card", "card", "card")])
    client = client_for(lee)

    page = client.get(f"/runs/{run.uuid}/").content.decode()
    told = client.get(f"/api/v1/runs/{run.uuid}/samples/").json()

    assert "Texts are hidden from your role." in page
    assert not any(each.item.text in page for each in rows)
    assert [each["text"] for each in told["results"]] == ["", "", ""]


def test_the_trail_holds_neither_texts_nor_answers(run, rows):
    before = Event.objects.count()

    actions.record_events(run, [event(rows, 10, "card", "card", "card")])

    assert Event.objects.count() == before


def test_sets_of_classes_are_told_by_name(run, rows, mia):
    said = event(rows, 10, "card", "card", "card")
    for each in said["rows"]:
        each |= {"truth": ["card", "refund"], "answer": [], "confidence": None}
    actions.record_events(run, [said])

    line = sample_page.samples(mia, run)["lines"][0]

    assert (line.truth, line.answer, line.before, line.is_right) == (["card", "refund"], [], None, False)


@pytest.mark.postgres
def test_more_evaluations_ask_no_more_often(run, rows, mia):
    counts = []
    for step in (10, 20, 30):
        actions.record_events(run, [event(rows, step, "card", "card", "card")])
        with CaptureQueriesContext(connection) as asked:
            sample_page.samples(mia, run)
        counts.append(len(asked))

    assert counts[1] == counts[2]


def test_the_api_tells_rows_and_nothing_before_the_first(run, rows, mia, otto, client_for):
    address = f"/api/v1/runs/{run.uuid}/samples/"
    empty = client_for(mia).get(address).json()
    actions.record_events(run, [event(rows, 10, "card", "card", "card")])

    told = client_for(mia).get(address).json()

    assert empty == {"step": None, "results": []}
    assert told["results"][0] == {
        "item": rows[0].row.item, "text": rows[0].item.text, "turns": [], "truth": [rows[0].row.label], "answer": ["card"],
        "confidence": 0.75, "before": None,
    }  # fmt: skip
    assert client_for(otto).get(address).status_code == 404


def test_the_api_says_what_the_answers_of_each_task_are(mia, client_for):
    answer = client_for(mia).get(reverse("api-schema"), {"format": "json"})

    told = " ".join(json.loads(answer.content)["components"]["schemas"]["SampleOut"]["description"].split())

    for said in ("the name of its class", "of marked parts class and place of each", "of written texts one text"):
        assert said in told


@pytest.mark.postgres
def test_what_a_model_wrote_is_kept_without_what_no_database_takes_and_without_its_end(run, rows):
    actions.record_events(run, [event(rows[:1], 10, "yes\0no" + "a" * 5_000)])

    said = RunSample.objects.get().answer
    assert said.startswith("yes\N{REPLACEMENT CHARACTER}no")
    assert len(said) == SAMPLE_LENGTH
