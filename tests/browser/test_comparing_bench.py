"""Preference, ranking, generation, and chat by keyboard; saved values number the responses as in the file,
whatever their order on the page.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.prelabels.actions.suggestions import suggest_values
from datasets_app.queues.models import Annotation
from datasets_app.queues.rules import side_order
from tests.support.labeling import make_dataset, make_queue, queue_items

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOWN = 16  # pairs: all of them on one side happens once in 32,768 times


@pytest.fixture
def bench_of(opened):
    return lambda queue, user: opened(f"/labeling/{queue.uuid}/bench/", user)


@pytest.fixture
def make(project, mia):
    return lambda task, rows: make_queue(
        make_dataset(project, mia, rows, task=task), mia, hidden_share=0, schema=[]
    )


def saved(page, done: int) -> None:
    expect(page.locator("#n")).to_have_text(str(done))
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")


def test_the_better_side_is_saved_as_the_files_response(bench_of, make, ana):
    queue = make(
        "preference",
        [{"prompt": f"Question {n}?", "responses": [f"good {n}", f"poor {n}"]} for n in range(SHOWN)],
    )
    page = bench_of(queue, ana)

    for n in range(SHOWN):
        expect(page.locator("#utter article").first).to_contain_text(f"Question {n}?")
        left = page.locator("[data-at='0']").inner_text()
        page.keyboard.press("1" if f"good {n}" in left else "2")
    expect(page.locator("#bench")).to_have_count(0)

    answers = list(Annotation.objects.order_by("item_id"))
    assert [answer.value for answer in answers] == [{"choice": "first"}] * SHOWN
    assert [answer.shown for answer in answers] == [
        side_order(queue.uuid, answer.item.digest, ana.uuid, 2) for answer in answers
    ]
    assert {tuple(answer.shown) for answer in answers} == {(0, 1), (1, 0)}


def test_responses_are_ranked_best_first(bench_of, make, ana):
    queue = make(
        "ranking",
        [{"prompt": "Name a colour.", "responses": ["red", "blue", "42"]}, {"responses": ["one", "two"]}],
    )
    page = bench_of(queue, ana)
    shown = [page.locator(f"[data-at='{at}']").inner_text() for at in range(3)]
    key = {
        word: str(next(at for at, text in enumerate(shown) if word in text) + 1)
        for word in ("red", "blue", "42")
    }

    page.keyboard.press(key["42"])
    page.keyboard.press("Backspace")
    page.keyboard.press(key["blue"])
    page.keyboard.press(key["red"])  # the last one is added automatically
    page.keyboard.press("Enter")

    saved(page, 1)
    assert Annotation.objects.get().value == {"ranking": [1, 0, 2]}
    expect(page.locator("#ranks li:visible")).to_have_count(2)


def test_a_response_is_written_beside_its_source(bench_of, make, ana):
    queue = make("generation", ["A long report.", "Another."])
    page = bench_of(queue, ana)
    expect(page.locator("#write")).to_be_focused()

    page.keyboard.press("Control+Enter")  # empty: nothing is saved
    page.keyboard.type("It says 3 things. So there.")
    page.keyboard.press("Control+Enter")

    saved(page, 1)
    assert Annotation.objects.get().value == {"text": "It says 3 things. So there."}
    expect(page.locator("#write")).to_have_value("")


def test_a_draft_is_edited_and_the_difference_shown(bench_of, make, ana):
    queue = make("generation", ["A long report."])
    (item,) = queue_items(queue)
    suggest_values(
        dataset=queue.dataset,
        rows=[(item.pk, {"text": "Short and wrong."}, None)],
        source="run",
        source_digest="a" * 64,
        source_name="run 7",
    )
    page = bench_of(queue, ana)
    expect(page.locator("#write")).to_have_value("Short and wrong.")
    expect(page.locator("#diff")).to_be_hidden()

    page.locator("#write").fill("Short and right.")

    expect(page.locator("#diff del")).to_have_text("wrong.")
    expect(page.locator("#diff ins")).to_have_text("right.")
    assert Annotation.objects.count() == 0


def test_only_the_assistants_turns_of_a_dialogue_are_written(bench_of, make, ana):
    asked = {"role": "user", "content": "Hi?"}
    queue = make(
        "chat", [{"messages": [asked, {"role": "assistant", "content": "Helo!"}]}, {"messages": [asked]}]
    )
    page = bench_of(queue, ana)

    page.get_by_label("Turn 2, assistant").fill("Hello!")
    page.keyboard.press("Control+Enter")
    saved(page, 1)
    expect(page.locator("#utter textarea")).to_have_value("")
    page.locator("#utter textarea").fill("How can I help?")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+S")
    expect(page.locator("#skip-dialog")).to_be_visible()

    assert Annotation.objects.get().value == {"messages": [asked, {"role": "assistant", "content": "Hello!"}]}
