"""Annotate, skip, and undo. Safe to repeat; no annotation is ever deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues import rules
from datasets_app.queues.actions import mixing
from datasets_app.queues.actions.claims import hand_over
from datasets_app.queues.actions.settling import BY_REVIEWER, lock_item, lock_item_of, settle
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import Queue, Seat, Slot, SlotSkip
from datasets_app.queues.queries.decisions import standing
from datasets_app.queues.queries.pages import is_for_others
from datasets_app.queues.rules import SlotFacts
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.changes import accepted_labels
from datasets_app.schemas.queries.labels import labels_by_id, labels_named
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types import values
from lifecycle.runtime.task_types.answers import ItemContent, Value
from lifecycle.runtime.task_types.values import stored
from registry.ground.access import policy
from registry.ground.access.models import User

Action = Annotation.Action
OPEN, LEASED, DONE, CLOSED = Slot.State.OPEN, Slot.State.LEASED, Slot.State.DONE, Slot.State.CLOSED
MAX_SECONDS = 3_600.0  # longer means that the person was away


@dataclass(frozen=True, slots=True)
class Undone:
    """The undone annotation or skip. slot: the item's slot, leased to the person again; None if another
    person has it now.
    """

    annotation: Annotation
    slot: Slot | None


@transaction.atomic
def submit(
    *,
    queue_id: UUID,
    actor: User,
    slot_id: int,
    value: Value,
    client_key: UUID,
    token: UUID | None = None,
    seconds: float = 0,
    prelabel_id: int | None = None,
    shown: Sequence[int] | None = None,
) -> Annotation:
    """Save an annotation; the same client_key again returns the first one.

    slot_id, token: as claimed. value: for `Answers.parse` of the dataset's task, with labels by their uuid in
    the queue's schema or by stable id. seconds: time on the item. prelabel_id: the pre-label shown first,
    if any. shown: the order in which the responses were shown, if any. If the lease was lost, the annotation
    fills another open slot of the item, or is kept as an extra one. A second annotation by the same person
    replaces their first. Once the item has all its annotations, it is labeled automatically or becomes
    disputed. An annotation of a gold item is correct or wrong and doesn't change the item. Raises
    PermissionDenied, Refused (unknown label or item, invalid value), or Conflict (an adjudicator resolved the
    item that this person had annotated).
    """
    queue, item, slots = open_item(queue_id, actor, slot_id)
    # asked under the locks, where two of the same request wait for each other
    if earlier := sent_before(actor, client_key):
        return earlier
    labels = labels_in(queue, value)
    parsed = read_value(queue, item, value, labels)
    fields = stored(parsed, labels)
    target = slot_for(slots, actor)
    before = answer_of(queue, item, actor)
    is_gold = target is not None and target.is_gold
    if target and target.state == DONE and not is_gold and is_settled(item):
        raise Conflict(
            "An adjudicator resolved this item, so your first annotation is kept.",
            next_step="Continue with the next item.",
        )
    gold, right = mixing.judge_gold(item, parsed) if is_gold else (None, None)
    annotation = Annotation.objects.create(
        queue=queue,
        item=item,
        user=actor,
        **fields,
        seconds=min(max(seconds, 0), MAX_SECONDS),
        client_key=client_key,
        suggestion=first_shown(item, prelabel_id),
        shown=check_order(item, shown),
        replaces=before,
        right=right,
    )
    count(queue, actor, labeled=int(before is None), seconds=annotation.seconds)
    had_all = has_all(slots)
    added = target is not None and fill(target, annotation)
    if is_gold:
        mixing.count_answer(queue, annotation, gold, before)
    elif target and (had_all or has_all(slots)):  # nothing follows from some of an item's answers
        settle(queue, item, slots)
    if target and added:  # last, since every annotator of the queue waits for this row
        tally(queue, target, 1)
    return annotation


def sent_before(actor: User, client_key: UUID) -> Annotation | None:
    """The row that an earlier attempt of the same request created."""
    sent = Annotation.objects.filter(user=actor, client_key=client_key)
    return sent.select_related("label", "item", "queue", "replaces__label").first() if sent.exists() else None


def open_item(queue_id: UUID, actor: User, slot_id: int) -> tuple[Queue, Item, list[Slot]]:
    """The queue, and the slot's item with all its slots locked. Raises PermissionDenied, Refused, or Conflict
    (not assigned).
    """
    rows = Queue.objects.select_related("dataset__project", "schema")
    queue = policy.get_permitted(actor, rows, "labeling.annotate", uuid=queue_id)
    slots = lock_item_of(queue, slot_id, gold_of=actor)
    if not slots:
        raise Refused("This item isn't in the queue.", next_step="Reload the page.")
    item = slots[0].item
    item.dataset = queue.dataset
    if not any(slot.user_id == actor.pk for slot in slots) and is_for_others(queue, actor):
        raise Conflict(f"You aren't assigned to {queue.name}.", next_step="Choose another queue.")
    return queue, item, slots


def labels_in(queue: Queue, value: Value) -> dict[str, Label]:
    """The labels of the queue's schema that a value uses, by stable id; all of them if it uses one from
    elsewhere.
    """
    named = values.named_in(value)
    found = labels_named(queue.schema_id, named)
    return found if len(found) == len(named) else labels_by_id(queue.schema)


def read_value(queue: Queue, item: Item, value: Value, labels: Mapping[str, Label]) -> Value:
    """A submitted annotation in canonical form. labels: of the queue's schema, including those that the value
    uses.

    Raises Refused for an invalid value.
    """
    accepted = accepted_labels(queue.dataset_id, value, labels)
    return queue.dataset.task_type.answers.parse(value, ItemContent(item.text, item.content or {}), accepted)


def slot_for(slots: list[Slot], actor: User) -> Slot | None:
    """The slot that this person's annotation fills, or None."""
    found = rules.slot_for(
        [SlotFacts(slot.pk, slot.state, slot.user_id, slot.is_gold) for slot in slots], actor.pk
    )
    return next((slot for slot in slots if found and slot.pk == found.pk), None)


