"""Marking parts of a text with keys alone, and with the mouse; the offsets that arrive are code points."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.prelabels.actions.suggestions import suggest_values
from datasets_app.queues.models import Annotation, Queue
from datasets_app.queues.queries import decisions
from datasets_app.schemas.queries.labels import names_in
from lifecycle.runtime.task_types.values import rename
from tests.support.labeling import make_dataset, make_queue, queue_items

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXTS = [
    "On Friday Maria Keller paid £1,250.00 to Acme.",
    "👨🏻‍🚒 firemen drive firetrucks",
    "No issues match.",
]


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(
        make_dataset(project, mia, TEXTS, task="spans"),
        mia,
        schema=["PERSON", "AMOUNT", "ORG"],
        hidden_share=0,
    )


def annotated_spans(queue: Queue) -> list[list[tuple[str, str]]]:
    """The spans of each item's latest annotation, as (text, label)."""
    names = names_in(queue.schema)
    found = []
    for answer in decisions.standing_answers().select_related("item").order_by("item_id"):
        spans = rename(answer.value, names)["spans"]
        found.append([(answer.item.text[each["start"] : each["end"]], each["label"]) for each in spans])
    return found


def saved(page, done: int) -> None:
    expect(page.locator("#n")).to_have_text(str(done))
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")


def keys(page, *pressed: str) -> None:
    for key in pressed:
        page.keyboard.press(key)


def test_spans_are_selected_and_saved_without_a_mouse(open_bench, queue, ana):
    page = open_bench(ana)

    keys(page, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "1")  # Maria Keller
    # the amount, with its sign and without the full stop's neighbour
    keys(page, "ArrowRight", "ArrowRight", "2")
    expect(page.locator("#utter mark")).to_have_count(4)  # Maria, the blank, Keller; the amount
    expect(page.locator("#marked tr")).to_have_count(2)
    keys(page, "End", "ArrowLeft", "3", "Enter")  # Acme, without the full stop

    saved(page, 1)
    assert annotated_spans(queue) == [[("Maria Keller", "PERSON"), ("£1,250.00", "AMOUNT"), ("Acme", "ORG")]]


def test_a_span_is_retyped_resized_and_removed_by_keys(open_bench, queue, ana):
    page = open_bench(ana)
    keys(page, "ArrowRight", "ArrowRight", "1")  # Maria
    keys(page, "End", "ArrowLeft", "2")  # Acme, as AMOUNT by mistake
    keys(page, "Home", "Tab", "Shift+ArrowRight")  # Maria Keller

    keys(page, "Tab", "3")
    expect(page.locator("#marked tr").nth(1)).to_contain_text("ORG")
    keys(page, "Shift+Tab", "Backspace", "Enter")

    saved(page, 1)
    assert annotated_spans(queue) == [[("Acme", "ORG")]]


def test_offsets_arrive_as_code_points(open_bench, queue, ana):
    page = open_bench(ana)
    keys(page, "Enter")
    saved(page, 1)
    expect(page.locator("#utter")).to_contain_text("firetrucks")

    keys(page, "End", "3", "Enter")

    saved(page, 2)
    answer = Annotation.objects.get(item__text=TEXTS[1])
    assert [(each["start"], each["end"]) for each in answer.value["spans"]] == [(19, 29)]


def test_a_suggested_span_is_kept_only_when_it_is_taken(open_bench, queue, ana):
    item = queue_items(queue)[0]
    ids = {name: key for key, name in names_in(queue.schema).items()}
    spans = [
        {"start": 3, "end": 9, "label": ids["ORG"], "score": 0.4},
        {"start": 10, "end": 22, "label": ids["PERSON"], "score": 0.91},
    ]
    suggest_values(
        dataset=queue.dataset,
        rows=[(item.pk, {"spans": spans}, 0.6)],
        source="run",
        source_digest="a" * 64,
        source_name="run 7",
    )
    page = open_bench(ana)
    expect(page.locator("#marked tr")).to_have_count(2)
    expect(page.locator("#save-text")).to_have_text("Save without spans")

    keys(page, "Tab", "Tab", "Enter")  # past Friday, takes Maria Keller
    expect(page.locator("#save-text")).to_have_text("Save 1 span")
    keys(page, "Enter")

    saved(page, 1)
    assert annotated_spans(queue) == [[("Maria Keller", "PERSON")]]


def test_the_mouse_selects_whole_words(open_bench, queue, ana):
    page = open_bench(ana)
    first, last = (page.locator(f"#utter [data-start='{start}']").bounding_box() for start in (10, 16))

    page.mouse.move(first["x"] + first["width"] / 2, first["y"] + first["height"] / 2)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] / 2, last["y"] + last["height"] / 2, steps=5)
    page.mouse.up()
    page.locator("#ranks li").first.click()
    page.locator("#save").click()

    saved(page, 1)
    assert annotated_spans(queue) == [[("Maria Keller", "PERSON")]]


def test_overlapping_spans_are_kept_and_an_undone_answer_comes_back(open_bench, queue, ana):
    page = open_bench(ana)
    keys(page, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "1")
    keys(page, "ArrowLeft", "ArrowRight", "3", "Enter")  # Keller alone, inside
    saved(page, 1)
    assert annotated_spans(queue) == [[("Maria Keller", "PERSON"), ("Keller", "ORG")]]

    keys(page, "Shift+U")

    expect(page.locator("#marked tr")).to_have_count(2)
    expect(page.locator("#utter")).to_contain_text("Maria Keller")
