"""The explain for responses in order and for written answers: reached from a row, legible in both schemes, at both widths."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from lifecycle.compute import warm
from lifecycle.compute.child import Result
from lifecycle.engine.occlusion import spans
from lifecycle.evaluation import actions
from lifecycle.evaluation.models import Analysis
from tests.support.browser import NARROW, WIDE, fits, is_legible, shot, shown_as, shuts_nobody_out
from tests.support.jobs import run_ok
from tests.support.probes import items_of, measured

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EFFECTS = (2.5, -1.5, 0.4, 0.001)


def effects_of(text, turn=None):
    """Made-up effects of its words."""
    found = [{"start": start, "end": end, "effect": EFFECTS[at % 4]} for at, (start, end) in enumerate(spans(text))]
    return found if turn is None else [each | {"turn": turn} for each in found]


def fits_everywhere(page, name):
    for width, scheme in ((WIDE, "light"), (NARROW, "dark")):
        shown_as(page, width, scheme)
        shot(page, f"{name}-{width}-{scheme}")
        fits(page)


def test_the_words_of_each_response_are_reached_from_its_row(opened, project, mia, monkeypatch):
    evaluation = measured("ranking", project, mia)

    def explain(artifact, prompt, responses):
        asked = effects_of(prompt)
        return [
            {
                "answer": at, "log_odds": 1.5 - each, "empty": 0.2, "prompt": asked, "words": effects_of(responses[at]),
                "found": len(spans(prompt)) + len(spans(responses[at])) + 3,
            }
            for each, at in enumerate((1, 0, 2))
        ]  # fmt: skip

    monkeypatch.setattr(warm, "explain_responses", explain)
    for item in items_of(evaluation)[1:]:
        actions.analyse(evaluation=evaluation, kind=Analysis.Kind.WORDS, actor=mia, item=item)
    run_ok("default")

    page = opened(f"/evaluations/{evaluation.uuid}/items/?sort=close", mia, width=NARROW, scheme="dark")
    fits_everywhere(page, "words-orders-rows")
    page.goto(f"/evaluations/{evaluation.uuid}/words/?item={items_of(evaluation)[1]}")
    page.get_by_role("link", name="Response 1", exact=True).click()
    expect(page.get_by_text("Response 1 leads by 0.500")).to_be_visible()
    shuts_nobody_out(page, "words-orders")
    page.goto(f"/evaluations/{evaluation.uuid}/words/?item={items_of(evaluation)[0]}")
    is_legible(page, "words-orders-before")


@pytest.mark.parametrize("task", ["generation", "chat"])
def test_the_words_of_a_prompt_stand_beside_the_answer(opened, project, mia, monkeypatch, task):
    evaluation = measured(task, project, mia)

    def run_child(ctx, verb, folder, on_events):
        row = json.loads((folder / "data.jsonl").read_text())
        turns = [(at, turn["content"]) for at, turn in enumerate(row.get("messages", [])[:-1]) if turn["role"] != "assistant"]
        words = [word for at, text in turns or [(0, row["text"])] for word in effects_of(text, at)]
        found = {"log_probability": -3.25, "empty": -14.5, "tokens": 7, "unit": "words", "size": 1, "words": words}
        return Result("succeeded", data=found | {"found": len(words) + 2, "taken": len(words)})

    monkeypatch.setattr("lifecycle.evaluation.child.run_child", run_child)

    page = opened(f"/evaluations/{evaluation.uuid}/answers/", mia, width=NARROW, scheme="dark")
    fits_everywhere(page, f"words-{task}-rows")
    page.get_by_role("link", name="explain").first.click()
    page.get_by_role("button", name="Find the explain").click()
    expect(page.get_by_role("button", name="Find the explain")).to_have_count(0)
    shot(page, f"words-{task}-waiting")
    run_ok("evaluation")
    page.reload()

    expect(page.get_by_role("heading", name="Words", exact=True)).to_be_visible()
    shuts_nobody_out(page, f"words-{task}")
