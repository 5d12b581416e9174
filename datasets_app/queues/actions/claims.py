"""Lease slots to annotators; no two people ever hold the same slot."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from datasets_app.queues import rules
from datasets_app.queues.actions import mixing
from datasets_app.queues.actions.mixing import Place
from datasets_app.queues.models.queues import Queue, Seat, Slot
from datasets_app.queues.queries.pages import is_for_others
from lifecycle.runtime.refusals import Conflict
from registry.ground.access import policy
from registry.ground.access.models import User

OPEN, LEASED, CLOSED = Slot.State.OPEN, Slot.State.LEASED, Slot.State.CLOSED
IF_GOLD = Q(is_gold=True)  # not needed by others: it's closed and stays its person's
FREE: dict[str, Any] = {
    "state": Case(When(IF_GOLD, then=Value(CLOSED.value)), default=Value(OPEN.value)),
    "user": Case(When(IF_GOLD, then=F("user")), default=None),
    "lease_until": None,
    "lease_token": None,
}
START = (-(2**62), 0)
# of a lease; every claim and beat would write every slot in hand otherwise
RENEW_AFTER = timedelta(minutes=1)
BATCH = 500  # slots of one statement
HELD = "You get no new items from {queue} for now: too many of your gold annotations were wrong."

# The next open slots: of items that this person has not judged, one slot per item, without those they
# skipped. The plus keeps SQLite from looking for the item's other slots along the index of all open ones.
CANDIDATES = """
SELECT s.id FROM queues_slot s
WHERE s.queue_id = %(queue)s AND s.state = 0 AND {behind}
AND NOT EXISTS (SELECT 1 FROM queues_slot m
                WHERE m.queue_id = %(queue)s AND m.item_id = s.item_id AND m.user_id = %(user)s)
AND NOT EXISTS (SELECT 1 FROM queues_slot o
                WHERE o.queue_id = %(queue)s AND o.item_id = s.item_id AND +o.state = 0
                AND (o.priority, o.id) < (s.priority, s.id))
AND {skipped} (SELECT 1 FROM queues_slotskip k
               WHERE k.queue_id = %(queue)s AND k.item_id = s.item_id AND k.user_id = %(user)s)
