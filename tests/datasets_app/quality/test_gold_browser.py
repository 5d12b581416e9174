"""Gold in a browser: results while labeling, list, form, and report; wide and narrow, light and dark."""

import random

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from datasets_app.quality.actions.quality import measure_quality
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.models import Seat
from tests.support.browser import is_accessible, is_legible, loaded_on_a_phone
from tests.support.gold import gold_at, know, known_dataset, mixed_queue, take
from tests.support.jobs import run_ok
from tests.support.labeling import make_annotator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_labeling_page_shows_the_result_and_enter_continues(project, mia, ravi, ana, opened):
    dataset = known_dataset(
        project, mia, ravi, [], ["Where is my new card?", *(f"text {n}" for n in range(9))]
    )
    know(
        dataset.items.order_by("id").first(),
        ravi,
        {"label": "card"},
        explanation="It asks for a card that was sent.",
    )
    queue = mixed_queue(dataset, mia, gold_feedback=True)
    with gold_at(0):
        claim(queue_id=queue.uuid, actor=ana)
    page = opened(reverse("queues:bench", args=[queue.uuid]), ana)
    expect(page.locator("#utter")).to_have_text("Where is my new card?")

    page.keyboard.press("1")

    dialog = page.locator("#gold-dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Wrong")
    expect(dialog).to_contain_text("It asks for a card that was sent.")
    is_legible(page, "gold-told")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#utter")).to_have_text("text 0")
    page.keyboard.press("2")
    expect(page.locator("#utter")).to_have_text("text 1")
    page.keyboard.press("2")
    expect(page.locator("#utter")).to_have_text("text 2")
    assert (Seat.objects.get().labeled, Seat.objects.get().gold_right) == (3, 0)


def test_g_ticks_gold_in_review(project, mia, ravi, ana, ben, opened):
    dataset = known_dataset(project, mia, ravi, [], [f"text {n}" for n in range(3)])
    queue = mixed_queue(dataset, mia, rate=0, overlap=2)
    for person, label in ((ana, "card"), (ben, "billing")):
        take(queue, person, claim(queue_id=queue.uuid, actor=person, k=1)[0], {"label": label})
    page = opened(reverse("review:review", args=[queue.uuid]), ravi)

    page.keyboard.press("g")

    expect(page.locator("#gold")).to_be_checked()
    is_legible(page, "gold-review")


@pytest.fixture
def measured(project, mia, ravi, ana):
    """40 gold items, people of whom one is held, and a report."""
    chance = random.Random(5)
    dataset = known_dataset(
        project,
        mia,
        ravi,
        ["card", "billing", "transfer"] * 14,
        [f"My question {n} is about the money that has not come." for n in range(60)],
    )
    queue = mixed_queue(dataset, mia, gold_minimum=85, gold_holds=True)
    for person, share in (
        (ana, 0.95),
        (make_annotator(project, "cleo"), 0.4),
        (make_annotator(project, "dora"), 0.9),
    ):
        with gold_at(*range(10_000)):
            hand = claim(queue_id=queue.uuid, actor=person, k=20)
        for slot in hand:
            known = slot.item.golds.get().label.name
            take(
                queue,
                person,
                slot,
                {"label": known if chance.random() < share else "billing" if known == "card" else "card"},
            )
    with gold_at():
        release(queue_id=queue.uuid, actor=ana)
        for slot in claim(queue_id=queue.uuid, actor=ana):
            take(queue, ana, slot, {"label": "card"})
    measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok()
    return queue


def test_the_pages_are_accessible(opened, measured, ravi, lee, ana, mia):
    queue, item = measured, measured.dataset.items.get(text="gold 0")
    gold, of_item = (
        reverse("quality:gold", args=[queue.dataset.uuid]),
        reverse("quality:gold_item", args=[item.uuid]),
    )
    quality, own = (reverse(page, args=[queue.uuid]) for page in ("quality:quality", "queues:queue"))
    new = reverse("queues:open", args=[queue.dataset.uuid])
    pages = {
        ravi: {"gold-list": gold, "gold-item": of_item},
        lee: {"gold-quality": quality},
        mia: {"gold-queue": own, "gold-open": new},
        ana: {"gold-own": own},
    }

    for person, paths in pages.items():
        for name, page in loaded_on_a_phone(opened, paths, person):
            is_accessible(page, name, both_schemes=True)
