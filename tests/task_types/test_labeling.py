"""Annotations of every type decide, disagree, are replaced, skipped, and undone by the same rules."""

from __future__ import annotations

from uuid import uuid4

import pytest

from datasets_app.datasets.models import Item
from datasets_app.queues.actions.answers import skip, submit, undo
from datasets_app.queues.actions.claims import claim, release
from datasets_app.queues.models import Annotation, Decision, Dispute, Seat, Slot
from datasets_app.queues.queries.bench import bench_items, skipped_open
from datasets_app.review.actions.reviews import adjudicate
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.labeling import annotate, named, queue_items
from tests.support.unchanged import refused
from tests.task_types.examples import EXAMPLES
from tests.task_types.labeled import as_shown, counters, decided, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def items(queue) -> list[Item]:
    return queue_items(queue)


# ── Annotating ──────────────────────────────────────────────────────────────
def test_one_annotation_decides_where_one_is_needed(single_queue, values, ana):
    queue, given = single_queue, [*values[:2], values[-1]]

    for item, value in zip(queue_items(queue), given, strict=True):
        annotate(queue, ana, item, value, seconds=2.5)

    assert [(read(queue, row), row.seconds) for row in Annotation.objects.order_by("id")] == [
        (value, 2.5) for value in given
    ]
    assert decided(queue) == [(value, "single", None, 1) for value in given]
    assert counters(queue) == {"done": 3, "labeled": 3, "disputed": 0, "disputes": 0}
    assert Event.objects.filter(verb=Verb.UNANIMOUS_RESOLVED).count() == 3


def test_an_item_is_decided_when_its_last_annotation_agrees(queue, items, values, ana, ben):
    annotate(queue, ana, items[0], values[0])
    assert decided(queue) == []

    annotate(queue, ben, items[0], values[0])

    assert decided(queue) == [(values[0], "unanimous", None, 2)]
    assert counters(queue) == {"done": 2, "labeled": 1, "disputed": 0, "disputes": 0}


def test_different_annotations_are_a_dispute_that_a_second_thought_opens_and_ends(
    queue, items, values, ana, ben
):
    item = items[0]
    for person in (ana, ben):
        annotate(queue, person, item, values[0])

    annotate(queue, ben, item, values[1])
    assert decided(queue) == []
    assert counters(queue) == {"done": 2, "labeled": 0, "disputed": 1, "disputes": 1}
    assert (Dispute.objects.get().item, Dispute.objects.get().answers) == (item, 2)

    annotate(queue, ana, item, values[1])
    assert decided(queue) == [(values[1], "unanimous", None, 2)]
    assert counters(queue) == {"done": 2, "labeled": 1, "disputed": 0, "disputes": 0}


def test_a_second_annotation_of_the_same_person_replaces_the_first(single_queue, values, ana):
    queue, item = single_queue, queue_items(single_queue)[0]
    first = annotate(queue, ana, item, values[0])

    second = annotate(queue, ana, item, values[1])

    assert (second.replaces, read(queue, first), read(queue, second)) == (first, values[0], values[1])
    assert decided(queue) == [(values[1], "single", None, 1)]
    assert counters(queue) == {"done": 1, "labeled": 1, "disputed": 0, "disputes": 0}
    assert Seat.objects.get().labeled == 1


def test_a_double_submit_makes_one_row(queue, items, values, ana):
    slot = claim(queue_id=queue.uuid, actor=ana)[0]
    sent = {"slot_id": slot.pk, "value": named(queue, values[0]), "client_key": uuid4(), "seconds": 2.5}

    first, second = (submit(queue_id=queue.uuid, actor=ana, **sent) for _ in range(2))

    assert first.pk == second.pk
    assert Annotation.objects.count() == 1
    assert (counters(queue)["done"], Seat.objects.get().labeled) == (1, 1)


def test_what_is_no_annotation_of_the_type_is_refused(key, queue, ana):
    slot = claim(queue_id=queue.uuid, actor=ana)[0]

    with refused("value"):
        submit(
            queue_id=queue.uuid, actor=ana, slot_id=slot.pk, value=EXAMPLES[key].bad[0][0], client_key=uuid4()
        )
    for raw, _ in EXAMPLES[key].bad[1:]:
        with pytest.raises(Refused) as refusal:
            submit(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, value=raw, client_key=uuid4())
        assert list(refusal.value.fields) == ["value"], raw

    assert Annotation.objects.count() == 0
    assert counters(queue)["done"] == 0


# ── Undo and skip ───────────────────────────────────────────────────────────
def test_undo_withdraws_the_decision_and_shows_the_item_with_its_value(single_queue, values, ana):
    queue, item = single_queue, queue_items(single_queue)[0]
    annotate(queue, ana, item, values[0])

    undone = undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())

    (shown, *_) = bench_items(queue, claim(queue_id=queue.uuid, actor=ana), ana)
    assert (read(queue, undone.annotation), undone.annotation.item) == (values[0], item)
    assert (shown["text"], shown["previous"]) == (item.text, as_shown(queue, values[0]))
    assert decided(queue) == []
    assert [row.how for row in Decision.objects.order_by("id")] == ["single", "withdrawn"]
    assert (counters(queue)["done"], counters(queue)["labeled"], Seat.objects.get().labeled) == (0, 0, 0)
    # the page sends it back as it is
    slot = queue.slots.get(item=item)
    submit(queue_id=queue.uuid, actor=ana, slot_id=slot.pk, value=shown["previous"], client_key=uuid4())
    assert decided(queue) == [(values[0], "single", None, 1)]


def test_undo_ends_a_dispute(queue, items, values, ana, ben):
    for person, value in ((ana, values[0]), (ben, values[1])):
        annotate(queue, person, items[0], value)

    undo(queue_id=queue.uuid, actor=ben, client_key=uuid4())

    assert counters(queue) == {"done": 1, "labeled": 0, "disputed": 0, "disputes": 0}


def test_a_skipped_item_goes_to_others_and_the_skip_is_undone(single_queue, ana, ben):
    queue = single_queue
    first = claim(queue_id=queue.uuid, actor=ana, k=1)[0]
    skip(queue_id=queue.uuid, actor=ana, slot_id=first.pk, client_key=uuid4(), reason="Not my language.")

    others = claim(queue_id=queue.uuid, actor=ana)

    assert first.pk not in [slot.pk for slot in others]
    assert (len(others), skipped_open(queue, ana)) == (2, True)
    assert [slot.pk for slot in claim(queue_id=queue.uuid, actor=ben)] == [first.pk]
    release(queue_id=queue.uuid, actor=ben)
    assert undo(queue_id=queue.uuid, actor=ana, client_key=uuid4()).slot.pk == first.pk
    assert Slot.objects.filter(user=ana, state=Slot.State.LEASED).count() == 3
    assert (decided(queue), counters(queue)["done"]) == ([], 0)


def test_what_a_reviewer_settled_cannot_be_undone_or_replaced(single_queue, values, ana, ravi):
    queue, item = single_queue, queue_items(single_queue)[0]
    annotate(queue, ana, item, values[0])
    value = named(queue, values[1])
    adjudicate(queue_id=queue.uuid, item_id=item.uuid, actor=ravi, value=value, reason="By the guideline.")

    with pytest.raises(Conflict, match="so your annotation is kept"):
        undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())
    with pytest.raises(Conflict, match="so your first annotation is kept"):
        annotate(queue, ana, item, values[2])

    assert decided(queue) == [(values[1], "adjudicated", ravi, 1)]
    assert Annotation.objects.count() == 1
