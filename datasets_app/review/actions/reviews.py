"""Adjudicate disagreements. No one resolves an item that they annotated."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.datasets.rules import UploadState
from datasets_app.queues import rules
from datasets_app.queues.actions.answers import read_value
from datasets_app.queues.actions.comments import check_text, write
from datasets_app.queues.actions.settling import (
    end_dispute,
    labels_for,
    lock_item,
    record,
    settle,
    write_decision,
)
from datasets_app.queues.models.decisions import Decision, Dispute
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.answers import answers_in
from datasets_app.queues.queries.decisions import annotators_of, newest_decision, standing
from datasets_app.review.actions.checks import judge_sampled, reset_judgment
from datasets_app.review.queries.review import seen_digest
from datasets_app.schemas.queries.changes import labels_now
from datasets_app.schemas.queries.labels import value_of
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.values import answers_of
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

OPEN, LEASED, DONE, CLOSED = Slot.State.OPEN, Slot.State.LEASED, Slot.State.DONE, Slot.State.CLOSED
SLOW_LEASE = rules.RETURN_LEASE


@transaction.atomic
def adjudicate(
    *, queue_id: UUID, item_id: UUID, actor: User, value: Value, reason: str = "", seen: str = ""
) -> Decision:
    """Resolve an item with one of its annotations or their majority, or with another value and a reason.
    Supersedes the last decision.

    value: as in `submit`. seen: the digest that the page showed. Raises PermissionDenied (role; annotated it
    themself), Refused (no reason, unknown label), or Conflict (annotations or decision changed since).
    """
    queue, item, slots, current = lock_for_review(queue_id, item_id, actor, seen)
    answers = answers_in(slots)
    labels = labels_now(queue.schema)
    parsed = read_value(queue, item, value, labels)
    reason = reason.strip()[:1000]
    agreeing = [answer for answer in answers if value_of(answer) == parsed]
    merged = answers_of(parsed).merge([value_of(answer) for answer in answers]) if answers else None
    if not agreeing and parsed != merged and not reason:
        message = "No annotator gave this label, so a reason is needed."
        raise Refused(message, next_step="Enter a reason.", fields={"reason": [message]})
    decision = write_decision(
        item=item,
        value=parsed,
        labels=labels,
        queue=queue,
        how=Decision.How.ADJUDICATED,
        answers=answers,
        by=actor,
        reason=reason,
        current=current,
    )
    close_rest(queue, slots)
    judge_sampled(queue, item, right=bool(agreeing))
    end_dispute(queue, open_dispute(queue, item), Dispute.State.SETTLED, decision)
    record(
        decision,
        Verb.LABEL_RESOLVED,
        actor,
        queue,
        overrides=not agreeing,
        reason=reason,
        supersedes=current.digest if current else None,
    )
    return decision


def lock_for_review(
    queue_id: UUID, item_id: UUID, actor: User, seen: str
) -> tuple[Queue, Item, list[Slot], Decision | None]:
    """The queue, the item, its locked slots, and its last decision, for a person who may resolve it. Raises
    as `adjudicate`.
    """
    queue = Queue.objects.select_related("dataset__project", "schema").get(uuid=queue_id)
    policy.require(actor, "labeling.adjudicate", queue)
    items = Item.objects.select_related("dataset__project").filter(
        dataset=queue.dataset_id, upload__state=UploadState.IMPORTED
    )
    item = items.filter(uuid=item_id).first()
    if item is None:
        raise Refused("This item isn't in the queue's dataset.", next_step="Reload the page.")
    slots = lock_item(queue, item)
    if not slots:
        raise Refused("This item isn't in the queue.", next_step="Reload the page.")
    check_four_eyes(item, actor)
    current = newest_decision(item.pk)
    if seen and seen != seen_digest(slots, current):
        raise Conflict(
            "The item changed while you were reading: it has new annotations or a new label.",
            next_step="Review it again.",
        )
    return queue, item, slots, current


def check_four_eyes(item: Item, actor: User) -> None:
    """Raises Refused if the person has a current annotation of the item."""
    if actor.pk in annotators_of([item.pk]):
        raise Refused(
            "You annotated this item yourself, so you can't resolve it.", next_step="Another adjudicator can."
        )


def close_rest(queue: Queue, slots: list[Slot]) -> None:
    """Close the open slots of a resolved item; annotations of leased slots are still accepted."""
    closed = [slot for slot in slots if slot.state == OPEN]
    if closed:
        Slot.objects.filter(pk__in=[slot.pk for slot in closed]).update(state=CLOSED, lease_token=None)
        Queue.objects.filter(pk=queue.pk).update(slots_total=F("slots_total") - len(closed))


def open_dispute(queue: Queue, item: Item) -> Dispute | None:
    """The item's open dispute, if any, locked."""
    return (
        Dispute.objects.select_for_update().filter(queue=queue, item=item, state=Dispute.State.OPEN).first()
    )


