"""The labeling bench under real keys: letters find, digits choose, capitals act."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from datasets_app.queues.models import Annotation, Comment, Queue, Slot, SlotSkip
from datasets_app.queues.queries import decisions
from tests.support.browser import fits, intercept
from tests.support.labeling import all_given_back, make_dataset, make_queue

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CLASSES = ["activate_card", "atm_support", "billing", "card_arrival", "card_lost", "exchange_rate"]
CLASSES += ["fee_charged", "pin_blocked", "refund", "top_up", "transfer_failed", "transfer_timing"]


@pytest.fixture
def queue(project, mia) -> Queue:
    texts = [f"text {n}" for n in range(9)]
    return make_queue(make_dataset(project, mia, texts), mia, schema=CLASSES)


def answers() -> list[tuple[str, str]]:
    return list(decisions.standing_answers().order_by("item_id").values_list("item__text", "label__name"))


def saved(page: Page, done: int) -> None:
    """The header counts annotations, and all of them are saved."""
    expect(page.locator("#n")).to_have_text(str(done))
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")


def test_letters_find_and_digits_choose(open_bench, ana):
    page = open_bench(ana)
    expect(page.locator("#utter")).to_have_text("text 0")

    page.keyboard.type("transfer")
    expect(page.locator("#ranks li")).to_have_count(2)
    expect(page.locator("#map button.dim")).to_have_count(10)
    page.keyboard.press("2")

    expect(page.locator("#utter")).to_have_text("text 1")
    expect(page.locator("#say")).to_have_text("transfer_timing")
    expect(page.locator("#find")).to_have_value("")
    saved(page, 1)
    assert answers() == [("text 0", "transfer_timing")]


def test_a_question_mark_in_a_name_is_typed_like_its_other_characters(open_bench, queue, project, mia, ana):
    other = make_queue(
        make_dataset(project, mia, ["text 0"], name="Other", slug="other"),
        mia,
        schema=["reverted_payment", "reverted_payment?"],
    )
    page = open_bench(ana)
    page.goto(f"/labeling/{other.uuid}/bench/")

    page.keyboard.type("reverted_payment?")
    expect(page.locator("#ranks li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#bench")).to_have_count(0)
    assert answers() == [("text 0", "reverted_payment?")]


def test_enter_accepts_the_highlighted_label_and_the_guideline_follows(open_bench, ana):
    page = open_bench(ana)

    page.keyboard.press("ArrowDown")
    expect(page.locator("#guide-name")).to_have_text("atm_support")
    page.keyboard.press("Enter")

    saved(page, 1)
    assert answers() == [("text 0", "atm_support")]


def test_undo_returns_the_item_with_its_label_preselected(open_bench, ana):
    page = open_bench(ana)
    page.keyboard.press("3")
    saved(page, 1)

    page.keyboard.press("Shift+U")

    expect(page.locator("#utter")).to_have_text("text 0")
    expect(page.locator("#ranks [aria-selected=true]")).to_contain_text("billing")
    expect(page.locator("#n")).to_have_text("0")
    page.keyboard.press("Enter")
    saved(page, 1)
    assert answers() == [("text 0", "billing")]


def test_skip_asks_for_a_reason_and_goes_on(open_bench, ana):
    page = open_bench(ana)

    page.keyboard.press("Shift+S")
    page.keyboard.type("2 languages")
    page.keyboard.press("Enter")

    expect(page.locator("#utter")).to_have_text("text 1")
    expect(page.locator("#find")).to_be_focused()
    saved(page, 0)
    assert list(SlotSkip.objects.values_list("item__text", "reason")) == [("text 0", "2 languages")]


def test_a_comment_and_a_flag_are_kept(open_bench, ana):
    page = open_bench(ana)

    page.keyboard.press("Shift+C")
    page.keyboard.type("Two intents in one.")
    page.get_by_role("button", name="Add comment").click()
    expect(page.locator("#say")).to_have_text("Comment added")
    page.keyboard.press("Shift+F")
    expect(page.locator("#flag")).to_have_attribute("aria-pressed", "true")

    expect(page.locator("#say")).to_have_text("Flagged for a reviewer")
    assert list(Comment.objects.order_by("id").values_list("text", "is_flag")) == [
        ("Two intents in one.", False),
        ("Flagged.", True),
    ]


def test_the_whole_queue_by_keys(open_bench, ana, queue):
    page = open_bench(ana)
    for at in range(9):
        expect(page.locator("#utter")).to_have_text(f"text {at}")
        page.keyboard.press("1")

    expect(page.get_by_role("heading", name="All 9 annotations of Batch 1 are done.")).to_be_visible()
    assert answers() == [(f"text {n}", "activate_card") for n in range(9)]


def test_an_answer_that_cannot_be_sent_is_kept_and_sent_again(open_bench, ana):
    page = open_bench(ana)
    intercept(page, "**/submit/", lambda route: route.abort())
    expect(page.locator("#find")).to_be_focused()
    for taken in range(1, 4):
        page.keyboard.press("1")
        expect(page.locator("#utter")).to_have_text(f"text {taken}")
    expect(page.locator("#unsaved")).to_contain_text("Not saved (3)")

    page.keyboard.press("1")  # the fourth is not taken
    expect(page.locator("#utter")).to_have_text("text 3")
    page.unroute("**/submit/")
    page.locator("#try-again").click()

    saved(page, 3)
    expect(page.locator("#unsaved")).to_have_count(0)
    assert [text for text, _ in answers()] == ["text 0", "text 1", "text 2"]


def test_two_tabs_of_one_person_lose_and_double_nothing(open_bench, ana):
    first, second = open_bench(ana), open_bench(ana)
    first.keyboard.press("1")
    saved(first, 1)
    second.keyboard.press("2")
    expect(second.locator("#utter")).to_have_text("text 1")
    saved(second, 1)

    assert answers() == [("text 0", "atm_support")]
    assert Annotation.objects.count() == 2


def test_leaving_gives_the_items_back(open_bench, ana):
    page = open_bench(ana)
    assert Slot.objects.filter(user=ana).count() == 5

    page.locator("#leave").click()
    page.wait_for_url("**/labeling/*/")

    assert all_given_back(page)


def test_markup_in_a_text_does_nothing(open_bench, ana, mia, project, live_server):
    dataset = make_dataset(
        project, mia, ["<img src=x onerror=document.title='owned'> \u202eevil"], name="Bad", slug="bad"
    )
    queue = make_queue(dataset, mia, schema=["<b>bold</b>", "plain"], name="Bad")
    page = open_bench(ana)
    page.goto(f"{live_server.url}/labeling/{queue.uuid}/bench/")

    expect(page.locator("#utter")).to_contain_text("<img src=x onerror")
    expect(page.locator("#utter .unseen")).to_have_text("U+202E")
    expect(page.locator("#ranks li").first).to_contain_text("<b>bold</b>")
    assert page.locator("#utter img, #ranks b").count() == 0
    assert "owned" not in page.title()


def test_a_long_text_without_blanks_stays_in_the_page_and_leaves_room_for_the_classes(
    open_bench, ana, mia, project, live_server
):
    long = "It asks for https://example.org/" + "0123456789abcdef/" * 30
    dataset = make_dataset(project, mia, [long, "short"], name="Long", slug="long")
    queue = make_queue(dataset, mia, schema=CLASSES, name="Long")
    page = open_bench(ana)

    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{live_server.url}/labeling/{queue.uuid}/bench/")
        expect(page.locator(".utter")).to_have_class("utter long")
        fits(page)
        expect(page.locator("#find")).to_be_in_viewport()
    page.keyboard.press("1")
    expect(page.locator("#utter")).to_have_text("short")
    expect(page.locator(".utter")).to_have_class("utter")
    saved(page, 1)
