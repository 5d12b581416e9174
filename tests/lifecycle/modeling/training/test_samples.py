"""Sample predictions on a run's page and over the API: the newest evaluation and the one before, with texts
only if permitted.
"""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.queues.actions.opening import open_queue
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
        each
        for each, _ in zip(
            snapshots.with_items(run.snapshot, snapshots.rows_of(run.snapshot, "validation")),
            range(3),
            strict=False,
        )
    ]


def event(rows, step: int, *answers: str):
    """The engine's event of one evaluation."""
    lines = [
        {"id": each.row.item, "truth": each.row.label, "answer": answer, "confidence": 0.75}
        for each, answer in zip(rows, answers, strict=True)
    ]
    return {"seq": step, "at": "2026-11-24T12:00:00+00:00", "kind": "samples", "step": step, "rows": lines}


def test_the_page_shows_the_newest_predictions_with_the_previous_ones(run, rows, mia, client_for):
    truth = [each.row.label for each in rows]
    actions.record_events(run, [event(rows, 10, "card", "card", "card"), event(rows, 20, *truth)])

    found = sample_page.samples(mia, run)
    part = client_for(mia).get(f"/runs/{run.uuid}/live/", **HTMX).content.decode()

    assert (found["step"], found["earlier"], found["right"]) == (20, 10, 3)
    assert [line.text for line in found["lines"]] == [each.item.text for each in rows]
    assert [line.has_changed for line in found["lines"]] == [label != "card" for label in truth]
    assert [line.before for line in found["lines"]] == [["card"]] * 3
    assert 'id="samples"' in part
    assert "<b>3 of 3 " in part
    assert rows[0].item.text in part


def test_a_repeated_step_replaces_its_samples(run, rows):
    actions.record_events(run, [event(rows, 10, "card", "card", "card")])
    actions.record_events(run, [event(rows, 10, "login", "card", "card")])

    assert list(RunSample.objects.order_by("place").values_list("answer", flat=True)) == [
        "login",
        "card",
        "card",
    ]


def test_a_run_without_an_evaluation_shows_when_samples_appear(run, mia, client_for):
    page = client_for(mia).get(f"/runs/{run.uuid}/").content.decode()

    assert sample_page.samples(mia, run) is None
    assert re.search(r'id="samples"[^>]*><header>.*?</header><p class="muted">[^<]+</p></section>', page)


def test_texts_need_permission_to_read_them(run, rows, lee, client_for):
    actions.record_events(run, [event(rows, 10, "card", "card", "card")])
    client = client_for(lee)

    page = client.get(f"/runs/{run.uuid}/").content.decode()
    data = client.get(f"/api/v1/runs/{run.uuid}/samples/").json()

    assert [each.row.item for each in rows if f'data-copy="{each.row.item}"' not in page] == []
    assert not any(each.item.text in page for each in rows)
    assert [each["text"] for each in data["results"]] == ["", "", ""]


def test_an_item_that_a_queue_asks_about_is_hidden_from_the_person_it_asks(run, rows, ana, mia, client_for):
    actions.record_events(run, [event(rows, 10, "card", "card", "card")])
    dataset, texts = run.snapshot.dataset, [each.item.text for each in rows]
    digests = [each.row.item for each in rows]
    keys = list(dataset.items.filter(digest=digests[0]).values_list("pk", flat=True))
    open_queue(dataset_id=dataset.uuid, actor=mia, name="Again", source="items", item_ids=keys)

    blind, manager = (
        client_for(person).get(f"/api/v1/runs/{run.uuid}/samples/").json()["results"] for person in (ana, mia)
    )

    assert [each["text"] for each in blind] == ["", *texts[1:]]
    assert [each["item"] for each in blind] == ["", *digests[1:]]
    assert [each["text"] for each in manager] == texts
    page = client_for(ana).get(f"/runs/{run.uuid}/").content.decode()
    assert [text in page for text in texts] == [False, True, True]
    assert digests[0] not in page


def test_the_audit_log_has_neither_texts_nor_predictions(run, rows):
    before = Event.objects.count()

    actions.record_events(run, [event(rows, 10, "card", "card", "card")])

    assert Event.objects.count() == before


def test_label_sets_are_shown_by_name(run, rows, mia):
    sample = event(rows, 10, "card", "card", "card")
    for each in sample["rows"]:
        each |= {"truth": ["card", "refund"], "answer": [], "confidence": None}
    actions.record_events(run, [sample])

    line = sample_page.samples(mia, run)["lines"][0]

    assert (line.truth, line.answer, line.before, line.is_right) == (["card", "refund"], [], None, False)


@pytest.mark.postgres
def test_the_query_count_does_not_grow_with_evaluations(run, rows, mia):
    counts = []
    for step in (10, 20, 30):
        actions.record_events(run, [event(rows, step, "card", "card", "card")])
        with CaptureQueriesContext(connection) as asked:
            sample_page.samples(mia, run)
        counts.append(len(asked))

    assert counts[1] == counts[2]


def test_the_api_returns_rows_and_none_before_the_first_evaluation(run, rows, mia, otto, client_for):
    address = f"/api/v1/runs/{run.uuid}/samples/"
    empty = client_for(mia).get(address).json()
    actions.record_events(run, [event(rows, 10, "card", "card", "card")])

    data = client_for(mia).get(address).json()

    assert empty == {"step": None, "results": []}
    assert data["results"][0] == {
        "item": rows[0].row.item,
        "text": rows[0].item.text,
        "turns": [],
        "truth": [rows[0].row.label],
        "prediction": ["card"],
        "confidence": 0.75,
        "before": None,
    }
    assert client_for(otto).get(address).status_code == 404


def test_the_api_describes_the_predictions_of_each_task(mia, client_for):
    answer = client_for(mia).get(reverse("api-schema"), {"format": "json"})

    description = " ".join(
        json.loads(answer.content)["components"]["schemas"]["SampleOut"]["description"].split()
    )

    for text in (
        "the names of its labels",
        "for spans label and place of each",
        "for generation one text",
    ):
        assert text in description


@pytest.mark.postgres
def test_responses_are_stored_truncated_and_without_nul(run, rows):
    actions.record_events(run, [event(rows[:1], 10, "yes\0no" + "a" * 5_000)])

    kept = RunSample.objects.get().answer
    assert kept.startswith("yes\N{REPLACEMENT CHARACTER}no")
    assert len(kept) == SAMPLE_LENGTH