@transaction.atomic
def return_to_annotators(*, queue_id: UUID, item_id: UUID, actor: User, comment: str, seen: str = "") -> int:
    """Return an item to its annotators with a comment. Returns how many.

    Their slots reopen, reserved for them for a day, then for any annotator; their first annotations stay in
    the history. A current label is withdrawn. Raises PermissionDenied, Refused (no comment, no annotations),
    or Conflict (changed since).
    """
    queue, item, slots, current = lock_for_review(queue_id, item_id, actor, seen)
    text = check_text(comment)
    if queue.state == Queue.State.CLOSED:
        raise Conflict(
            f"{queue.name} is closed, so the item can't be returned to annotators.",
            next_step="Resolve it, or open a new queue for it.",
        )
    answered = [slot for slot in slots if slot.state == DONE]
    if not answered:
        raise Refused("This item has no annotations yet.", next_step="Wait for the annotators.")
    people = [slot.user_id for slot in answered]
    for slot in answered:
        reassign(slot, timezone.now() + SLOW_LEASE)
    Queue.objects.filter(pk=queue.pk).update(slots_done=F("slots_done") - len(answered))
    note = write(queue, item, actor, text, is_return=True)
    end_dispute(queue, open_dispute(queue, item), Dispute.State.RETURNED)
    judge_sampled(queue, item, right=False)
    if current and current.how != Decision.How.WITHDRAWN and current.queue_id == queue.pk:
        withdraw(item, queue, current, actor, "Returned to the annotators.")
    ledger.record(
        actor,
        Verb.ITEM_RETURNED,
        note,
        project=queue.dataset.project.uuid,
        item=item.digest,
        queue=queue.uuid,
        people=len(people),
    )
    return len(people)


def reassign(slot: Slot, until: datetime) -> None:
    """Reserve the slot for the same person, before all their other items."""
    slot.state, slot.annotation, slot.priority, slot.lease_until, slot.lease_token = (
        LEASED,
        None,
        -1,
        until,
        uuid4(),
    )
    slot.save(update_fields=["state", "annotation", "priority", "lease_until", "lease_token"])


def withdraw(item: Item, queue: Queue, current: Decision, actor: User, reason: str) -> Decision:
    """Withdraw a decision."""
    decision = write_decision(
        item=item,
        value=value_of(current),
        labels=labels_for(queue, current),
        queue=queue,
        how=Decision.How.WITHDRAWN,
        by=actor,
        reason=reason,
        current=current,
    )
    record(decision, Verb.LABEL_RESOLVED, actor, queue, withdraws=current.digest, reason=reason)
    return decision


@transaction.atomic
def undo_decision(*, queue_id: UUID, actor: User) -> Item:
    """Undo this adjudicator's newest current decision in the queue; its item is disputed again. Returns the
    item.

    Raises PermissionDenied or Refused (nothing to undo).
    """
    queue = Queue.objects.select_related("dataset__project", "schema").get(uuid=queue_id)
    policy.require(actor, "labeling.adjudicate", queue)
    mine = standing().filter(queue=queue, by=actor, how=Decision.How.ADJUDICATED, change=None, file=None)
    last = mine.select_related("item__dataset__project", "label").order_by("-id").first()
    if last is None:
        raise Refused("You have no label to undo here.")
    item = last.item
    slots = lock_item(queue, item)
    withdraw(item, queue, last, actor, "Undone by the reviewer.")
    reopen(queue, slots, last)
    settle(queue, item, slots)
    reset_judgment(queue, item)
    return item


def reopen(queue: Queue, slots: list[Slot], decision: Decision) -> None:
    """Undo a decision's effects: uncount its dispute, and reopen the slots that it closed."""
    settled = Dispute.objects.filter(queue=queue, decision=decision, state=Dispute.State.SETTLED).update(
        state=Dispute.State.VANISHED
    )
    closed = [slot for slot in slots if slot.state == CLOSED and queue.state != Queue.State.CLOSED]
    for slot in closed:
        slot.state = OPEN
        slot.save(update_fields=["state"])
    Queue.objects.filter(pk=queue.pk).update(
        disputes_total=F("disputes_total") - settled, slots_total=F("slots_total") + len(closed)
    )
