"""The words of a prompt and its responses that speak for each response, for those who may read them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.compute import warm
from lifecycle.evaluation import actions, queries
from lifecycle.evaluation.models import Analysis
from lifecycle.evaluation.task_types.ranking.rows import ENTRY as ROWS
from lifecycle.evaluation.task_types.ranking.rows import RankedRows, by_model
from lifecycle.jobs.models import Job
from lifecycle.refusals import Refused
from lifecycle.task_types.ranking.measures import in_order
from registry.ledger.models import Event
from tests.support.jobs import run_ok
from tests.support.ranked import ranked_snapshot
from tests.support.training import make_run

pytestmark = pytest.mark.django_db
WORDS = Analysis.Kind.WORDS


@pytest.fixture
def measured(project, mia):
    return queries.latest_evaluation(make_run(ranked_snapshot(project, mia, "ranking"), mia, accuracy=0.1), "test")


@pytest.fixture
def engine(monkeypatch):
    """An engine for which the first word of the prompt and of each response speaks; what it was asked is kept."""
    asked = []

    def explain(folder, prompt, responses, timeout_seconds=0.0):
        assert (folder / "lifecycle.json").is_file()
        asked.append((prompt, responses))
        first = len(prompt.split()[0])
        return [
            {
                "answer": at, "log_odds": 1.25 - each, "empty": 0.5, "prompt": [{"start": 0, "end": first, "effect": -0.5}],
                "words": [{"start": 0, "end": len(responses[at].split()[0]), "effect": 1.5 - each}], "found": 9,
            }
            for each, at in enumerate((2, 0, 1))
        ]  # fmt: skip

    monkeypatch.setattr(warm, "explain_responses", explain)
    return asked


@pytest.fixture
def row(measured):
    item = queries.rows_of(measured).ids[0]
    return snapshots.learned_rows_of(measured.snapshot, [item])[item]


def address_of(measured, row):
    return f"/evaluations/{measured.uuid}/words/?item={row['id']}"


def test_each_response_has_its_words_and_the_strongest_stands_first(measured, engine, row, client_for, mia):
    client, address = client_for(mia), address_of(measured, row)
    before = client.get(address).content.decode()
    assert "Find the explain" in before
    assert all(text in before for text in (row["text"], *row["responses"]))

    client.post(address)
    run_ok("default")
    page, other, none = (client.get(address + chosen) for chosen in ("", "&for=1", "&for=9"))

    assert engine == [(row["text"], row["responses"])]
    assert [(tab["label"], tab["current"]) for tab in page.context["tabs"]] == [
        ("Response 3", True), ("Response 1", False), ("Response 2", False),
    ]  # fmt: skip
    prompt, said = row["text"].split()[0], [each.split()[0] for each in row["responses"]]
    assert f'<mark class="for f3" title="+1.50">{said[2]}</mark>' in page.content.decode()
    assert f'<mark class="against a2" title="−0.50">{prompt}</mark>' in page.content.decode()
    assert "Response 3 leads by 1.250" in page.content.decode()
    assert "2 of 9 words left out in turn" in page.content.decode()
    assert f'<mark class="for f3" title="+0.50">{said[0]}</mark>' in other.content.decode()
    assert f'<mark class="against a3" title="−0.50">{prompt}</mark>' in other.content.decode()
    assert "Response 1 leads by 0.250" in other.content.decode()
    assert "Response 2 lies 0.750 behind" in client.get(page.context["tabs"][2]["url"]).content.decode()
    assert none.context["report"] == page.context["report"]
    assert [(word.part.text, word.where) for word in page.context["words"]] == [(said[2], "response"), (prompt, "prompt")]


def test_the_page_tells_the_orders_of_model_and_people(measured, row, client_for, mia):
    found = ROWS.one(measured, row["id"])

    page = client_for(mia).get(address_of(measured, row))

    strengths = found.strengths
    assert page.context["first"] == strengths.index(max(strengths)) + 1
    assert page.context["by_model"] == by_model(strengths)
    assert page.context["by_people"] == in_order(row["ranks"])
    assert page.context["right"] is (row["ranks"][page.context["first"] - 1] == 0)
    assert f"Why is response {page.context['first']} first?" in page.content.decode()


def test_of_equals_none_is_said_to_be_first_or_best(measured, row, client_for, mia, monkeypatch):
    found = ROWS.one(measured, row["id"])
    monkeypatch.setattr(RankedRows, "one", lambda *asked: replace(found, strengths=(0.5, 0.5, 0.5), ranks=(0, 0, 0)))

    page = client_for(mia).get(address_of(measured, row)).content.decode()

    assert "Why this ranking?" in page
    assert "best response first" not in page
    assert "different response first" not in page


def test_no_text_is_kept(measured, engine, row, client_for, mia):
    actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
    run_ok("default")

    kept = json.dumps([queries.analysis(measured, WORDS, row["id"]).report, Job.objects.get(kind="evaluation.words").args])
    kept += "".join(map(str, Event.objects.filter(verb__startswith="evaluation.").values_list("canonical", flat=True)))
    assert not any(word in kept for word in {*row["text"].split()[:3], "refund", "thanks", "late"} - {"is"})


def test_each_row_leads_there_for_those_who_read_texts(measured, client_for, mia, aida):
    for path in ("", "items/?sort=close"):
        engineer, auditor = (client_for(person).get(f"/evaluations/{measured.uuid}/{path}") for person in (mia, aida))
        assert {line.why for line in engineer.context["lines"]} == {
            f"/evaluations/{measured.uuid}/words/?item={line.item}" for line in engineer.context["lines"]
        }
        assert "explain</a>" in engineer.content.decode()
        assert {each.why for each in auditor.context["lines"]} == {""}


def test_only_those_who_read_samples_may(measured, row, client_for, lee, otto):
    for method in ("get", "post"):
        assert [getattr(client_for(each), method)(address_of(measured, row)).status_code for each in (lee, otto)] == [403, 404]
    assert not Job.objects.filter(kind="evaluation.words").exists()


def test_what_is_not_there_or_holds_no_word_is_refused_and_nothing_is_queued(measured, row, client_for, mia, monkeypatch):
    before = Event.objects.count()

    with pytest.raises(Refused, match="holds no answer to that item"):
        actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item="f" * 64)
    assert client_for(mia).get(f"/evaluations/{measured.uuid}/words/?item={'f' * 64}").status_code == 404
    assert client_for(mia).get(f"/evaluations/{measured.uuid}/words/").headers["Location"].endswith("/items/")
    silent = row | {"text": "?", "responses": ["!", "…", "."]}
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "learned_rows_of", lambda *_: {row["id"]: silent})
        with pytest.raises(Refused, match="holds no word that could be left out"):
            actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
    monkeypatch.setattr(snapshots, "learned_rows_of", lambda *_: {})
    with pytest.raises(Refused, match="This item's text was erased, so it can't be explained."):
        actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
    assert not Job.objects.filter(kind="evaluation.words").exists()
    assert Event.objects.count() == before


def test_an_item_that_is_gone_shows_nothing_that_was_said(measured, engine, row, client_for, mia, monkeypatch):
    actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
    run_ok("default")
    monkeypatch.setattr(snapshots, "learned_rows_of", lambda *_: {})

    page = client_for(mia).get(address_of(measured, row)).content.decode()

    assert "This item's text was erased, so it can't be explained." in page
    assert row["text"] not in page
    assert "Find the words" not in page


def test_programs_ask_for_it_and_read_it(measured, engine, row, client_for, mia):
    address, client = f"/api/v1/evaluations/{measured.uuid}/words/", client_for(mia)
    assert client.get(address, {"item": row["id"]}).status_code == 404

    asked = client.post(address, {"item": row["id"]}, content_type="application/json")
    run_ok("default")

    assert (asked.status_code, asked.json()["kind"]) == (202, "evaluation.words")
    found = client.get(address, {"item": row["id"]}).json()["report"]["responses"]
    assert [(each["answer"], each["log_odds"]) for each in found] == [(2, 1.25), (0, 0.25), (1, -0.75)]


def test_a_page_asks_the_database_as_often_whatever_it_shows(measured, engine, row, client_for, mia):
    client, address = client_for(mia), address_of(measured, row)
    actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
    run_ok("default")
    client.get(address)
    counts = []
    for chosen in ("", "&for=1", "&for=2"):
        with CaptureQueriesContext(
            connection,
        ) as caught:
            client.get(address + chosen)
        counts.append(len(caught))
    assert len(set(counts)) == 1
    assert Item.objects.filter(digest=row["id"]).count() == 1
