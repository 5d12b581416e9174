"""Undo: 20 deep, by a row that replaces, and everything that followed from the answer is put right."""

from uuid import uuid4

import pytest

from datasets_app.queues import rules
from datasets_app.queues.actions import answers
from datasets_app.queues.actions.answers import skip
from datasets_app.queues.actions.claims import claim
from datasets_app.queues.models import Annotation, Queue
from datasets_app.queues.queries.bench import skipped_open
from tests.support.labeling import label_items, make_dataset, make_queue
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, ["text 0", "text 1"]), mia)


@pytest.fixture
def of_one(project, mia) -> Queue:
    """A queue of one item."""
    return make_queue(make_dataset(project, mia, ["text 0"]), mia)


def undo(queue, user, **options):
    options.setdefault("client_key", uuid4())
    return answers.undo(queue_id=queue.uuid, actor=user, **options)


def test_undo_is_limited_to_the_undo_depth(project, mia, ana, monkeypatch):
    assert rules.UNDO_DEPTH == 20
    monkeypatch.setattr(rules, "UNDO_DEPTH", 3)
    queue = make_queue(make_dataset(project, mia, [f"text {n}" for n in range(5)]), mia)
    label_items(queue, {ana: ["card"] * 5})

    texts = [undo(queue, ana).annotation.item.text for _ in range(3)]

    assert texts == ["text 4", "text 3", "text 2"]
    with refused():
        undo(queue, ana)
    assert Annotation.objects.filter(action="undo").count() == 3


@pytest.mark.postgres
def test_the_same_undo_twice_goes_one_step(queue, ana):
    label_items(queue, {ana: ["card", "card"]})
    key = uuid4()

    first, second = undo(queue, ana, client_key=key), undo(queue, ana, client_key=key)

    assert first.annotation.pk == second.annotation.pk
    assert first.slot.pk == second.slot.pk
    assert Annotation.objects.filter(action="undo").count() == 1


def test_a_skipped_item_comes_back_only_when_asked_for(of_one, ana):
    queue = of_one
    slot = claim(queue_id=queue.uuid, actor=ana)[0]
    skip(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, client_key=uuid4())

    assert claim(queue_id=queue.uuid, actor=ana) == []
    assert skipped_open(queue, ana)
    assert [s.pk for s in claim(queue_id=queue.uuid, actor=ana, skipped=True)] == [slot.pk]


def test_no_one_undoes_annotations_of_others(queue, ana, ravi):
    label_items(queue, {ana: ["card"]})

    with refused():
        undo(queue, ravi)

    queue.refresh_from_db()
    assert queue.slots_done == 1
