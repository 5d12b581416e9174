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
from datasets_app.queues.actions.settling import end_dispute, labels_for, lock_item, record, settle, write_decision
from datasets_app.queues.models.decisions import Decision, Dispute
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.answers import answers_in
from datasets_app.queues.queries.decisions import annotators_of, newest_decision, standing
from datasets_app.review.actions.checks import judge_sampled, look_again
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
def decide(*, queue_id: UUID, item_id: UUID, actor: User, value: Value, reason: str = "", seen: str = "") -> Decision:
    """Decide an item: as one of its answers or most of them say, or otherwise with a reason. It supersedes the decision before.

    value: as in `submit`. seen: the digest that the page showed. Raises PermissionDenied (role; labeled it themself), Refused (no reason,
    no such class), or Conflict (answers or decision changed since). The same decision again changes nothing.
    """
    queue, item, slots, current = look(queue_id, item_id, actor, seen)
    answers = answers_in(slots)
    labels = labels_now(queue.schema)
    said = read_value(queue, item, value, labels)
    reason = reason.strip()[:1000]
    agreeing = [answer for answer in answers if value_of(answer) == said]
    merged = answers_of(said).merge([value_of(answer) for answer in answers]) if answers else None
    if not agreeing and said != merged and not reason:
        told = "No annotator gave this label, so a reason is needed."
        raise Refused(told, next_step="Enter a reason.", fields={"reason": [told]})
    decision = write_decision(
        item=item, value=said, labels=labels, queue=queue, how=Decision.How.ADJUDICATED, answers=answers, by=actor, reason=reason,
        current=current,
    )  # fmt: skip
    close_rest(queue, slots)
    judge_sampled(queue, item, right=bool(agreeing))
    end_dispute(queue, open_dispute(queue, item), Dispute.State.SETTLED, decision)
    record(decision, Verb.ITEM_DECIDED, actor, queue, overrides=not agreeing, reason=reason, supersedes=current.digest if current else None)
    return decision


def look(queue_id: UUID, item_id: UUID, actor: User, seen: str) -> tuple[Queue, Item, list[Slot], Decision | None]:
    """The item with its locked slots and the end of its decisions, for a person who may resolve it."""
    queue = Queue.objects.select_related("dataset__project", "schema").get(uuid=queue_id)
    policy.require(actor, "labeling.decide", queue)
    items = Item.objects.select_related("dataset__project").filter(dataset=queue.dataset_id, upload__state=UploadState.IMPORTED)
    item = items.filter(uuid=item_id).first()
    if item is None:
        raise Refused("This item isn't in the queue's dataset.", next_step="Reload the page.")
    slots = lock_item(queue, item)
    if not slots:
        raise Refused("This item isn't in the queue.", next_step="Reload the page.")
    check_four_eyes(item, actor)
    current = newest_decision(item.pk)
    if seen and seen != seen_digest(slots, current):
        raise Conflict("The item changed while you were reading: it has new annotations or a new label.", next_step="Review it again.")
    return queue, item, slots, current


def check_four_eyes(item: Item, actor: User) -> None:
    """Raises Refused if the person has a current annotation of the item."""
    if actor.pk in annotators_of([item.pk]):
        raise Refused("You annotated this item yourself, so you can't resolve it.", next_step="Another adjudicator can.")


def close_rest(queue: Queue, slots: list[Slot]) -> None:
    """A decided item needs no more answers: its open slots are closed; what is on a screen may still come in."""
    closed = [slot for slot in slots if slot.state == OPEN]
    if closed:
        Slot.objects.filter(pk__in=[slot.pk for slot in closed]).update(state=CLOSED, lease_token=None)
        Queue.objects.filter(pk=queue.pk).update(slots_total=F("slots_total") - len(closed))


def open_dispute(queue: Queue, item: Item) -> Dispute | None:
    """The dispute about an item that waits to be settled."""
    return Dispute.objects.select_for_update().filter(queue=queue, item=item, state=Dispute.State.OPEN).first()


