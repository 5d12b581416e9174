"""Review of annotations other than a single label: accepted, merged, and edited by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from datasets_app.queues.queries.decisions import standing
from datasets_app.schemas.queries.labels import names_in
from lifecycle.runtime.task_types.values import rename
from tests.support.labeling import annotate, make_annotator, make_dataset, make_queue, queue_items

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "Anna Keller works at Siemens in Munich."


def span(words: str, label: str) -> dict[str, object]:
    start = TEXT.index(words)
    return {"start": start, "end": start + len(words), "label": label}


def decided(queue) -> list[dict[str, object]]:
    names = names_in(queue.schema)
    return [rename(decision.value, names) for decision in standing().order_by("item_id")]


@pytest.fixture
def spans(project, mia, ana):
    queue = make_queue(
        make_dataset(project, mia, [TEXT], task="spans"), mia, schema=["PER", "ORG", "LOC"], overlap=3
    )
    (item,) = queue_items(queue)
    annotate(queue, ana, item, {"spans": [span("Anna Keller", "PER"), span("Siemens", "ORG")]})
    annotate(
        queue,
        make_annotator(project, "ben"),
        item,
        {"spans": [span("Anna Keller", "PER"), span("Munich", "LOC")]},
    )
    annotate(
        queue,
        make_annotator(project, "cem"),
        item,
        {"spans": [span("Anna", "PER"), span("Siemens", "ORG"), span("Munich", "LOC")]},
    )
    return queue


def test_the_majority_spans_are_accepted_with_one_key(opened, spans, ravi):
    page = opened(f"/labeling/{spans.uuid}/review/", ravi)

    page.keyboard.press("m")
    expect(page.locator("#marked tr")).to_have_count(3)
    page.keyboard.press("Enter")

    expect(page.get_by_text("No disagreements")).to_be_visible()
    assert decided(spans) == [
        {"spans": [span("Anna Keller", "PER"), span("Siemens", "ORG"), span("Munich", "LOC")]}
    ]


def test_a_reviewer_selects_other_spans_and_gives_a_reason(opened, spans, ravi):
    page = opened(f"/labeling/{spans.uuid}/review/", ravi)

    page.keyboard.press("1")  # shows A's annotation: two spans
    expect(page.locator("#marked tr")).to_have_count(2)
    page.keyboard.press("o")
    for key in ("Tab", "Backspace", "Enter"):  # without Anna
        page.keyboard.press(key)
    expect(page.locator("#confirm-text")).to_have_text("Resolve as 1 span and continue")
    page.locator("#reason").fill("Names of private people are not marked.")
    page.keyboard.press("Enter")

    expect(page.get_by_text("No disagreements")).to_be_visible()
    assert decided(spans) == [{"spans": [span("Siemens", "ORG")]}]


def test_ticked_classes_are_decided(opened, project, mia, ana, ravi):
    queue = make_queue(
        make_dataset(project, mia, ["one"], task="multi_label"), mia, schema=["a", "b", "c"], overlap=2
    )
    (item,) = queue_items(queue)
    annotate(queue, ana, item, {"labels": ["a"]})
    annotate(queue, make_annotator(project, "ben"), item, {"labels": ["b"]})
    page = opened(f"/labeling/{queue.uuid}/review/", ravi)

    page.get_by_label("c", exact=True).check()
    page.locator("#reason").fill("Both, and c.")
    page.locator("#confirm").click()

    expect(page.get_by_text("No disagreements")).to_be_visible()
    assert decided(queue) == [{"labels": ["a", "c"]}]


def test_a_reviewer_chooses_between_two_responses(opened, project, mia, ana, ravi):
    content = {"prompt": "Two and two?", "responses": ["Four.", "Five."]}
    queue = make_queue(make_dataset(project, mia, [content], task="preference"), mia, schema=[], overlap=2)
    (item,) = queue_items(queue)
    annotate(queue, ana, item, {"choice": "first"})
    annotate(queue, make_annotator(project, "ben"), item, {"choice": "tie"})
    page = opened(f"/labeling/{queue.uuid}/review/", ravi)
    expect(page.locator(".sides article").nth(1)).to_contain_text("Five.")

    page.keyboard.press("1")
    expect(page.locator("#confirm-text")).to_have_text("Accept A and continue")
    page.keyboard.press("Enter")

    expect(page.get_by_text("No disagreements")).to_be_visible()
    assert decided(queue) == [{"choice": "first"}]


def test_a_reviewer_writes_another_text(opened, project, mia, ana, ravi):
    queue = make_queue(
        make_dataset(project, mia, ["A long report."], task="generation"), mia, schema=[], overlap=2
    )
    (item,) = queue_items(queue)
    annotate(queue, ana, item, {"text": "Report."})
    annotate(queue, make_annotator(project, "ben"), item, {"text": "A report."})
    page = opened(f"/labeling/{queue.uuid}/review/", ravi)

    page.get_by_label("Another text").fill("The report, in short.")
    page.locator("#reason").fill("Neither names it.")
    page.get_by_role("button", name="Use this text", exact=True).click()

    expect(page.get_by_text("No disagreements")).to_be_visible()
    assert decided(queue) == [{"text": "The report, in short."}]
