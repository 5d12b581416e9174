"""Pages of a chat model, and preference tests of two of them."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from datasets_app.datasets.models import Item
from lifecycle.modeling.evaluation import actions
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.generation import notes
from tests.lifecycle.modeling.training.test_launch_chat import TOOLS
from tests.support.generation import chat_snapshot, make_decoder, make_generation_run
from tests.support.jobs import run_ok


@pytest.fixture
def snapshot(project, mia):
    more = [[{"role": "user", "content": f"where {n}"}, *TOOLS[1:]] for n in range(20)]
    return chat_snapshot(project, mia, copies=12, more=more)


@pytest.fixture
def runs(snapshot, project, mia):
    base = make_decoder(project, mia)
    return [
        make_generation_run(snapshot, mia, base, quality=quality, seed=seed)
        for quality, seed in ((0.0, 1), (1.0, 2))
    ]


@pytest.fixture
def found(runs):
    return Evaluation.objects.get(run=runs[0], split="test")


def test_the_report_shows_the_last_question_with_earlier_turns_folded(found, mia, client_for):
    answer = client_for(mia).get(f"/evaluations/{found.uuid}/")

    page = answer.content.decode()
    assert page.count("3 turns earlier</summary>") == 6
    assert page.count('<p class="written"><b>system</b> <bdi>please</bdi></p>') == 6
    assert found.report.get("groundedness") is None
    assert answer.context["grounds"] in unescape(page)
    assert not re.search(r"\d", answer.context["grounds"])
    omitted = found.report["left_out"]["with tool calls"]
    assert omitted + found.rows == found.snapshot.counts["splits"]["test"]
    assert omitted > 0
    assert re.search(rf"\b{omitted} dialogues [^<]*: {omitted} with tool calls\.", page)


def test_the_api_returns_the_turns_of_rows(found, mia, aida, client_for):
    lines = client_for(mia).get(f"/api/v1/evaluations/{found.uuid}/predictions/").json()["results"]
    hidden = client_for(aida).get(f"/api/v1/evaluations/{found.uuid}/predictions/").json()["results"]

    assert [each["role"] for each in lines[0]["turns"]] == ["system", "user", "assistant", "user"]
    assert lines[0]["prompt"] == "\n".join(f"{each['role']}: {each['content']}" for each in lines[0]["turns"])
    assert {(row["prompt"], tuple(row["turns"])) for row in hidden} == {("", ())}


def test_chats_are_grouped_into_slices(found, mia, client_for):
    client = client_for(mia)
    page = client.get(f"/evaluations/{found.uuid}/slices/", {"column": "fact:file"})

    (group,) = page.context["report"]["groups"]
    assert group["rows"] == found.rows
    rows = client.get(group["url"])
    assert rows.context["total"] == found.rows
    assert rows.content.decode().count("3 turns earlier</summary>") == min(found.rows, 30)


def test_the_run_page_shows_samples_with_their_chats(runs, mia, aida, client_for):
    page = client_for(mia).get(f"/runs/{runs[0].uuid}/").content.decode()
    lines = client_for(mia).get(f"/api/v1/runs/{runs[0].uuid}/samples/").json()["results"]

    assert page.count("3 turns earlier</summary>") == 2
    assert "sample 1 at 60" in page
    assert all(row["text"].startswith("system: please\nuser: ") and len(row["turns"]) == 4 for row in lines)
    assert "turns earlier</summary>" not in client_for(aida).get(f"/runs/{runs[0].uuid}/").content.decode()


@pytest.mark.postgres
def test_annotators_see_the_chat_as_the_prompt(runs, mia, ana, client_for):
    a, b = (Evaluation.objects.get(run=each, split="test") for each in runs)

    side = actions.ask_people(first=a, second=b, actor=mia, pairs=10, seed=3)
    run_ok("default")
    side = actions.open_side_by_side(side_id=side.uuid, actor=mia)

    items = list(Item.objects.filter(dataset=side.dataset))
    assert len(items) == 10
    for item in items:
        assert [each["role"] for each in item.content["prompt"]] == ["system", "user", "assistant", "user"]
        assert item.text.startswith("system: please\nuser: ")
    bench = client_for(ana).get(f"/labeling/{side.queue.uuid}/bench/").content.decode()
    assert "<b>system</b> <bdi>please</bdi>" in bench
    assert json.dumps(str(runs[0])) not in bench


@pytest.mark.parametrize(
    ("report", "text"),
    [
        ({"left_out": {}}, ""),
        (
            {"left_out": {"with tool calls": 1}},
            "1 dialogue is excluded from training and evaluation: 1 with tool calls.",
        ),
        (
            {"left_out": {"with tool calls": 1, "with non-text content": 2}},
            (
                "3 dialogues are excluded from training and evaluation: 2 with non-text content, 1 with tool"
                " calls."
            ),
        ),
    ],
)
def test_excluded_rows_are_described_in_a_sentence(report, text):
    assert notes.left_out(report) == text


def test_truncated_turns_are_reported():
    cut = {
        "rows": 9,
        "limit": 64,
        "prompts": 2,
        "prompt_tokens": 30,
        "answers": 0,
        "answer_tokens": 0,
        "turns": 4,
    }

    assert (
        notes.cut({"truncation": cut})
        == "2 prompts were truncated by 30 tokens (4 turns of dialogues, the oldest first; then a context at"
        " its end, a prompt without one at its beginning): a row has at most 64 tokens."
    )
