"""Webhooks get every annotation and decision of each type with its labels, and never what people wrote."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from datasets_app.queues.actions.answers import skip, undo
from datasets_app.queues.actions.webhooks import send_labels
from datasets_app.queues.models import Decision
from lifecycle.ground.notices.models import Channel, Delivery
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.values import labels_of
from tests.support.labeling import annotate, queue_items
from tests.support.webhooks import make_hook

pytestmark = pytest.mark.django_db
WRITTEN = {"generation": "'well'", "chat": "'Hello.'"}


@pytest.fixture
def hook(project) -> Channel:
    return make_hook(project)


def send() -> int:
    return send_labels(timezone.now() + timedelta(minutes=1))


def events(word: str) -> list[dict]:
    return [
        event
        for row in Delivery.objects.filter(data__event=word).order_by("id")
        for event in row.data["events"]
    ]


@pytest.mark.postgres
def test_an_annotation_and_its_decision_are_sent_with_ids_and_labels_alone(
    key, single_queue, values, ana, hook
):
    queue, labels = single_queue, labels_of(values[0])
    given = annotate(queue, ana, queue_items(queue)[0], values[0])

    assert (send(), send()) == (2, 0)

    decision, item = Decision.objects.get(), given.item
    about = {"queue": str(queue.uuid), "item": str(item.uuid), "item_digest": item.digest, "labels": labels}
    assert events("item.labeled") == [
        {
            "annotation": str(given.uuid),
            "action": "label",
            "at": given.created_at.isoformat(timespec="seconds"),
            **about,
        }
    ]
    assert events("decision.changed") == [
        {
            "decision": str(decision.uuid),
            "digest": decision.digest,
            "how": "single",
            "supersedes": None,
            "at": decision.created_at.isoformat(timespec="seconds"),
            **about,
        }
    ]
    message = Delivery.objects.get(data__event="item.labeled")
    assert (message.subject, message.data["count"], message.url) == (
        f"1 answer in {queue.dataset.name}",
        1,
        f"/datasets/{queue.dataset.uuid}/",
    )
    sent = str(list(Delivery.objects.values_list("data", "text", "subject")))
    assert item.text not in sent
    if type_of(key).writes_text:
        assert labels == []
        assert WRITTEN[key] in str(values[0])
        assert WRITTEN[key] not in sent


def test_an_undo_and_a_skip_are_sent_without_labels(single_queue, values, ana, hook):
    queue, (first, second, _) = single_queue, queue_items(single_queue)
    annotate(queue, ana, first, values[0])
    undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())
    slot = queue.slots.get(item=second)
    skip(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, client_key=uuid4(), reason="Too long.")

    send()

    assert [(event["action"], event["labels"]) for event in events("item.labeled")] == [
        ("label", labels_of(values[0])),
        ("undo", []),
        ("skip", []),
    ]
    sent = events("decision.changed")
    assert [event["how"] for event in sent] == ["single", "withdrawn"]
    assert sent[1]["supersedes"] == sent[0]["digest"]
