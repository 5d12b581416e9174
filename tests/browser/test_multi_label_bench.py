"""Any number of labels per text by keyboard: digits and found names select, Enter saves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.queues.models import Queue
from datasets_app.queues.queries import decisions
from datasets_app.schemas.queries.labels import names_in
from lifecycle.runtime.task_types.values import rename
from tests.support.labeling import make_dataset, make_queue

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CLASSES = [
    "billing",
    "card",
    "complaint",
    "fraud",
    "identity",
    "login",
    "loan",
    "savings",
    "transfer",
    "travel",
]


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(
        make_dataset(project, mia, [f"text {n}" for n in range(4)], task="multi_label"), mia, schema=CLASSES
    )


def ticked(queue: Queue) -> list[list[str]]:
    names = names_in(queue.schema)
    return [
        rename(answer.value, names)["labels"] for answer in decisions.standing_answers().order_by("item_id")
    ]


def saved(page, done: int) -> None:
    expect(page.locator("#n")).to_have_text(str(done))
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")


def test_digits_and_found_names_tick_and_enter_saves(open_bench, queue, ana):
    page = open_bench(ana)

    page.keyboard.press("2")
    page.keyboard.type("trav")
    page.keyboard.press("Enter")
    expect(page.locator("#save-text")).to_have_text("Save 2 labels")
    expect(page.locator("#find")).to_have_value("")
    page.keyboard.press("Enter")

    saved(page, 1)
    assert ticked(queue) == [["card", "travel"]]


def test_an_empty_label_set_needs_a_second_enter(open_bench, queue, ana):
    page = open_bench(ana)

    page.keyboard.press("Enter")
    expect(page.locator("#save-text")).to_have_text("Save without labels")
    assert ticked(queue) == []
    page.keyboard.press("Enter")

    saved(page, 1)
    assert ticked(queue) == [[]]


def test_the_map_shows_what_is_ticked_and_undo_brings_it_back(open_bench, queue, ana):
    page = open_bench(ana)
    page.locator("#map button", has_text="loan").click()
    expect(page.locator("#map button", has_text="loan")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    saved(page, 1)
    expect(page.locator("#map button[aria-pressed=true]")).to_have_count(0)

    page.keyboard.press("Shift+U")

    expect(page.locator("#map button", has_text="loan")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#utter")).to_have_text("text 0")
