"""In queues that show gold results, annotators see theirs immediately, with the explanation."""

from uuid import uuid4

import pytest
from django.urls import reverse

from datasets_app.queues.actions.claims import claim
from datasets_app.queues.actions.mixing import mix_gold
from datasets_app.queues.masks import mask
from datasets_app.queues.models import Queue, Slot
from tests.support.gold import gold_at, know, known_dataset, mixed_queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia, ravi) -> Queue:
    dataset = known_dataset(project, mia, ravi, [], ["known", *(f"text {n}" for n in range(9))])
    know(dataset.items.get(text="known"), ravi, {"label": "card"}, explanation="It names a card.")
    return mixed_queue(dataset, mia, gold_feedback=True)


def first(queue, user) -> Slot:
    with gold_at(0):
        return claim(queue_id=queue.uuid, actor=user)[0]


def form(queue, slot, label) -> dict:
    return {
        "slot": mask(slot.pk, "slot"),
        "label": str(queue.schema.labels.get(name=label).uuid),
        "client_key": str(uuid4()),
    }


@pytest.mark.parametrize(("label", "right"), [("card", True), ("billing", False)])
def test_the_script_gets_the_result(queue, ana, client_for, label, right):
    sent = form(queue, first(queue, ana), label)

    saved = (
        client_for(ana)
        .post(reverse("queues:submit", args=[queue.uuid]), sent, headers={"accept": "application/json"})
        .json()
    )

    assert saved["gold"] == {
        "right": right,
        "given": label,
        "known": "card",
        "explanation": "It names a card.",
        "text": "known",
    }


def test_other_items_have_no_result(queue, ana, client_for):
    with gold_at():
        slot = claim(queue_id=queue.uuid, actor=ana)[0]

    answered = client_for(ana).post(
        reverse("queues:submit", args=[queue.uuid]),
        form(queue, slot, "card"),
        headers={"accept": "application/json"},
    )

    assert "gold" not in answered.json()


@pytest.mark.postgres
def test_without_the_script_the_next_page_shows_the_result(queue, ana, ben, client_for):
    page = client_for(ana).post(
        reverse("queues:submit", args=[queue.uuid]), form(queue, first(queue, ana), "billing"), follow=True
    )
    address = page.redirect_chain[-1][0]

    result = page.content.decode().partition('data-result="wrong">')[2].partition("</strong>")[0]
    assert ("billing" in result, "card" in result) == (True, True)
    assert b"It names a card." in page.content
    of_ben = client_for(ben).get(address)
    assert (of_ben.status_code, b"data-result" in of_ben.content) == (200, False)
    assert (
        client_for(ana).get(f"{reverse('queues:bench', args=[queue.uuid])}?result=nonsense").status_code
        == 200
    )


@pytest.mark.postgres
def test_the_api_returns_the_result(queue, ana, client_for):
    sent = form(queue, first(queue, ana), "billing")

    saved = (
        client_for(ana)
        .post(reverse("api-labeling-submit", args=[queue.uuid]), sent, content_type="application/json")
        .json()
    )

    card = str(queue.schema.labels.get(name="card").stable_id)
    assert saved["gold"] == {
        "right": False,
        "known": "card",
        "value": {"label": card},
        "explanation": "It names a card.",
    }


def test_a_blind_queue_returns_no_result(queue, ana, mia, client_for):
    mix_gold(queue_id=queue.uuid, actor=mia, rate=30, feedback=False)
    sent = form(queue, first(queue, ana), "billing")

    saved = (
        client_for(ana)
        .post(reverse("queues:submit", args=[queue.uuid]), sent, headers={"accept": "application/json"})
        .json()
    )

    assert "gold" not in saved
