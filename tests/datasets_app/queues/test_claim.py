"""No two people hold the same slot, and no one gets an item twice."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from datasets_app.queues.actions import claims
from datasets_app.queues.actions.claims import heartbeat, release, sweep
from datasets_app.queues.actions.managing import close_queue, pause_queue
from datasets_app.queues.models import Queue, Slot
from lifecycle.runtime.refusals import Conflict
from registry.ground.access.models import User
from tests.support.labeling import answer, label_items, make_annotator, make_dataset, make_queue, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
TEXTS = [f"text {n}" for n in range(12)]


@pytest.fixture
def queue(project, mia) -> Queue:
    return make_queue(make_dataset(project, mia, TEXTS), mia)


@pytest.fixture
def people(project) -> list[User]:
    return [make_annotator(project, f"p{n}") for n in range(6)]


def texts(slots) -> list[str]:
    return [slot.item.text for slot in slots]


def test_a_claim_leases_five_items_in_the_order_of_the_queue(queue, ana):
    slots = claims.claim(queue_id=queue.uuid, actor=ana)

    assert texts(slots) == TEXTS[:5]
    assert {(slot.state, slot.user_id) for slot in slots} == {(Slot.State.LEASED, ana.pk)}


def test_two_people_share_no_item_while_one_answer_is_needed(queue, ana, ravi):
    first = claims.claim(queue_id=queue.uuid, actor=ana)
    second = claims.claim(queue_id=queue.uuid, actor=ravi)

    assert texts(first) == TEXTS[:5]
    assert texts(second) == TEXTS[5:10]


def test_a_reload_shows_the_same_items(queue, ana):
    before = claims.claim(queue_id=queue.uuid, actor=ana)

    assert [slot.pk for slot in claims.claim(queue_id=queue.uuid, actor=ana)] == [slot.pk for slot in before]
    assert Slot.objects.filter(user=ana).count() == 5


@pytest.mark.parametrize("overlap", [1, 2, 3, 4, 5])
def test_each_item_goes_to_as_many_people_as_the_overlap(project, mia, people, overlap):
    queue = make_queue(make_dataset(project, mia, TEXTS[:3]), mia, overlap=overlap)

    given = [len(claims.claim(queue_id=queue.uuid, actor=person)) for person in people]

    assert given == [3] * overlap + [0] * (6 - overlap)
    assert (queue.items_total, queue.slots_total) == (3, 3 * overlap)


def test_no_one_gets_an_item_twice_with_several_open_slots(project, mia, ana):
    queue = make_queue(make_dataset(project, mia, TEXTS[:2]), mia, overlap=3)

    assert texts(claims.claim(queue_id=queue.uuid, actor=ana)) == TEXTS[:2]
    assert len(claims.claim(queue_id=queue.uuid, actor=ana)) == 2


def test_a_page_that_is_left_gives_back_nothing_that_a_newer_one_shows(queue, ana):
    older = claims.claim(queue_id=queue.uuid, actor=ana, page=True)
    tokens = [slot.lease_token for slot in older]
    newer = claims.claim(queue_id=queue.uuid, actor=ana, page=True)
    keys = [slot.pk for slot in older]

    assert [slot.pk for slot in newer] == keys
    assert release(queue_id=queue.uuid, actor=ana, slot_ids=keys, tokens=tokens) == 0
    assert release(queue_id=queue.uuid, actor=ana, slot_ids=keys, tokens=[newer[0].lease_token]) == len(keys)


def test_released_items_come_first_for_the_same_person(queue, ana, ravi):
    first = claims.claim(queue_id=queue.uuid, actor=ana, k=3)
    release(queue_id=queue.uuid, actor=ana)
    assert [slot.pk for slot in claims.claim(queue_id=queue.uuid, actor=ana, k=3)] == [
        slot.pk for slot in first
    ]

    release(queue_id=queue.uuid, actor=ana)
    taken = claims.claim(queue_id=queue.uuid, actor=ravi, k=2)
    assert texts(taken) == TEXTS[:2]
    assert texts(claims.claim(queue_id=queue.uuid, actor=ana, k=2)) == TEXTS[2:4]


def test_released_items_go_to_the_next_person(queue, ana, ravi):
    held = claims.claim(queue_id=queue.uuid, actor=ana)

    assert release(queue_id=queue.uuid, actor=ana, slot_ids=[held[0].pk, held[1].pk]) == 2
    assert texts(claims.claim(queue_id=queue.uuid, actor=ravi, k=2)) == TEXTS[:2]
    assert Slot.objects.filter(user=ana).count() == 3


def test_a_lapsed_lease_frees_the_item_when_nothing_else_is_left(project, mia, ana, ravi):
    queue = make_queue(make_dataset(project, mia, TEXTS[:2]), mia)
    claims.claim(queue_id=queue.uuid, actor=ana)
    Slot.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert texts(claims.claim(queue_id=queue.uuid, actor=ravi)) == TEXTS[:2]
    assert Slot.objects.filter(user=ana).count() == 0


@pytest.mark.postgres
def test_a_heartbeat_begins_the_lease_anew(queue, ana):
    claims.claim(queue_id=queue.uuid, actor=ana)
    soon = timezone.now() + timedelta(minutes=1)
    Slot.objects.filter(user=ana).update(lease_until=soon)

    assert heartbeat(queue_id=queue.uuid, actor=ana) == 5
    assert min(Slot.objects.filter(user=ana).values_list("lease_until", flat=True)) > soon + timedelta(
        minutes=13
    )


def test_a_lease_is_renewed_after_a_minute(queue, ana):
    claims.claim(queue_id=queue.uuid, actor=ana)
    fresh, older = (
        timezone.now() + timedelta(minutes=14, seconds=30),
        timezone.now() + timedelta(minutes=13, seconds=30),
    )
    keys = list(Slot.objects.filter(user=ana).order_by("id").values_list("pk", flat=True))
    Slot.objects.filter(pk__in=keys[:2]).update(lease_until=fresh)
    Slot.objects.filter(pk__in=keys[2:]).update(lease_until=older)

    claims.claim(queue_id=queue.uuid, actor=ana)

    assert set(Slot.objects.filter(pk__in=keys[:2]).values_list("lease_until", flat=True)) == {fresh}
    assert min(Slot.objects.filter(pk__in=keys[2:]).values_list("lease_until", flat=True)) > fresh


def test_a_claim_goes_on_from_the_cursor_along_the_index(queue, ana):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL finds a place between two rows of one priority by itself.")
    claims.claim(queue_id=queue.uuid, actor=ana, k=1)
    with CaptureQueriesContext(connection) as captured:
        claims.claim(queue_id=queue.uuid, actor=ana, k=2)

    (claim,) = (each["sql"] for each in captured if each["sql"].lstrip().startswith("UPDATE queues_slot "))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {claim}")
        plan = [row[3] for row in cursor.fetchall()]
    assert "SEARCH s USING INDEX slot_open (queue_id=? AND priority=? AND id>?)" in plan
    assert not any(step.startswith("SEARCH o USING INDEX slot_open") for step in plan)


def test_the_cursor_comes_back_to_what_others_gave_up(queue, ana, ravi):
    claims.claim(queue_id=queue.uuid, actor=ravi, k=3)
    label_items(
        queue, {ana: ["card"] * 9}, [slot.item for slot in claims.claim(queue_id=queue.uuid, actor=ana, k=9)]
    )
    release(queue_id=queue.uuid, actor=ravi)

    assert texts(claims.claim(queue_id=queue.uuid, actor=ana)) == TEXTS[:3]


def test_a_paused_queue_gives_nothing_new(queue, ana, mia):
    pause_queue(queue_id=queue.uuid, actor=mia)

    with refused(
        by=Conflict,
        naming=(
            "Batch 1",
            "paused",
        ),
    ):
        claims.claim(queue_id=queue.uuid, actor=ana)

    assert Slot.objects.exclude(state=Slot.State.OPEN).count() == 0


def test_who_has_no_role_claims_nothing(queue, otto, aida):
    for person in (otto, aida):
        with pytest.raises(PermissionDenied):
            claims.claim(queue_id=queue.uuid, actor=person)

    assert Slot.objects.exclude(state=Slot.State.OPEN).count() == 0


@pytest.mark.parametrize("size", [6, 30])
def test_a_claim_takes_the_same_statements_in_a_small_and_a_larger_queue(
    project, mia, ana, size, django_assert_num_queries
):
    queue = make_queue(make_dataset(project, mia, [f"t{n}" for n in range(size)]), mia)
    claims.claim(queue_id=queue.uuid, actor=ana, k=1)
    release(queue_id=queue.uuid, actor=ana)

    with django_assert_num_queries(9):
        claims.claim(queue_id=queue.uuid, actor=ana)


def test_filling_takes_every_undecided_item_once(queue):
    assert [item.text for item in queue_items(queue)] == TEXTS
    assert queue.filled_at is not None


@pytest.mark.postgres
def test_what_comes_back_to_a_closed_queue_is_needed_no_more(queue, ana, ben, mia):
    given_back, answered = claims.claim(queue_id=queue.uuid, actor=ana, k=2)
    lapsed, held = claims.claim(queue_id=queue.uuid, actor=ben, k=2)
    close_queue(queue_id=queue.uuid, actor=mia)

    answer(queue, ana, answered.item, "card")
    release(queue_id=queue.uuid, actor=ana, slot_ids=[given_back.pk])
    Slot.objects.filter(pk=lapsed.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    sweep()

    queue.refresh_from_db()
    states = dict(Slot.objects.filter(pk__in=[given_back.pk, lapsed.pk, held.pk]).values_list("pk", "state"))
    assert states == {
        given_back.pk: Slot.State.CLOSED,
        lapsed.pk: Slot.State.CLOSED,
        held.pk: Slot.State.LEASED,
    }
    assert (queue.slots_done, queue.slots_total) == (1, 2)
