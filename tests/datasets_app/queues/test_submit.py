"""Answers: kept once, never thrown away, and what follows from them."""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.queues.actions.answers import submit
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.models import Annotation, Queue, Slot
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.changes import accepted_labels
from datasets_app.schemas.queries.labels import labels_by_id
from registry.ground.access.models import User
from tests.support.labeling import (
    answer,
    label_items,
    label_value,
    make_annotator,
    make_dataset,
    make_queue,
    queue_items,
)
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["one", "two"]), mia)


@pytest.fixture
def of_one(project, mia) -> Queue:
    """A queue of one item."""
    return make_queue(make_dataset(project, mia, ["one"]), mia)


@pytest.fixture
def of_two_answers(project, mia) -> Queue:
    """A queue of one item that two people answer."""
    return make_queue(make_dataset(project, mia, ["one"]), mia, overlap=2)


@pytest.fixture
def people(project) -> list[User]:
    return [make_annotator(project, f"p{n}") for n in range(5)]


def counters(queue: Queue) -> dict[str, int]:
    queue.refresh_from_db()
    return {
        "done": queue.slots_done,
        "decided": queue.items_labeled,
        "disputed": queue.items_disputed,
        "disputes": queue.disputes_total,
    }


def labels_now(queue: Queue) -> list[str]:
    return [decision.label.name for decision in current_decisions(queue.dataset)]


@pytest.mark.parametrize("overlap", [2, 3, 4, 5])
def test_an_item_is_decided_when_its_last_answer_agrees(project, mia, people, overlap):
    queue = make_queue(make_dataset(project, mia, ["one"]), mia, overlap=overlap)

    for person in people[: overlap - 1]:
        label_items(queue, {person: ["card"]})
        assert labels_now(queue) == []
    label_items(queue, {people[overlap - 1]: ["card"]})

    decision = current_decisions(queue.dataset).get()
    assert (decision.how, decision.annotations.count()) == ("unanimous", overlap)


def test_a_late_answer_takes_another_open_slot_of_its_item(of_two_answers, ana, ravi):
    queue = of_two_answers
    slot = claim(queue_id=queue.uuid, actor=ana)[0]
    release(queue_id=queue.uuid, actor=ana)
    assert claim(queue_id=queue.uuid, actor=ravi)[0].pk == slot.pk

    answer(queue, ana, slot.item, "card")

    slots = list(queue.slots.order_by("id").values_list("state", "user__username"))
    assert slots == [(Slot.State.LEASED, "ravi"), (Slot.State.DONE, "ana")]


def test_a_late_answer_without_an_open_slot_is_kept_as_an_extra(of_one, ana, ravi):
    queue = of_one
    slot = claim(queue_id=queue.uuid, actor=ana)[0]
    release(queue_id=queue.uuid, actor=ana)
    label_items(queue, {ravi: ["billing"]})

    extra = answer(queue, ana, slot.item, "card")

    assert extra.label.name == "card"
    assert labels_now(queue) == ["billing"]
    assert counters(queue) == {"done": 1, "decided": 1, "disputed": 0, "disputes": 0}


def test_a_label_that_is_named_like_the_id_of_another_takes_no_answer_from_it(queue):
    labels = labels_by_id(queue.schema)
    card, billing = (
        next(each for each in labels.values() if each.name == name) for name in ("card", "billing")
    )
    card.name, billing.name = str(billing.stable_id), str(card.uuid)

    accepted = accepted_labels(queue.dataset_id, {}, labels)

    assert [accepted.resolve(str(key)) for key in (billing.stable_id, card.uuid)] == [
        str(billing.stable_id),
        str(card.stable_id),
    ]


def test_a_slot_of_another_queue_is_refused(queue, mia, ana):
    other = make_queue(queue.dataset, mia, name="Other")
    slot = other.slots.first()

    with refused():
        submit(
            queue_id=queue.uuid,
            actor=ana,
            slot_id=slot.pk,
            value=label_value(queue.schema.labels.first()),
            client_key=uuid4(),
        )

    assert Annotation.objects.count() == 0


def test_who_has_no_role_answers_nothing(queue, otto):
    with pytest.raises(PermissionDenied):
        answer(queue, otto, queue_items(queue)[0], "card")

    assert Annotation.objects.count() == 0