ORDER BY s.priority, s.id LIMIT %(limit)s
"""
TAKE = "SET state = 1, user_id = %(user)s, lease_until = %(until)s, lease_token = %(token)s"
CLAIM = {
    "postgresql": (
        "WITH c AS ({candidates[0]} FOR UPDATE OF s SKIP LOCKED) UPDATE queues_slot {take} FROM c WHERE"
        " queues_slot.id = c.id RETURNING queues_slot.id, queues_slot.priority"
    ),
    "sqlite": (
        "UPDATE queues_slot {take} WHERE id IN (SELECT id FROM ({candidates[0]}) UNION ALL SELECT id FROM"
        " ({candidates[1]}) LIMIT %(limit)s) RETURNING id, priority"
    ),
}
# Behind the cursor; in two parts where the index does not find a place between two rows of one priority.
BEHIND = {
    "postgresql": ["(s.priority, s.id) > (%(priority)s, %(slot)s)"],
    "sqlite": ["s.priority = %(priority)s AND s.id > %(slot)s", "s.priority > %(priority)s"],
}


@transaction.atomic
def claim(
    *, queue_id: UUID, actor: User, k: int = rules.HAND, skipped: bool = False, page: bool = False
) -> list[Slot]:
    """Up to k slots for this person, leased for 15 minutes: those they already hold first, then the next ones
    of the queue.

    page: whether a new page shows them, so that leaving an older page doesn't release them. skipped: hand out
    again what this person skipped and hasn't labeled since. Gold items are mixed in if the queue has them, as
    long as other items are left. Returns slots with their items; empty if none are left.
    Raises PermissionDenied, or Conflict if the queue hands out nothing (paused, closed, or the person is on
    hold).
    """
    queue = policy.get_permitted(actor, Queue, "labeling.annotate", uuid=queue_id)
    seat = seat_of(queue, actor)
    held = in_hand(queue, actor)
    if page:
        retoken(held)
    renew(held)
    wanted = max(1, min(k, 20)) - len(held)
    if wanted > 0 and queue.state != Queue.State.OPEN:
        if held:
            return held
        raise Conflict(
            f"{queue.name} is {queue.get_state_display().lower()}.", next_step="Choose another queue."
        )
    if wanted > 0 and is_for_others(queue, actor):
        if held:
            return held
        raise Conflict(f"You aren't assigned to {queue.name}.", next_step="Choose another queue.")
    if wanted > 0 and not held and seat.held_at is not None:
        raise Conflict(HELD.format(queue=queue.name), next_step="Ask your ML lead to reinstate you.")
    fresh = (
        deal(queue, seat, actor, held, wanted, skipped=skipped) if wanted > 0 and seat.held_at is None else []
    )
    return [*held, *with_items(queue, fresh)]


def deal(queue: Queue, seat: Seat, actor: User, hand: list[Slot], wanted: int, *, skipped: bool) -> list[int]:
    """Lease the next slots, with gold items at their places; no gold if nothing else is left. Returns their
    keys, in order.
    """
    until, token = timezone.now() + rules.LEASE, uuid4()
    if skipped:
        again = [pk for _, pk in take(queue, seat, wanted, token, skipped=True)]
        return again + mixing.skipped_again(queue, seat, wanted - len(again), token, until)
    places = mixing.gold_places(queue, seat, actor, wanted)
    golds = mixing.gold_for(queue, seat, actor, places)
    fresh = take(queue, seat, wanted - len(golds), token) if wanted > len(golds) else []
    if golds and not fresh:
        golds = golds if wanted == len(golds) and is_more(queue, seat) else []
        fresh = take(queue, seat, wanted, token) if not golds else []
    if not queue.gold_rate:
        return [pk for _, pk in fresh]
    last = (hand[-1].priority, hand[-1].behind or hand[-1].pk) if hand else None
    return mixing.hand_out(
        queue, seat, fresh=fresh, golds=golds, places=places, last=last, token=token, until=until
    )


def seat_of(queue: Queue, user: User) -> Seat:
    """This person's seat in the queue, locked, so that two tabs of one person don't claim at once."""
    mine = Seat.objects.select_for_update().filter(queue=queue, user=user)
    if seat := mine.first():
        return seat
    Seat.objects.get_or_create(queue=queue, user=user, defaults={"seen_schema_id": queue.schema_id})
    return mine.get()


def in_hand(queue: Queue, user: User) -> list[Slot]:
    """The slots leased to this person, with their items, in queue order; gold slots come after the slot they
    were handed out behind.
    """
    held = Slot.objects.filter(queue=queue, user=user, state=LEASED).select_related("item")
    return of_queue(queue, held.order_by("priority", Coalesce("behind", "id"), "id")[:20])


def renew(slots: list[Slot]) -> None:
    """Renew leases older than a minute; never shorten one."""
    until = timezone.now() + rules.LEASE
    due = [slot for slot in slots if slot.lease_until is not None and slot.lease_until < until - RENEW_AFTER]
    if due:
        kept = unlocked(
            Slot.objects.filter(pk__in=[slot.pk for slot in due], state=LEASED, lease_until__lt=until)
        )
        Slot.objects.filter(pk__in=kept).update(lease_until=until)


def retoken(slots: list[Slot]) -> None:
    """Give these leases a new token that only the page being rendered knows. Leases in use keep theirs."""
    token = uuid4()
    taken = (
        set(unlocked(Slot.objects.filter(pk__in=[slot.pk for slot in slots], state=LEASED)))
        if slots
        else set()
    )
    if taken:
        Slot.objects.filter(pk__in=taken).update(lease_token=token)
    for slot in slots:
        if slot.pk in taken:
            slot.lease_token = token


def unlocked(slots: QuerySet[Slot]) -> QuerySet[Slot, int]:
    """Keys of those of these slots that aren't locked; they are locked now.

    Annotating locks slots first, then the seat, so a seat's holder must never wait for a slot.
    """
    return slots.select_for_update(skip_locked=True).values_list("pk", flat=True)


def take(queue: Queue, seat: Seat, wanted: int, token: UUID, *, skipped: bool = False) -> list[Place]:
    """Lease open slots: from the cursor on, then from the start, then after freeing lapsed leases. Returns
    their places.
    """
    if skipped:
        return run_claim(queue, seat, wanted, START, token, skipped=True)
    got = run_claim(queue, seat, wanted, (seat.priority, seat.slot), token)
    if len(got) < wanted and (seat.priority, seat.slot) > START:
        got += run_claim(queue, seat, wanted - len(got), START, token)
    if len(got) < wanted and sweep(queue):
        got += run_claim(queue, seat, wanted - len(got), START, token)
    return got


def is_more(queue: Queue, seat: Seat) -> bool:
    """Whether an open slot is left for this person, behind the cursor or before it; nothing is leased."""
    statement = CANDIDATES.format(behind=BEHIND["postgresql"][0], skipped="NOT EXISTS")
    with connection.cursor() as cursor:
        for priority, slot in dict.fromkeys(((seat.priority, seat.slot), START)):
            cursor.execute(
                statement,
                {"queue": queue.pk, "user": seat.user_id, "limit": 1, "priority": priority, "slot": slot},
            )
            if cursor.fetchone():
                return True
    return False


def run_claim(
    queue: Queue, seat: Seat, limit: int, after: Place, token: UUID, *, skipped: bool = False
) -> list[Place]:
    """One statement that leases up to `limit` slots behind `after` and moves the cursor. Returns their
    positions, in order.
    """
    exists = "EXISTS" if skipped else "NOT EXISTS"
    template = CLAIM[connection.vendor].format(
        take=TAKE,
        candidates=[CANDIDATES.format(behind=behind, skipped=exists) for behind in BEHIND[connection.vendor]],
    )
    values = {
        "queue": queue.pk,
        "user": seat.user_id,
        "limit": limit,
        "priority": after[0],
        "slot": after[1],
        "until": prepared(timezone.now() + rules.LEASE),
        "token": prepared(token),
    }
    with connection.cursor() as cursor:
        cursor.execute(template, values)
        rows = sorted((priority, pk) for pk, priority in cursor.fetchall())
    if rows and not skipped:
        seat.priority, seat.slot = rows[-1]
        seat.save(update_fields=["priority", "slot"])
    return rows


def prepared(value: datetime | UUID) -> Any:
    """The value as this database stores it."""
    field: models.Field[Any, Any] = models.UUIDField() if isinstance(value, UUID) else models.DateTimeField()
    return field.get_db_prep_value(value, connection)


def with_items(queue: Queue, slot_ids: list[int]) -> list[Slot]:
    """Slots of the queue with their items, in the given order."""
    found = Slot.objects.select_related("item").in_bulk(slot_ids) if slot_ids else {}
    return of_queue(queue, (found[pk] for pk in slot_ids if pk in found))


def of_queue(queue: Queue, slots: Iterable[Slot]) -> list[Slot]:
    """These slots with `queue` set."""
    found = list(slots)
    for slot in found:
        slot.queue = queue
    return found


@transaction.atomic(savepoint=False)
def sweep(queue: Queue | None = None) -> int:
    """Free the slots whose lease has run out. Returns how many."""
    lapsed = Slot.objects.filter(state=LEASED, lease_until__lt=timezone.now())
    closed = (
        [] if queue else list(Queue.objects.filter(state=Queue.State.CLOSED, pk__in=lapsed.values("queue")))
    )
    freed = Slot.objects.filter(pk__in=unlocked(lapsed.filter(queue=queue) if queue else lapsed)).update(
        **FREE
    )
    for each in closed:
        close_rest(each)
    return freed


@transaction.atomic
def close_rest(queue: Queue) -> None:
    """Slots returned to a closed queue are closed too."""
    if closed := close_open_slots(queue):
        Queue.objects.filter(pk=queue.pk).update(slots_total=F("slots_total") - closed)


def close_open_slots(queue: Queue) -> int:
    """Close free slots. Returns how many. Locks slots by key and before the queue, as annotating does."""
    slots, closed, after = Slot.objects.filter(queue=queue, state=OPEN), 0, 0
    while keys := list(
        slots.select_for_update().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        closed += Slot.objects.filter(pk__in=keys).update(state=CLOSED, lease_token=None)
        after = keys[-1]
    return closed


@transaction.atomic
def heartbeat(*, queue_id: UUID, actor: User) -> int:
    """Renew this person's leases in the queue. Returns how many they hold."""
    queue = Queue.objects.get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    held = in_hand(queue, actor)
    renew(held)
    return len(held)


