"""Word attribution of rankings, for users who may read the texts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.task_types.ranking.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.ranking.rows import RankedRows, by_model
from lifecycle.runtime.task_types.ranking.measures import in_order
from tests.support.jobs import run_ok
from tests.support.ranking import ranking_snapshot
from tests.support.training import make_run

pytestmark = pytest.mark.django_db
WORDS = Analysis.Kind.WORDS


@pytest.fixture
def measured(project, mia):
    return queries.latest_evaluation(
        make_run(ranking_snapshot(project, mia, "ranking"), mia, accuracy=0.1), "test"
    )


@pytest.fixture
def engine(monkeypatch):
    """An engine in which the first word of the prompt and of each response matters; its inputs are
    recorded.
    """
    asked = []

    def explain(folder, prompt, responses, timeout_seconds=0.0):
        assert (folder / "lifecycle.json").is_file()
        asked.append((prompt, responses))
        first = len(prompt.split()[0])
        return [
            {
                "answer": at,
                "log_odds": 1.25 - each,
                "empty": 0.5,
                "prompt": [{"start": 0, "end": first, "effect": -0.5}],
                "words": [{"start": 0, "end": len(responses[at].split()[0]), "effect": 1.5 - each}],
                "found": 9,
            }
            for each, at in enumerate((2, 0, 1))
        ]

    monkeypatch.setattr(warm, "explain_responses", explain)
    return asked


@pytest.fixture
def row(measured):
    item = queries.rows_of(measured).ids[0]
    return snapshots.learned_rows_of(measured.snapshot, [item])[item]


def address_of(measured, row):
    return f"/evaluations/{measured.uuid}/attribution/?item={row['id']}"


def test_each_response_has_its_words_strongest_first(measured, engine, row, client_for, mia):
    client, address = client_for(mia), address_of(measured, row)
    before = client.get(address).content.decode()
    assert f'<form method="post" action="{address}">' in before
    assert all(text in before for text in (row["text"], *row["responses"]))

    client.post(address)
    run_ok("default")
    page, other, none = (client.get(address + chosen) for chosen in ("", "&for=1", "&for=9"))

    assert engine == [(row["text"], row["responses"])]
    assert [(tab["label"], tab["current"]) for tab in page.context["tabs"]] == [
        ("Response 3", True),
        ("Response 1", False),
        ("Response 2", False),
    ]
    prompt, responses = row["text"].split()[0], [each.split()[0] for each in row["responses"]]
    assert f'<mark class="for f3" title="+1.50">{responses[2]}</mark>' in page.content.decode()
    assert f'<mark class="against a2" title="−0.50">{prompt}</mark>' in page.content.decode()
    assert re.search(r"\bResponse 3\b[^<]*\b1\.250\b", page.content.decode())
    assert re.search(r"\b2 of 9\s+words\b", page.content.decode())
    assert f'<mark class="for f3" title="+0.50">{responses[0]}</mark>' in other.content.decode()
    assert f'<mark class="against a3" title="−0.50">{prompt}</mark>' in other.content.decode()
    behind = client.get(page.context["tabs"][2]["url"]).content.decode()
    assert re.search(r"\bResponse 1\b[^<]*\b0\.250\b", other.content.decode())
    assert re.search(r"\bResponse 2\b[^<]*\b0\.750\b", behind)
    assert none.context["report"] == page.context["report"]
    assert [(word.part.text, word.where) for word in page.context["words"]] == [
        (responses[2], "response"),
        (prompt, "prompt"),
    ]


def test_the_page_shows_the_predicted_and_the_annotated_order(measured, row, client_for, mia):
    found = ROWS.one(measured, row["id"])

    page = client_for(mia).get(address_of(measured, row))

    strengths = found.strengths
    assert page.context["first"] == strengths.index(max(strengths)) + 1
    assert page.context["by_model"] == by_model(strengths)
    assert page.context["by_people"] == in_order(row["ranks"])
    assert page.context["right"] is (row["ranks"][page.context["first"] - 1] == 0)
    assert re.search(rf"<h1>[^<]*\b{page.context['first']}\b[^<]*</h1>", page.content.decode())


def test_tied_responses_are_not_called_first_or_best(measured, row, client_for, mia, monkeypatch):
    found = ROWS.one(measured, row["id"])
    monkeypatch.setattr(
        RankedRows, "one", lambda *asked: replace(found, strengths=(0.5, 0.5, 0.5), ranks=(0, 0, 0))
    )

    page = client_for(mia).get(address_of(measured, row)).content.decode()

    assert "Why this ranking?" in page
    assert "best response first" not in page
    assert "different response first" not in page