@transaction.atomic
def return_to_annotators(*, queue_id: UUID, item_id: UUID, actor: User, comment: str, seen: str = "") -> int:
    """Return an item to its annotators with a comment. Returns how many.

    Their slots reopen, reserved for them for a day, then for any annotator; their first annotations stay in the history. A current label
    is withdrawn. Raises PermissionDenied, Refused (no comment, no annotations), or Conflict (changed since).
    """
    queue, item, slots, current = look(queue_id, item_id, actor, seen)
    text = check_text(comment)
    if queue.state == Queue.State.CLOSED:
        raise Conflict(
            f"{queue.name} is closed, so the item can't be returned to annotators.", next_step="Resolve it, or open a new queue for it."
        )
    answered = [slot for slot in slots if slot.state == DONE]
    if not answered:
        raise Refused("This item has no annotations yet.", next_step="Wait for the annotators.")
    people = [slot.user_id for slot in answered]
    for slot in answered:
        ask_again(slot, timezone.now() + SLOW_LEASE)
    Queue.objects.filter(pk=queue.pk).update(slots_done=F("slots_done") - len(answered))
    note = write(queue, item, actor, text, is_return=True)
    end_dispute(queue, open_dispute(queue, item), Dispute.State.RETURNED)
    judge_sampled(queue, item, right=False)
    if current and current.how != Decision.How.WITHDRAWN and current.queue_id == queue.pk:
        withdraw(item, queue, current, actor, "Returned to the annotators.")
    ledger.record(
        actor, Verb.ITEM_RETURNED, note, project=queue.dataset.project.uuid, item=item.digest, queue=queue.uuid, people=len(people)
    )
    return len(people)


def ask_again(slot: Slot, until: datetime) -> None:
    """The slot waits for the same person, before everything else."""
    slot.state, slot.annotation, slot.priority, slot.lease_until, slot.lease_token = LEASED, None, -1, until, uuid4()
    slot.save(update_fields=["state", "annotation", "priority", "lease_until", "lease_token"])


def withdraw(item: Item, queue: Queue, current: Decision, actor: User, reason: str) -> Decision:
    """Say that a decision no longer holds."""
    decision = write_decision(
        item=item, value=value_of(current), labels=labels_for(queue, current), queue=queue, how=Decision.How.WITHDRAWN, by=actor,
        reason=reason, current=current,
    )  # fmt: skip
    record(decision, Verb.ITEM_DECIDED, actor, queue, withdraws=current.digest, reason=reason)
    return decision


@transaction.atomic
def undo_decision(*, queue_id: UUID, actor: User) -> Item:
    """Take back this reviewer's newest decision in the queue that still holds; its item is disputed again. Returns the item.

    Raises PermissionDenied or Refused (nothing to undo).
    """
    queue = Queue.objects.select_related("dataset__project", "schema").get(uuid=queue_id)
    policy.require(actor, "labeling.decide", queue)
    mine = standing().filter(queue=queue, by=actor, how=Decision.How.ADJUDICATED, change=None, file=None)
    last = mine.select_related("item__dataset__project", "label").order_by("-id").first()
    if last is None:
        raise Refused("You have no label to undo here.")
    item = last.item
    slots = lock_item(queue, item)
    withdraw(item, queue, last, actor, "Undone by the reviewer.")
    reopen(queue, slots, last)
    settle(queue, item, slots)
    look_again(queue, item)
    return item


def reopen(queue: Queue, slots: list[Slot], decision: Decision) -> None:
    """An undone decision settled nothing: its dispute is uncounted, and the answers that it made needless are needed again."""
    settled = Dispute.objects.filter(queue=queue, decision=decision, state=Dispute.State.SETTLED).update(state=Dispute.State.VANISHED)
    closed = [slot for slot in slots if slot.state == CLOSED and queue.state != Queue.State.CLOSED]
    for slot in closed:
        slot.state = OPEN
        slot.save(update_fields=["state"])
    Queue.objects.filter(pk=queue.pk).update(disputes_total=F("disputes_total") - settled, slots_total=F("slots_total") + len(closed))