@transaction.atomic
def release(
    *, queue_id: UUID, actor: User, slot_ids: list[int] | None = None, tokens: list[UUID] | None = None
) -> int:
    """Release slots, by default all of this person in the queue, so that others can claim them at once.
    Returns how many.

    tokens: lease tokens of the page; a slot that a newer page of this person shows isn't released. Released
    slots come first if this person continues before others take them. Items returned by an adjudicator stay
    reserved for a day.
    """
    queue = Queue.objects.get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    kept_until = timezone.now() + 2 * rules.LEASE
    held = Slot.objects.filter(queue=queue, user=actor, state=LEASED, lease_until__lt=kept_until)
    if slot_ids is not None:
        held = held.filter(pk__in=slot_ids[:100])
    if tokens is not None:
        held = held.filter(lease_token__in=tokens)
    given = list(held.select_for_update().order_by("pk").values_list("priority", "pk", "is_gold"))
    released = Slot.objects.filter(pk__in=[pk for _, pk, _ in given]).update(**FREE) if given else 0
    if places := [(priority, pk) for priority, pk, is_gold in given if not is_gold]:
        move_back(queue, actor, *min(places))
    if queue.state == Queue.State.CLOSED:
        close_rest(queue)
    return released


def move_back(queue: Queue, user: User, priority: int, slot: int) -> None:
    """Move the person's cursor back to this slot, unless it's already before it."""
    ahead = Q(priority__gt=priority) | Q(priority=priority, slot__gte=slot)
    Seat.objects.filter(ahead, queue=queue, user=user).update(priority=priority, slot=slot - 1)


def hand_over(slot: Slot, user: User) -> Slot:
    """Lease a slot to a person, in the caller's transaction."""
    slot.state, slot.user, slot.annotation = LEASED, user, None
    slot.lease_until, slot.lease_token = timezone.now() + rules.LEASE, uuid4()
    slot.save(update_fields=["state", "user", "annotation", "lease_until", "lease_token"])
    return slot
