"""Mix gold items into queues and act on their results. Annotators don't know which items are gold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from datasets_app.datasets.models import Item
from datasets_app.queues import rules
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.gold import Gold
from datasets_app.queues.models.queues import Queue, Seat, Slot
from datasets_app.queues.queries.gold import draw_gold, live_gold, set_aside, skipped_gold
from datasets_app.queues.rules import NO_GOLD
from datasets_app.schemas.queries.changes import classes_now
from datasets_app.schemas.queries.labels import value_of
from lifecycle.ground.notices.actions import notify
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.types import type_of
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

LEASED, CLOSED = Slot.State.LEASED, Slot.State.CLOSED
Place = tuple[int, int]  # (priority, key of the slot): the position of a slot in its queue


# ── Handing out ─────────────────────────────────────────────────────────────
def seed_of(queue: Queue, user: User) -> bytes:
    """Seed of the gold positions for this person; unpredictable without the site's secret."""
    return salted_hmac("labeling.gold", f"{queue.uuid}:{user.uuid}", algorithm="sha256").digest()


def gold_places(queue: Queue, seat: Seat, user: User, wanted: int) -> list[bool]:
    """Which of this person's next `wanted` items are to be gold."""
    if not queue.gold_rate:
        return [False] * wanted
    seed = seed_of(queue, user)
    return [rules.is_gold_place(seed, seat.dealt + at, queue.gold_rate) for at in range(wanted)]


def gold_for(queue: Queue, seat: Seat, user: User, places: Sequence[bool]) -> list[Gold]:
    """Gold items for the next gold places, as far as there are any that are new to this person."""
    wanted = sum(places)
    return (
        draw_gold(queue, user, wanted, rules.gold_start(seed_of(queue, user), seat.dealt)) if wanted else []
    )


def hand_out(
    queue: Queue,
    seat: Seat,
    *,
    fresh: Sequence[Place],
    golds: Sequence[Gold],
    places: Sequence[bool],
    last: Place | None,
    token: UUID,
    until: datetime,
) -> list[int]:
    """Lease gold items at their places among the fresh slots. last: the last slot the person already holds.
    Returns all keys, in order.
    """
    order: list[Place | Gold] = []
    slots, left = list(fresh), list(golds)
    for place in places:
        if left and (place or not slots):
            order.append(left.pop(0))
        elif slots:
            order.append(slots.pop(0))
    leased = lease(queue, seat, behind(order, last), token, until)
    seat.dealt += len(order)
    seat.save(update_fields=["dealt"])
    return [leased[each.item_id] if isinstance(each, Gold) else each[1] for each in order]


def behind(order: Sequence[Place | Gold], last: Place | None) -> list[tuple[Gold, Place]]:
    """The slot after which each gold item is placed: the one before it, or just before the first slot if
    there is none.
    """
    first = next((each for each in order if not isinstance(each, Gold)), None)
    before = last or ((first[0], first[1] - 1) if first else (0, 0))
    found = []
    for each in order:
        if isinstance(each, Gold):
            found.append((each, before))
        else:
            before = each
    return found


def lease(
    queue: Queue, seat: Seat, wanted: Sequence[tuple[Gold, Place]], token: UUID, until: datetime
) -> dict[int, int]:
    """Lease gold slots to this person: those that they released before, or new ones. Returns their keys by
    item.
    """
    where = {gold.item_id: place for gold, place in wanted}
    had = set_aside(queue, seat.user, list(where)) if where else []
    fresh = [
        Slot(
            queue=queue,
            item_id=item,
            user_id=seat.user_id,
            state=LEASED,
            lease_until=until,
            lease_token=token,
            is_gold=True,
            priority=place[0],
            behind=place[1],
        )
        for item, place in where.items()
        if item not in {slot.item_id for slot in had}
    ]
    for slot in had:
        slot.priority, slot.behind = where[slot.item_id]
        slot.state, slot.lease_until, slot.lease_token = LEASED, until, token
        slot.save(update_fields=["priority", "behind", "state", "lease_until", "lease_token"])
    return {slot.item_id: slot.pk for slot in [*had, *(Slot.objects.bulk_create(fresh) if fresh else [])]}