def answer_of(queue: Queue, item: Item, actor: User) -> Annotation | None:
    """The annotation that this person's next one replaces: their newest of the item in this queue."""
    mine = Annotation.objects.filter(
        queue=queue, item=item, user=actor, action=Action.LABEL, replaced_by__isnull=True
    )
    return max(mine, key=lambda row: row.pk, default=None)


def is_settled(item: Item) -> bool:
    """Whether an adjudicator resolved the item."""
    return standing().filter(item=item, how__in=BY_REVIEWER).exists()


def check_order(item: Item, shown: Sequence[int] | None) -> list[int] | None:
    """The reported order of the responses. Raises Refused for an invalid order."""
    if shown is None:
        return None
    if sorted(shown) != list(range(len((item.content or {}).get("responses", [])))):
        raise Refused("Invalid response order.", next_step="Reload the page.")
    return list(shown)


def first_shown(item: Item, prelabel_id: int | None) -> Suggestion | None:
    """The pre-label that the page showed first, if it is one for this item."""
    return Suggestion.objects.filter(pk=prelabel_id, item=item).first() if prelabel_id else None


def has_all(slots: list[Slot]) -> bool:
    """Whether an item has all the annotations it needs."""
    return rules.is_complete([slot.state for slot in slots])


def fill(slot: Slot, annotation: Annotation) -> bool:
    """Save the annotation in the slot. Returns whether the slot had none."""
    added = slot.state != DONE
    slot.state, slot.user, slot.annotation, slot.lease_until, slot.lease_token = (
        DONE,
        annotation.user,
        annotation,
        None,
        None,
    )
    slot.save(update_fields=["state", "user", "annotation", "lease_until", "lease_token"])
    return added


def tally(queue: Queue, slot: Slot, by: int) -> None:
    """Update the queue's count of filled slots, or of gold annotations."""
    name = "gold_done" if slot.is_gold else "slots_done"
    Queue.objects.filter(pk=queue.pk).update(**{name: F(name) + by})


def count(queue: Queue, user: User, *, labeled: int = 0, skipped: int = 0, seconds: float = 0) -> None:
    """Update the person's counters in the queue."""
    mine = Seat.objects.filter(queue=queue, user=user)
    added = {
        "labeled": F("labeled") + labeled,
        "skipped": F("skipped") + skipped,
        "seconds": F("seconds") + seconds,
    }
    if not mine.update(**added, last_at=timezone.now()):
        Seat.objects.get_or_create(queue=queue, user=user)
        mine.update(**added, last_at=timezone.now())


