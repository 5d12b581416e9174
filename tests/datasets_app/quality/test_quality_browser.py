"""The quality page as a browser shows it: wide and narrow, light and dark, for everybody."""

import random
from uuid import uuid4

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from datasets_app.prelabels.models import Suggestion
from datasets_app.quality.actions.quality import measure_quality
from datasets_app.queues.actions.answers import submit
from datasets_app.schemas.queries.labels import labels_by_name
from tests.support.browser import NARROW, is_accessible
from tests.support.jobs import run_ok
from tests.support.labeling import label_value, make_annotator, make_dataset, make_queue, queue_items

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NAMES = [
    "card_arrival",
    "card_delivery_estimate",
    "lost_or_stolen_card",
    "pending_transfer",
    "transfer_not_received_by_recipient",
    "top_up_failed",
    "top_up_reverted",
    "wrong_exchange_rate",
    "refund_not_showing_up",
    "verify_my_identity",
    "age_limit",
    "cash_withdrawal",
]


@pytest.fixture
def queue(project, mia, ana, ben, ravi):
    """80 items, five people, labels that look close mixed up now and then."""
    chance = random.Random(3)
    dataset = make_dataset(
        project, mia, [f"My question {n} is about the money that has not come." for n in range(80)]
    )
    made = make_queue(dataset, mia, schema=NAMES, overlap=3, hidden_share=0)
    people, labels = (
        [
            ana,
            ben,
            *(make_annotator(project, name) for name in ("cleo", "dora", "emil")),
        ],
        labels_by_name(made.schema),
    )
    for item in queue_items(made):
        at = chance.randrange(12)
        shown = Suggestion.objects.create(
            item=item,
            label=labels[NAMES[at]],
            score=0.9,
            source="function",
            source_digest="d" * 64,
            source_name="rule",
        )
        for who in chance.sample(people, 3):
            name = (
                NAMES[at]
                if who == ana or chance.random() < 0.8
                else NAMES[(at + chance.choice((1, 1, 11))) % 12]
            )
            slot = made.slots.filter(item=item).first()
            submit(
                queue_id=made.uuid,
                actor=who,
                slot_id=slot.pk,
                value=label_value(labels[name]),
                client_key=uuid4(),
                prelabel_id=shown.pk,
                seconds=chance.lognormvariate(1.5, 0.5),
            )
    measure_quality(queue_id=made.uuid, actor=mia)
    run_ok()
    return made


def test_the_pages_are_accessible(opened, queue, lee, ravi, ben):
    quality, own = (reverse(page, args=[queue.uuid]) for page in ("quality:quality", "queues:queue"))

    page = opened(quality, lee, width=NARROW, scheme="dark")
    expect(page.locator(".plot svg.main-svg").first).to_be_visible()
    is_accessible(page, "quality", both_schemes=True)
    is_accessible(opened(own, ben, width=NARROW, scheme="dark"), "queue", both_schemes=True)
    page = opened(quality, ravi, width=NARROW, scheme="dark")
    page.locator("#confusion td a").first.click()
    expect(page.locator("tbody tr").first).to_be_visible()
    is_accessible(page, "items", both_schemes=True)