def skipped_again(queue: Queue, seat: Seat, wanted: int, token: UUID, until: datetime) -> list[int]:
    """Lease again the gold items that this person skipped, like other skipped items."""
    found = [slot.pk for slot in skipped_gold(queue, seat.user, wanted)]
    if found:
        Slot.objects.filter(pk__in=found, state=CLOSED).update(
            state=LEASED, lease_until=until, lease_token=token
        )
    return found


# ── Judging ─────────────────────────────────────────────────────────────────
def judge_gold(item: Item, value: Value) -> tuple[Gold | None, bool | None]:
    """The item's gold label, None if it was retired in the meantime, and whether this value equals it, or did
    until then.

    An annotation of a gold item never becomes an ordinary one, even if the gold item is retired.
    """
    gold = Gold.objects.filter(item=item).select_related("label").order_by("-id").first()
    if gold is None:
        return None, None
    right = rules.is_right(value, value_of(gold), classes_now(item.dataset_id))
    return (gold if gold.retired_at is None else None), right


def count_answer(queue: Queue, annotation: Annotation, gold: Gold | None, before: Annotation | None) -> None:
    """Count a gold annotation for its annotator and the item. gold: None if it doesn't count. before: the
    annotation it replaces.

    If gold results are shown immediately, only the first annotation of an item counts for the annotator.
    """
    if gold is None or annotation.right is None:
        return
    was = before.right if before and before.right is not None else None
    asked, right = int(was is None), int(annotation.right) - int(was or False)
    Gold.objects.filter(pk=gold.pk).update(asked=F("asked") + asked, right=F("right") + right)
    if queue.gold_feedback and answered_before(annotation):
        return
    Seat.objects.filter(queue=queue, user=annotation.user).update(
        gold_done=F("gold_done") + asked, gold_right=F("gold_right") + right
    )
    watch(queue, annotation.user)


def answered_before(annotation: Annotation) -> bool:
    """Whether the person annotated the item in this queue before, undone or not."""
    rows = Annotation.objects.filter(
        queue=annotation.queue_id, user=annotation.user_id, item=annotation.item_id, pk__lt=annotation.pk
    )
    return rows.filter(action=Annotation.Action.LABEL).exists()


def uncount_answer(queue: Queue, target: Annotation) -> None:
    """Uncount an undone gold annotation, unless the gold item itself was retired."""
    if target.right is None:
        return
    live = live_gold().filter(item=target.item_id, asked__gt=0, right__gte=int(target.right))
    counted = live.update(asked=F("asked") - 1, right=F("right") - int(target.right))
    if counted and not queue.gold_feedback:
        seats = Seat.objects.filter(
            queue=queue, user=target.user_id, gold_done__gt=0, gold_right__gte=int(target.right)
        )
        seats.update(gold_done=F("gold_done") - 1, gold_right=F("gold_right") - int(target.right))


# ── What follows ────────────────────────────────────────────────────────────
def watch(queue: Queue, user: User) -> None:
    """Notify leads once when an annotator is significantly below the queue's minimum, and put them on hold if
    the queue does so.
    """
    if queue.gold_minimum is None:
        return
    seat = Seat.objects.select_for_update().get(queue=queue, user=user)
    right, done = seat.gold_looked_at
    found = rules.gold_accuracy(right, done)
    below = found is not None and found.high < queue.gold_minimum / 100
    if below == (seat.below_at is not None):
        return
    now = timezone.now()
    seat.below_at = now if below else None
    if below and queue.gold_holds and seat.held_at is None:
        seat.held_at = now
        ledger.record(
            None,
            Verb.ANNOTATOR_PAUSED,
            queue,
            project=queue.dataset.project.uuid,
            person=user.uuid,
            done=done,
            right=right,
        )
    seat.save(update_fields=["below_at", "held_at"])
    if below:
        held = " They get no new items until a lead reinstates them." if seat.held_at else ""
        message = (
            f"{user} got {right} of {done} gold items in {queue.name} right, significantly below"
            f" {queue.gold_minimum} %.{held}"
        )
        notify(
            policy.who_can("labeling.assess", queue),
            message,
            f"{reverse('quality:quality', args=[queue.uuid])}#gold",
        )