@transaction.atomic
def skip(
    *, queue_id: UUID, actor: User, slot_id: int, client_key: UUID, reason: str = "", seconds: float = 0
) -> Annotation:
    """Skip an item: it goes to other annotators, and comes back to this person only when they ask for skipped
    items.

    The same client_key again returns the first row. Raises PermissionDenied, Refused, or Conflict (already
    annotated).
    """
    queue, item, slots = open_item(queue_id, actor, slot_id)
    # asked under the locks, where two of the same request wait for each other
    if earlier := sent_before(actor, client_key):
        return earlier
    held = next((slot for slot in slots if slot.user_id == actor.pk), None)
    if held and held.state == DONE:
        raise Conflict("You already annotated this item.", next_step="Undo your annotation first.")
    annotation = Annotation.objects.create(
        queue=queue,
        item=item,
        user=actor,
        action=Action.SKIP,
        reason=reason.strip()[:500],
        seconds=min(max(seconds, 0), MAX_SECONDS),
        client_key=client_key,
    )
    if not SlotSkip.objects.filter(queue=queue, item=item, user=actor).exists():
        SlotSkip.objects.create(queue=queue, item=item, user=actor, reason=reason.strip()[:200])
    if held:
        held.state, held.user = (CLOSED, actor) if held.is_gold else (OPEN, None)
        held.lease_until, held.lease_token = None, None
        held.save(update_fields=["state", "user", "lease_until", "lease_token"])
    count(queue, actor, skipped=1)
    return annotation


@transaction.atomic
def undo(*, queue_id: UUID, actor: User, client_key: UUID) -> Undone:
    """Undo this person's newest current annotation or skip in the queue, among their last 20; the item is
    leased to them again.

    An automatic label based on the annotation is withdrawn. The same client_key again undoes nothing more.
    Raises PermissionDenied, Refused (nothing left to undo), or Conflict (an adjudicator resolved the item;
    the queue is closed).
    """
    queue = Queue.objects.select_related("dataset__project", "schema").get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    target, slots = lock_last_answer(queue, actor, client_key)
    if earlier := sent_before(actor, client_key):
        return Undone(
            earlier.replaces or earlier,
            Slot.objects.filter(queue=queue, item=earlier.item, user=actor, state=LEASED).first(),
        )
    if queue.state == Queue.State.CLOSED:
        raise Conflict(f"{queue.name} is closed; its annotations can't be changed.")
    if target is None:
        raise Refused(
            "Nothing left to undo.", next_step=f"You can undo your last {rules.UNDO_DEPTH} annotations."
        )
    filled = next((slot for slot in slots if slot.annotation_id == target.pk), None)
    is_gold = filled is not None and filled.is_gold
    if target.action == Action.LABEL and not is_gold and is_settled(target.item):
        raise Conflict(
            "An adjudicator resolved this item, so your annotation is kept.",
            next_step="Leave a comment if you disagree.",
        )
    Annotation.objects.create(
        queue=queue, item=target.item, user=actor, action=Action.UNDO, replaces=target, client_key=client_key
    )
    return Undone(target, take_back(queue, actor, target, slots))


def lock_last_answer(queue: Queue, actor: User, client_key: UUID) -> tuple[Annotation | None, list[Slot]]:
    """The row to undo, with its item's slots locked; the one before it if another tab undid it in the
    meantime.
    """
    while (target := last_answer(queue, actor)) is not None:
        slots = lock_item(queue, target.item, gold_of=actor)
        taken_back = Annotation.objects.filter(replaces=target).values_list("client_key", flat=True).first()
        if taken_back in (None, client_key):
            return target, slots
    return None, []


def last_answer(queue: Queue, actor: User) -> Annotation | None:
    """The annotation or skip that undo would take back."""
    mine = Annotation.objects.filter(queue=queue, user=actor, action__in=[Action.LABEL, Action.SKIP])
    rows = list(
        mine.select_related("label", "item__dataset__project", "replaced_by").order_by("-id")[
            : rules.UNDO_DEPTH
        ]
    )
    found = rules.undo_target([rules.Step(row.pk, undone=hasattr(row, "replaced_by")) for row in rows])
    return next((row for row in rows if row.pk == found), None)


def take_back(queue: Queue, actor: User, target: Annotation, slots: list[Slot]) -> Slot | None:
    """Lease the item of an undone row to the person again, and update counters and label."""
    if target.action == Action.SKIP:
        count(queue, actor, skipped=-1)
        free = slot_for(slots, actor)
        return hand_over(free, actor) if free and free.state in (OPEN, CLOSED) else free
    count(queue, actor, labeled=-1, seconds=-target.seconds)
    slot = next((slot for slot in slots if slot.annotation_id == target.pk and slot.state == DONE), None)
    if slot is None:
        return None
    hand_over(slot, actor)
    tally(queue, slot, -1)
    if slot.is_gold:
        mixing.uncount_answer(queue, target)
    else:
        settle(queue, target.item, slots)
    return slot
