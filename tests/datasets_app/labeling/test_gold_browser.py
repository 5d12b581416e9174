"""Gold as a browser shows it: told on the bench, listed, set, measured; wide and narrow, light and dark."""

import random

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from datasets_app.labeling import actions
from datasets_app.labeling.models import Seat
from tests.support.browser import fits, shot, violations
from tests.support.gold import gold_at, know, known_dataset, mixed_queue, take
from tests.support.jobs import run_ok
from tests.support.labeling import make_annotator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_bench_tells_how_somebody_did_and_enter_goes_on(project, mia, ravi, ana, opened):
    dataset = known_dataset(project, mia, ravi, [], ["Where is my new card?", *(f"text {n}" for n in range(9))])
    know(dataset.items.order_by("id").first(), ravi, {"label": "card"}, explanation="It asks for a card that was sent.")
    queue = mixed_queue(dataset, mia, gold_feedback=True)
    with gold_at(0):
        actions.claim(queue_id=queue.uuid, actor=ana)
    page = opened(reverse("labeling:bench", args=[queue.uuid]), ana)
    expect(page.locator("#utter")).to_have_text("Where is my new card?")

    page.keyboard.press("1")

    dialog = page.locator("#gold-dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Not right")
    expect(dialog).to_contain_text("It asks for a card that was sent.")
    fits(page)
    shot(page, "gold-told")
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#utter")).to_have_text("text 0")
    page.keyboard.press("2")
    expect(page.locator("#utter")).to_have_text("text 1")
    page.keyboard.press("2")
    expect(page.locator("#utter")).to_have_text("text 2")
    assert (Seat.objects.get().labelled, Seat.objects.get().gold_right) == (3, 0)


def test_g_ticks_gold_in_review(project, mia, ravi, ana, ben, opened):
    dataset = known_dataset(project, mia, ravi, [], [f"text {n}" for n in range(3)])
    queue = mixed_queue(dataset, mia, rate=0, overlap=2)
    for person, label in ((ana, "card"), (ben, "billing")):
        take(queue, person, actions.claim(queue_id=queue.uuid, actor=person, k=1)[0], {"label": label})
    page = opened(reverse("labeling:review", args=[queue.uuid]), ravi)

    page.keyboard.press("g")

    expect(page.locator("#gold")).to_be_checked()
    fits(page)
    shot(page, "gold-review")
    assert violations(page) == []


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
    for person, share in ((ana, 0.95), (make_annotator(project, "cleo"), 0.4), (make_annotator(project, "dora"), 0.9)):
        with gold_at(*range(10_000)):
            hand = actions.claim(queue_id=queue.uuid, actor=person, k=20)
        for slot in hand:
            known = slot.item.golds.get().label.name
            take(queue, person, slot, {"label": known if chance.random() < share else "billing" if known == "card" else "card"})
    with gold_at():
        actions.release(queue_id=queue.uuid, actor=ana)
        for slot in actions.claim(queue_id=queue.uuid, actor=ana):
            take(queue, ana, slot, {"label": "card"})
    actions.measure_quality(queue_id=queue.uuid, actor=mia)
    run_ok()
    return queue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_shut_nobody_out(opened, measured, ravi, lee, ana, mia, width, scheme):
    queue, item = measured, measured.dataset.items.get(text="gold 0")
    pages = {
        "list": (ravi, reverse("labeling:gold", args=[queue.dataset.uuid])),
        "item": (ravi, reverse("labeling:gold_item", args=[item.uuid])),
        "quality": (lee, reverse("labeling:quality", args=[queue.uuid])), "queue": (mia, reverse("labeling:queue", args=[queue.uuid])),
        "own": (ana, reverse("labeling:queue", args=[queue.uuid])), "open": (mia, reverse("labeling:open", args=[queue.dataset.uuid])),
    }  # fmt: skip
    for name, (person, address) in pages.items():
        page = opened(address, person, width=width, scheme=scheme)
        fits(page)
        shot(page, f"gold-{name}-{width}-{scheme}")
        assert violations(page) == []