@transaction.atomic
def reinstate(*, queue_id: UUID, seat_id: int, actor: User) -> Seat:
    """Reinstate an annotator below the minimum: annotations so far are no longer evaluated, and the hold
    ends.

    Raises PermissionDenied, Refused (not an annotator of this queue) or Conflict (they are not below, and not
    on hold).
    """
    queue = Queue.objects.select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.assess", queue)
    seat = (
        Seat.objects.select_for_update(of=("self",))
        .select_related("user")
        .filter(queue=queue, pk=seat_id)
        .first()
    )
    if seat is None:
        raise Refused("This person hasn't worked in the queue.", next_step="Reload the page.")
    if seat.held_at is None and seat.below_at is None:
        raise Conflict(f"{seat.user} isn't on hold in {queue.name}.", next_step="Reload the page.")
    seat.excused_done, seat.excused_right, seat.below_at, seat.held_at = (
        seat.gold_done,
        seat.gold_right,
        None,
        None,
    )
    seat.save(update_fields=["excused_done", "excused_right", "below_at", "held_at"])
    payload = {"person": seat.user.uuid, "done": seat.gold_done, "right": seat.gold_right}
    ledger.record(actor, Verb.ANNOTATOR_REINSTATED, queue, project=queue.dataset.project.uuid, **payload)
    return seat


@transaction.atomic
def mix_gold(
    *,
    queue_id: UUID,
    actor: User,
    rate: int,
    feedback: bool = False,
    minimum: int | None = None,
    holds: bool = False,
) -> Queue:
    """Set how gold is mixed into a queue, from the next item on. Safe to repeat.

    rate: percent of each person's items, 0 to 30. feedback: show results immediately. minimum: gold accuracy
    in percent, 1 to 100; None for none. holds: whether annotators below it get no new items until a lead
    reinstates them.
    Raises PermissionDenied, Refused that names the field, or Conflict (closed).
    """
    # before the queue, as annotating does
    list(Seat.objects.select_for_update(of=("self",)).filter(queue__uuid=queue_id).order_by("pk"))
    queue = (
        Queue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project")
        .get(uuid=queue_id)
    )
    policy.require(actor, "labeling.manage", queue)
    if queue.state == Queue.State.CLOSED:
        raise Conflict(f"{queue.name} is closed and hands out no items.")
    if problems := mixing_problems(queue.dataset.task, rate, minimum, holds=holds):
        raise Refused(
            "The queue wasn't changed.", next_step=next(iter(problems.values()))[0], fields=problems
        )
    old = {
        "rate": queue.gold_rate,
        "feedback": queue.gold_feedback,
        "minimum": queue.gold_minimum,
        "holds": queue.gold_holds,
    }
    new = {"rate": rate, "feedback": feedback, "minimum": minimum, "holds": holds}
    if old == new:
        return queue
    queue.gold_rate, queue.gold_feedback, queue.gold_minimum, queue.gold_holds = (
        rate,
        feedback,
        minimum,
        holds,
    )
    queue.save(update_fields=["gold_rate", "gold_feedback", "gold_minimum", "gold_holds"])
    if not holds:
        queue.seats.filter(held_at__isnull=False).update(held_at=None)
    if minimum is None:
        queue.seats.filter(below_at__isnull=False).update(below_at=None)
    ledger.record(actor, Verb.GOLD_MIXED, queue, project=queue.dataset.project.uuid, old=old, new=new)
    return queue


def mixing_problems(task: str, rate: int, minimum: int | None, *, holds: bool) -> dict[str, list[str]]:
    """Invalid gold settings: messages by field."""
    problems: dict[str, list[str]] = {}
    if not 0 <= rate <= rules.GOLD_MOST:
        problems["gold_rate"] = [f"The share of gold items must be between 0 and {rules.GOLD_MOST} %."]
    elif rate and not type_of(task).has_gold:
        problems["gold_rate"] = [NO_GOLD]
    if minimum is not None and not 1 <= minimum <= 100:
        problems["gold_minimum"] = ["The minimum accuracy must be between 1 and 100 %."]
    if holds and minimum is None:
        problems["gold_minimum"] = [
            "Pausing annotators below the minimum needs a minimum accuracy. Enter one."
        ]
    return problems
