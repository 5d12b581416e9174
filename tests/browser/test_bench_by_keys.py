"""What each key does on the bench: a button's own Enter, ten digits, what was typed to find, what is missing,
and a reload.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from datasets_app.queues.models import Annotation, Queue, Slot
from tests.support.labeling import all_given_back, make_dataset, make_queue

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NAMES = [
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliet",
    "kilo",
    "lima",
]
LABELS = [f"{name}_type" for name in NAMES]
KEY = "#️⃣"
FAMILY, FLAG = "👩‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"  # of five and seven code points
TEXTS = [
    "On Friday Maria Keller paid Acme.",
    "مرحبا بالعالم",
    f"{FAMILY} in {FLAG}! {KEY}",
    "Fourth text.",
    "Fifth text.",
    "Sixth text.",
    "Seventh text.",
]


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, TEXTS, task="spans"), mia, schema=LABELS, hidden_share=0)


@pytest.fixture
def generation_queue(project, mia) -> Queue:
    return make_queue(
        make_dataset(project, mia, ["Write me."], name="Written", slug="written", task="generation"),
        mia,
        schema=[],
        name="Written",
    )


@pytest.fixture
def single(project, mia) -> Queue:
    texts = [f"text {n}" for n in range(9)]
    return make_queue(
        make_dataset(project, mia, texts, name="Single", slug="single"), mia, schema=LABELS, name="Single"
    )


@pytest.fixture
def bench_of(window_of):
    pages = []

    def open_(user, queue: Queue) -> Page:
        page = window_of(user).new_page()
        pages.append(page)
        page.goto(f"/labeling/{queue.uuid}/bench/")
        return page

    yield open_
    for page in pages:
        page.goto("about:blank")
    assert not pages or all_given_back(pages[0])


def keys(page: Page, *pressed: str) -> None:
    for key in pressed:
        page.keyboard.press(key)


def saved(page: Page, done: int) -> None:
    expect(page.locator("#n")).to_have_text(str(done))
    expect(page.locator("#bench")).to_have_attribute("data-unsaved", "0")


def test_enter_on_the_cross_of_a_span_removes_it_and_saves_nothing(bench_of, queue, ana):
    page = bench_of(ana, queue)
    keys(page, "1", "ArrowRight", "2")
    expect(page.locator("#marked tr")).to_have_count(2)

    page.locator("[data-remove='0']").focus()
    keys(page, "Enter")

    expect(page.locator("#marked tr")).to_have_count(1)
    expect(page.locator("#utter")).to_contain_text("Maria Keller")
    assert page.evaluate("document.activeElement.dataset.remove") == "0"  # the next one
    keys(page, "Enter")
    expect(page.locator("#marked tr")).to_have_count(0)
    expect(page.locator("#find")).to_be_focused()
    assert Annotation.objects.count() == 0


def test_a_held_enter_on_the_cross_of_the_last_span_saves_nothing(bench_of, queue, ana):
    page = bench_of(ana, queue)
    keys(page, "1")
    page.locator("[data-remove='0']").focus()

    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # repeated by the keyboard
    page.keyboard.up("Enter")

    expect(page.locator("#marked tr")).to_have_count(0)
    expect(page.locator("#utter")).to_contain_text("Maria Keller")
    assert Annotation.objects.count() == 0


def test_a_span_that_was_removed_is_not_saved_with_the_others(bench_of, queue, ana):
    page = bench_of(ana, queue)
    keys(page, "1", "ArrowRight", "2")
    page.locator("[data-remove='0']").focus()
    keys(page, "Enter")
    page.locator("#find").focus()

    keys(page, "Enter")

    saved(page, 1)
    assert [(each["start"], each["end"]) for each in Annotation.objects.get().value["spans"]] == [(3, 9)]


@pytest.mark.parametrize(("button", "dialog"), [("#skip", "#skip-dialog"), ("#comment", "#comment-dialog")])
def test_enter_on_a_focused_button_does_what_the_button_does(bench_of, queue, ana, button, dialog):
    page = bench_of(ana, queue)
    page.locator(button).focus()

    keys(page, "Enter")

    expect(page.locator(dialog)).to_be_visible()
    assert Annotation.objects.count() == 0
    keys(page, "Escape")


def test_ten_labels_have_digits_and_the_rest_are_found(bench_of, queue, ana):
    page = bench_of(ana, queue)
    expect(page.locator("#ranks li[data-label]")).to_have_count(10)
    assert page.locator("#ranks li[data-label] kbd").all_inner_texts() == [*"1234567890"]

    keys(page, "0")
    expect(page.locator("#marked tr")).to_contain_text("juliet_type")
    keys(page, "ArrowRight")
    page.keyboard.type("lima")
    keys(page, "1")

    expect(page.locator("#marked tr")).to_have_count(2)
    expect(page.locator("#marked tr").nth(1)).to_contain_text("lima_type")
    expect(page.locator("#find")).to_have_value("")
    expect(page.locator("#ranks li[data-label]")).to_have_count(10)


def test_each_text_runs_in_its_own_direction(bench_of, queue, ana):
    page = bench_of(ana, queue)
    direction = "getComputedStyle(document.getElementById('utter')).direction"
    assert page.evaluate(direction) == "ltr"

    keys(page, "Enter")
    saved(page, 1)

    expect(page.locator("#utter")).to_contain_text("مرحبا")
    assert page.evaluate(direction) == "rtl"
    keys(page, "ArrowLeft", "1")  # on from the first word, to the left
    expect(page.locator("#marked th")).to_have_text("بالعالم")
    assert page.evaluate("getComputedStyle(document.querySelector('#marked th')).direction") == "rtl"


def test_an_emoji_of_many_parts_is_one_word_and_never_cut(bench_of, queue, ana):
    page = bench_of(ana, queue)
    keys(page, "Enter", "Enter")
    saved(page, 2)

    expect(page.locator("#utter .unseen")).to_have_count(0)
    pieces = page.locator("#utter [data-start]").all_inner_texts()
    assert [piece for piece in pieces if piece.strip()] == [FAMILY, "in", FLAG, "!", KEY]
    page.evaluate("""() => { const [node] = document.querySelector("#utter [data-start]").childNodes;
      getSelection().setBaseAndExtent(node, 0, node, 3);
      // within the first
      utter.dispatchEvent(new MouseEvent("mouseup", { bubbles: true, altKey: true })); }""")
    keys(page, "1", "Enter")
    saved(page, 3)
    answer = Annotation.objects.latest("pk")
    assert [(each["start"], each["end"]) for each in answer.value["spans"]] == [(0, len(FAMILY))]


def test_a_reload_brings_the_same_item_and_it_stays_in_hand(bench_of, single, ana):
    page = bench_of(ana, single)
    for _ in range(3):
        page.reload()
        expect(page.locator("#utter")).to_have_text("text 0")
    held = Slot.objects.filter(state=Slot.State.LEASED, user=ana).order_by("id")
    assert list(held.values_list("item__text", flat=True)) == [f"text {n}" for n in range(5)]


def test_an_annotator_who_returns_resumes_at_the_same_item(bench_of, single, ana):
    page = bench_of(ana, single)
    keys(page, "1")
    expect(page.locator("#utter")).to_have_text("text 1")
    saved(page, 1)

    page.locator("#leave").click()
    page.wait_for_url("**/labeling/*/")
    assert all_given_back(page)
    page.goto(f"/labeling/{single.uuid}/bench/")

    expect(page.locator("#utter")).to_have_text("text 1")


def test_an_empty_text_is_not_saved_and_the_page_shows_what_is_missing(bench_of, generation_queue, ana):
    page = bench_of(ana, generation_queue)
    expect(page.locator("#write")).to_be_focused()

    keys(page, "Escape", "Enter")
    expect(page.locator("#missing")).to_be_visible()
    expect(page.locator("#write")).to_be_focused()
    assert page.evaluate("[write.getAttribute('aria-invalid'), write.getAttribute('aria-describedby')]") == [
        "true",
        "missing",
    ]
    keys(page, "Control+Enter")
    expect(page.locator("#missing")).to_be_visible()
    assert Annotation.objects.count() == 0

    page.keyboard.type("Written.")
    expect(page.locator("#missing")).to_be_hidden()
    assert page.evaluate("write.getAttribute('aria-invalid')") is None
    keys(page, "Control+Enter")
    expect(page.locator("#bench")).to_have_count(0)
    assert Annotation.objects.get().value == {"text": "Written."}


def test_what_undo_puts_into_the_field_is_replaced_by_typing(bench_of, single, ana):
    page = bench_of(ana, single)
    page.keyboard.type("lima")
    keys(page, "Enter")
    saved(page, 1)

    keys(page, "Shift+U")
    expect(page.locator("#find")).to_have_value("lima_type")
    page.keyboard.type("kilo")

    expect(page.locator("#find")).to_have_value("kilo")
    keys(page, "Enter")
    saved(page, 1)
    assert Annotation.objects.latest("pk").label.name == "kilo_type"


def test_undo_goes_back_through_answers_that_were_put_into_the_field(bench_of, single, ana):
    page = bench_of(ana, single)
    for at in (1, 2):
        page.keyboard.type("lima")
        keys(page, "Enter")
        saved(page, at)

    keys(page, "Control+z")
    expect(page.locator("#utter")).to_have_text("text 1")
    expect(page.locator("#find")).to_have_value("lima_type")
    keys(page, "Control+z")
    expect(page.locator("#utter")).to_have_text("text 0")
