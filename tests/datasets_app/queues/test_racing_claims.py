"""Concurrent claims: no two people ever hold the same slot."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.utils import timezone

from datasets_app.queues.actions.answers import skip, undo
from datasets_app.queues.actions.claims import claim, heartbeat
from datasets_app.queues.actions.managing import close_queue
from datasets_app.queues.actions.mixing import mix_gold
from datasets_app.queues.models import Annotation, Queue, Slot
from lifecycle.runtime.refusals import Conflict
from tests.support.gold import gold_at, known_dataset, mixed_queue, take
from tests.support.labeling import answer, make_annotator, make_dataset, make_queue, queue_items

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
PEOPLE, ITEMS = 6, 60


def at_once(jobs):
    """Run these calls at the same moment, each with a connection of its own; their results, or the exception
    of the first that failed.
    """
    start = Barrier(len(jobs))

    def run(job):
        try:
            start.wait(timeout=30)
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.fixture
def queue(project, mia) -> Queue:
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip(
            "An in-memory SQLite database has one writer by construction; the file and PostgreSQL suites"
            " race."
        )
    return make_queue(make_dataset(project, mia, [f"text {n}" for n in range(ITEMS)]), mia, overlap=2)


def test_no_slot_and_no_item_is_given_twice(project, queue):
    people = [make_annotator(project, f"p{n}") for n in range(PEOPLE)]

    def work(person):
        held = []
        for _ in range(4):
            for slot in claim(queue_id=queue.uuid, actor=person):
                answer(queue, person, slot.item, "card")
                held.append((slot.pk, slot.item_id))
        return held

    given = at_once([lambda person=person: work(person) for person in people])

    slots = [slot for held in given for slot, _ in held]
    assert len(slots) == len(set(slots))
    assert all(len({item for _, item in held}) == len(held) for held in given)
    queue.refresh_from_db()
    assert (
        queue.slots_done == Slot.objects.filter(state=Slot.State.DONE).count() == Annotation.objects.count()
    )


def test_the_last_two_answers_at_once_decide_the_item(project, queue):
    one, other = make_annotator(project, "p1"), make_annotator(project, "p2")
    item = queue_items(queue)[0]

    at_once([lambda: answer(queue, one, item, "card"), lambda: answer(queue, other, item, "card")])

    queue.refresh_from_db()
    assert (queue.slots_done, queue.items_labeled) == (2, 1)


def test_two_tabs_claim_the_same_five(queue, ana):
    first, second = at_once([lambda: claim(queue_id=queue.uuid, actor=ana)] * 2)

    assert [slot.pk for slot in first] == [slot.pk for slot in second]
    assert Slot.objects.filter(user=ana).count() == 5


def test_people_and_tabs_at_once_get_gold_once_each(project, mia, ravi):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip(
            "An in-memory SQLite database has one writer by construction; the file and PostgreSQL suites"
            " race."
        )
    queue = mixed_queue(
        known_dataset(project, mia, ravi, ["card"] * 8, [f"text {n}" for n in range(ITEMS)]), mia, overlap=2
    )
    people = [make_annotator(project, f"p{n}") for n in range(3)]

    def work(person):
        for _ in range(6):
            for slot in claim(queue_id=queue.uuid, actor=person):
                take(queue, person, slot, {"label": "card"})

    at_once([lambda person=person: work(person) for person in people * 2])

    gold = Slot.objects.filter(is_gold=True)
    assert gold.count() == gold.values("item", "user").distinct().count() > 0
    queue.refresh_from_db()
    done = gold.filter(state=Slot.State.DONE).count()
    assert (queue.gold_done, sum(seat.gold_done for seat in queue.seats.all())) == (done, done)
    assert queue.slots_done == Slot.objects.filter(is_gold=False, state=Slot.State.DONE).count()


def test_two_submits_of_one_gold_item_at_once_count_once(project, mia, ravi, ana):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip(
            "An in-memory SQLite database has one writer by construction; the file and PostgreSQL suites"
            " race."
        )
    queue = mixed_queue(known_dataset(project, mia, ravi, ["card"], [f"text {n}" for n in range(9)]), mia)
    with gold_at(0):
        slot = claim(queue_id=queue.uuid, actor=ana)[0]

    at_once(
        [lambda label=label: take(queue, ana, slot, {"label": label}) for label in ("card", "card", "card")]
    )

    queue.refresh_from_db()
    assert (queue.gold_done, [(seat.gold_done, seat.gold_right) for seat in queue.seats.all()]) == (
        1,
        [(1, 1)],
    )


def test_the_same_request_sent_three_times_at_once_counts_once(queue, ana):
    """A double click, or a page that sends again what it has no answer to."""
    one, other = claim(queue_id=queue.uuid, actor=ana, k=2)

    keys = [uuid4() for _ in range(3)]
    answered = at_once([lambda: answer(queue, ana, one.item, "card", client_key=keys[0])] * 3)
    passed = at_once([lambda: skip(queue_id=queue.uuid, actor=ana, slot_id=other.pk, client_key=keys[1])] * 3)
    undone = at_once([lambda: undo(queue_id=queue.uuid, actor=ana, client_key=keys[2])] * 3)

    assert [len({row.pk for row in rows}) for rows in (answered, passed)] == [1, 1]
    assert {row.annotation.pk for row in undone} == {passed[0].pk}
    assert list(Annotation.objects.order_by("id").values_list("action", flat=True)) == [
        "label",
        "skip",
        "undo",
    ]
    assert [(seat.labeled, seat.skipped) for seat in queue.seats.all()] == [(1, 0)]


def test_undo_in_two_tabs_at_once_takes_back_two_answers(queue, ana):
    given = [answer(queue, ana, slot.item, "card").pk for slot in claim(queue_id=queue.uuid, actor=ana, k=3)]

    undone = at_once([lambda: undo(queue_id=queue.uuid, actor=ana, client_key=uuid4())] * 2)

    assert {row.annotation.pk for row in undone} == set(given[1:])
    queue.refresh_from_db()
    assert (queue.slots_done, queue.seats.get().labeled) == (1, 1)


def test_who_answers_in_two_tabs_while_leases_are_begun_anew_is_never_stuck(queue, ana):
    for _ in range(8):
        hand = claim(queue_id=queue.uuid, actor=ana)
        soon = timezone.now() + timedelta(minutes=5)
        Slot.objects.filter(pk__in=[slot.pk for slot in hand]).update(lease_until=soon)

        at_once(
            [
                lambda item=hand[0].item: answer(queue, ana, item, "card"),
                lambda: claim(queue_id=queue.uuid, actor=ana),
                lambda item=hand[1].item: answer(queue, ana, item, "card"),
                lambda: heartbeat(queue_id=queue.uuid, actor=ana),
            ]
        )

    queue.refresh_from_db()
    assert queue.slots_done == 16


def test_a_queue_is_closed_and_its_gold_changed_while_people_answer(project, queue, mia):
    people = [make_annotator(project, f"p{n}") for n in range(4)]

    def work(person):
        for _ in range(4):
            try:
                hand = claim(queue_id=queue.uuid, actor=person)
            except Conflict:
                return
            for slot in hand:
                answer(queue, person, slot.item, "card")

    def lead():
        for holds in (True, False, True):
            mix_gold(queue_id=queue.uuid, actor=mia, rate=0, minimum=50 if holds else None, holds=holds)
        close_queue(queue_id=queue.uuid, actor=mia)

    at_once([*(lambda person=person: work(person) for person in people), lead])

    queue.refresh_from_db()
    done = Slot.objects.filter(state=Slot.State.DONE).count()
    assert (queue.state, queue.slots_done, queue.slots_total) == ("closed", done, done)
    assert not Slot.objects.filter(state=Slot.State.OPEN).exists()
