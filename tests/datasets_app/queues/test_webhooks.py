"""Webhooks that take `item.labeled` and `decision.changed` get every answer and every decision once, without
what people wrote.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from datasets_app.queues.actions import webhooks
from datasets_app.queues.actions.webhooks import send_labels
from datasets_app.queues.models import Annotation, Decision, Queue
from lifecycle.ground.notices import delivery
from lifecycle.ground.notices.models import Channel, Delivery
from registry.ground.access.actions import grant
from registry.ground.access.roles import Role
from tests.support.datasets import import_file
from tests.support.labeling import answer, label_items, make_dataset, make_queue, queue_items
from tests.support.people import make_project
from tests.support.unchanged import refused
from tests.support.webhooks import make_hook

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=1)


@pytest.fixture
def hook(project) -> Channel:
    return make_hook(project)


@pytest.fixture
def queue(project, mia) -> Queue:
    """A queue of two items."""
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia)


def send() -> int:
    return send_labels(timezone.now() + LATER)


def events(word: str) -> list[dict]:
    return [
        event
        for row in Delivery.objects.filter(data__event=word).order_by("id")
        for event in row.data["events"]
    ]


def test_nothing_is_sent_twice_and_later_rows_follow(queue, ana, hook):
    first, second = queue_items(queue)
    answer(queue, ana, first, "card")
    assert (send(), send()) == (2, 0)

    answer(queue, ana, second, "billing")
    assert send() == 2
    assert [event["item"] for event in events("item.labeled")] == [str(first.uuid), str(second.uuid)]


def test_new_rows_wait_until_no_older_row_can_still_commit(queue, ana, hook):
    given = answer(queue, ana, queue_items(queue)[0], "card")

    assert send_labels(given.created_at + webhooks.SETTLE - timedelta(seconds=1)) == 0
    assert send_labels(timezone.now() + webhooks.SETTLE) == 2


@pytest.mark.postgres
def test_rows_older_than_the_webhook_are_not_sent(project, queue, ana):
    first, second = queue_items(queue)
    answer(queue, ana, first, "card")
    assert send() == 0
    hook = Channel.objects.create(
        project=project, kind="webhook", name="Late", address="https://example.org/x", wants=["item.labeled"]
    )

    answer(queue, ana, second, "card")
    assert send() == 1
    assert [event["item"] for row in hook.deliveries.all() for event in row.data["events"]] == [
        str(second.uuid)
    ]


def test_a_webhook_gets_only_its_own_project(project, mia, ana, hook):
    other = make_project("other")
    grant(user=mia, role=Role.LEAD, root=other, actor=None)
    grant(user=ana, role=Role.ANALYST, root=other, actor=None)
    queue = make_queue(make_dataset(other, mia, ["one"]), mia)
    answer(queue, ana, queue_items(queue)[0], "card")

    assert send() == 0
    assert not Delivery.objects.exists()


def test_imported_decisions_are_not_sent_one_by_one(project, mia, hook):
    dataset = make_dataset(project, mia)
    import_file(dataset, mia, b"text,label\none,card\ntwo,card\n")
    assert Decision.objects.filter(how="imported").count() == 2

    assert send() == 0
    assert not Delivery.objects.exists()


def test_many_annotations_are_sent_in_messages_of_two_hundred(project, mia, ana, hook, monkeypatch):
    monkeypatch.setattr(webhooks, "MESSAGE", 2)
    monkeypatch.setattr(webhooks, "READ", 3)
    queue = make_queue(make_dataset(project, mia, [f"text {n}" for n in range(7)]), mia)
    label_items(queue, {ana: ["card"] * 7})

    assert send() == 14
    sizes = [row.data["count"] for row in Delivery.objects.filter(data__event="item.labeled").order_by("id")]
    assert sizes == [2, 1, 2, 1, 1]
    assert [event["annotation"] for event in events("item.labeled")] == [
        str(row.uuid) for row in Annotation.objects.order_by("id")
    ]


def test_only_a_webhook_takes_them(project, lee, settings):
    settings.EMAIL_IS_SET = True
    given = {"project": project, "name": "Duty", "actor": lee}
    with refused("wants"):
        delivery.add_channel(kind="email", address="duty@example.org", wants=["item.labeled"], **given)
    with refused("wants", naming=("nonsense",)):
        delivery.add_channel(kind="webhook", address="https://example.org/x", wants=["nonsense"], **given)
    assert not Channel.objects.exists()

    made = delivery.add_channel(
        kind="webhook", address="https://example.org/x", wants=["page", "item.labeled"], **given
    )
    assert made.wants == ["item.labeled", "page"]
