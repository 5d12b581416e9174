"""Word attribution of generated text, for users who may read the prompt."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.compute.child import Result
from lifecycle.modeling.evaluation import actions, queries
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.task_types.generation.rows import ENTRY as ROWS
from lifecycle.modeling.evaluation.task_types.generation.rows import TextRows
from lifecycle.modeling.training.folders import scratch
from lifecycle.runtime.engine.spec import ExplainSpec
from tests.support.generation import (
    chat_snapshot,
    generation_snapshot,
    make_decoder,
    make_generation_evaluation,
    make_generation_run,
)
from tests.support.jobs import run_ok
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
WORDS = Analysis.Kind.WORDS
FOUND = {
    "log_probability": -3.5,
    "empty": -9.25,
    "tokens": 7,
    "unit": "words",
    "size": 1,
    "found": 4,
    "taken": 2,
}


def measured_on(snapshot, project, mia):
    return Evaluation.objects.get(
        run=make_generation_run(snapshot, mia, make_decoder(project, mia)), split="test"
    )


@pytest.fixture
def measured(project, mia):
    return measured_on(generation_snapshot(project, mia), project, mia)


@pytest.fixture
def engine(monkeypatch):
    """A child in which only the first two words of a prompt (in a chat, of its last turn) matter; its inputs
    are recorded.
    """
    seen = []

    def run_child(ctx, verb, folder, on_events):
        row = json.loads((folder / "data.jsonl").read_text())
        turn = len(row["messages"]) - 2 if "messages" in row else 0
        text = row["messages"][turn]["content"] if "messages" in row else row["text"]
        seen.append((verb, row, ExplainSpec.read(folder / "spec.json")))
        assert (folder / "artifact" / "lifecycle.json").is_file()
        one, two, *_ = text.split()
        words = [
            {"turn": turn, "start": 0, "end": len(one), "effect": 4.0},
            {"turn": turn, "start": len(one) + 1, "end": len(one) + 1 + len(two), "effect": -2.5},
        ]
        return Result(
            "succeeded",
            data={"format": 1, "status": "succeeded", "error": None, "seconds": 0.1}
            | FOUND
            | {"words": words},
        )

    monkeypatch.setattr("lifecycle.modeling.evaluation.child.run_child", run_child)
    return seen


def row_of(measured, *, cut=False):
    """A row with a complete or a truncated response."""
    found = queries.rows_of(measured)
    item = next(item for item, each in zip(found.ids, found.cut, strict=True) if each is cut)
    return snapshots.learned_rows_of(measured.snapshot, [item])[item]


def address_of(measured, row):
    return f"/evaluations/{measured.uuid}/attribution/?item={row['id']}"


def test_the_page_shades_the_prompt_and_shows_the_response(measured, engine, client_for, mia, settings):
    row = row_of(measured)
    client, address = client_for(mia), address_of(measured, row)
    assert f'<form method="post" action="{address}">' in client.get(address).content.decode()

    client.post(address)
    (job,) = run_ok("training", "evaluation")
    page = client.get(address)

    one, two, *_ = row["text"].split()
    assert (
        f'<mark class="for f3" title="+4.00">{one}</mark> <mark class="against a2" title="−2.50">{two}</mark>'
        in page.content.decode()
    )
    assert re.search(r"\b2 of 4\s+words\b", page.content.decode())
    assert re.search(r"−3\.500\s+for\s+its\s+7\s+tokens\b", page.content.decode())
    assert page.context["answer"] == ROWS.one(measured, row["id"]).answer
    assert [part.text for part in page.context["words"]] == [one, two]
    assert not scratch(job).exists()


def test_the_child_gets_the_row_with_the_response(measured, engine, mia):
    ended, cut = row_of(measured), row_of(measured, cut=True)
    for row in (ended, cut):
        actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
    run_ok("training", "evaluation")

    (verb, first, one), (_, second, two) = engine
    assert (verb, first, one.ended, two.ended) == ("explain", ended, True, False)
    assert second == cut | {"answer": "please look again"}
    assert cut["answer"] != "please look again"


def test_each_turn_of_a_chat_is_separate(project, mia, engine, client_for):
    measured = measured_on(chat_snapshot(project, mia), project, mia)
    row = row_of(measured, cut=True)
    client, address = client_for(mia), address_of(measured, row)

    client.post(address)
    run_ok("training", "evaluation")
    page = client.get(address)

    ((_, sent, _),) = engine
    assert sent["messages"][:-1] == row["messages"][:-1]
    assert sent["messages"][-1] == {"role": "assistant", "content": "please look again"}
    assert [turn.role for turn in page.context["turns"]] == ["system", "user", "assistant", "user"]
    assert ["".join(part.text for part in turn.parts) for turn in page.context["turns"]] == [
        each["content"] for each in row["messages"][:-1]
    ]
    assert [[part.effect for part in turn.parts if part.effect] for turn in page.context["turns"]] == [
        [],
        [],
        [],
        [4.0, -2.5],
    ]
    assert "or is an earlier response, which isn't left out" in page.content.decode()


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"unit": "sentences", "size": 0, "taken": 4}, "4 of 4 words left out, sentence by sentence"),
        ({"unit": "runs", "size": 3, "taken": 4}, "4 of 4 words left out, 3 consecutive words at a time"),
        ({"unit": "runs", "size": 3, "taken": 4}, "up to 3 consecutive words are left out together"),
        ({}, "they're beyond the model's maximum length"),
    ],
)
def test_the_page_names_the_unit_that_was_left_out(
    measured, engine, client_for, mia, monkeypatch, found, text
):
    monkeypatch.setitem(globals(), "FOUND", FOUND | found)
    row = row_of(measured)
    actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
    run_ok("training", "evaluation")

    assert text in client_for(mia).get(address_of(measured, row)).content.decode()


def test_compared_responses_link_to_their_attributions(measured, client_for, mia, aida):
    other = make_generation_evaluation(measured.run, "test", quality=0.0, seed=5)

    mine, theirs = (
        client_for(each).get(f"/evaluations/compare/?a={measured.uuid}&b={other.uuid}")
        for each in (mia, aida)
    )

    line = mine.context["changed"][0]
    for evaluation, why in ((measured, line["first"].why), (other, line["second"].why)):
        assert why == f"/evaluations/{evaluation.uuid}/attribution/?item={line['first'].item}"
        assert f'href="{why}"' in mine.content.decode()
    assert "/attribution/" in mine.content.decode()
    assert "/attribution/" not in theirs.content.decode()
    assert len(theirs.context["changed"]) == len(mine.context["changed"])


def test_an_empty_response_has_no_attribution(measured, client_for, mia, monkeypatch):
    row = row_of(measured)
    empty = replace(ROWS.one(measured, row["id"]), answer=" ")
    monkeypatch.setattr(TextRows, "one", lambda *_: empty)

    page = client_for(mia).get(address_of(measured, row)).content.decode()
    assert 'class="source"' in page
    assert "<form method" not in page.partition('id="words"')[2].partition("</main>")[0]
    with refused():
        actions.analyse(evaluation=measured, kind=WORDS, actor=mia, item=row["id"])
