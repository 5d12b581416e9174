"""Pause, resume, and close a queue, and change its settings while it's open."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction

from datasets_app.prelabels.rules import Proposer
from datasets_app.queues.actions.claims import close_open_slots
from datasets_app.queues.actions.ordering import check_order, enqueue_reorder
from datasets_app.queues.models.queues import Queue
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_move
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

MOVES = {
    Queue.State.OPEN: {Queue.State.PAUSED, Queue.State.CLOSED},
    Queue.State.PAUSED: {Queue.State.OPEN, Queue.State.CLOSED},
}


def pause_queue(*, queue_id: UUID, actor: User) -> Queue:
    """Hand out no new items until it's resumed; open items can still be annotated. Raises PermissionDenied or
    Conflict.
    """
    return move(queue_id, actor, Queue.State.PAUSED)


def resume_queue(*, queue_id: UUID, actor: User) -> Queue:
    """Hand out items of a paused queue again. Raises PermissionDenied or Conflict."""
    return move(queue_id, actor, Queue.State.OPEN)


def close_queue(*, queue_id: UUID, actor: User) -> Queue:
    """Close a queue permanently: open slots are closed, annotations stay. Raises PermissionDenied or
    Conflict.
    """
    return move(queue_id, actor, Queue.State.CLOSED)


@transaction.atomic
def move(queue_id: UUID, actor: User, state: Queue.State) -> Queue:
    """Change the state of a queue. Safe to repeat."""
    known = policy.get_permitted(actor, Queue, "labeling.manage", uuid=queue_id)
    closed = close_open_slots(known) if state == Queue.State.CLOSED != known.state else 0
    queue = (
        Queue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project")
        .get(uuid=queue_id)
    )
    if queue.state == state:
        return queue
    check_move("queue", MOVES, Queue.State(queue.state), state)
    old, queue.state = queue.state, state
    queue.slots_total -= closed
    queue.save(update_fields=["state", "slots_total"])
    verb = Verb.QUEUE_CLOSED if state == Queue.State.CLOSED else Verb.QUEUE_CHANGED
    ledger.record(
        actor, verb, queue, project=queue.dataset.project.uuid, old=old, new=state, done=queue.slots_done
    )
    return queue


@transaction.atomic
def change_queue(
    *, queue_id: UUID, actor: User, order: str, due_on: date | None, people: Collection[User]
) -> Queue:
    """Change the order of open items, the due date, and the assigned annotators. Repeating a call changes
    nothing.

    order: one of Order; that of the built-in model only if the queue already has it. A job reorders open
    items; items already assigned stay assigned. Raises PermissionDenied, Conflict for a closed queue, or
    Refused that names the field (unknown order, too few people, or one who can't annotate).
    """
    queue = (
        Queue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project")
        .get(uuid=queue_id)
    )
    policy.require(actor, "labeling.manage", queue)
    if queue.state == Queue.State.CLOSED:
        raise Conflict("This queue is closed and can't be changed.", next_step="Open another queue.")
    before, old = facts_of(queue), queue.order
    queue.order, queue.due_on = order, due_on
    check_change(queue, old, people)
    queue.save(update_fields=["order", "due_on"])
    queue.people.set(people)
    if queue.order != old:
        enqueue_reorder(queue, actor)
    if (after := facts_of(queue)) != before:
        ledger.record(
            actor, Verb.QUEUE_CHANGED, queue, project=queue.dataset.project.uuid, old=before, new=after
        )
    return queue


def check_change(queue: Queue, old: str, people: Collection[User]) -> None:
    """Raises Refused, naming the field, for an invalid order or assignment. old: the order before."""
    problems = check_order(queue)
    if queue.order == Queue.Order.MODEL and old != Queue.Order.MODEL:
        problems = {
            "order": [
                "The built-in model can only order a queue from the start. Open a new queue with this order."
            ]
        }
    if problems:
        raise Refused(
            "The queue wasn't changed.", next_step=next(iter(problems.values()))[0], fields=problems
        )
    check_people(queue, people)


def facts_of(queue: Queue) -> dict[str, Any]:
    """The changeable settings of a queue, as recorded in the audit log."""
    people = sorted(str(uuid) for uuid in queue.people.values_list("uuid", flat=True))
    return {
        "order": queue.order,
        "due_on": queue.due_on.isoformat() if queue.due_on else None,
        "people": people,
    }


def check_people(queue: Queue, people: Collection[User]) -> None:
    """Raises Refused, naming the field, if one of these people can't annotate here, or if they are too few
    for the overlap.
    """
    message = ""
    if lacking := [user for user in people if not policy.can(user, "labeling.annotate", queue.dataset)]:
        message = f"{', '.join(str(user) for user in lacking[:5])} can't annotate in this dataset."
    elif people and len(set(people)) < queue.overlap:
        message = (
            f"{len(set(people))} people can't give {queue.overlap} annotations per item: each annotates an"
            " item once."
        )
    if message:
        raise Refused(
            message,
            next_step="Choose more people, or leave the field empty for everyone.",
            fields={"people": [message]},
        )


@transaction.atomic
def prefer(*, queue_id: UUID, actor: User, source: str) -> Queue:
    """Show pre-labels of this type of source first, if there are any; empty for the newest of any source.

    Raises PermissionDenied, or Refused for an unknown type of source.
    """
    queue = (
        Queue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("dataset__project")
        .get(uuid=queue_id)
    )
    policy.require(actor, "labeling.manage", queue)
    if source and source not in Proposer.values:
        raise Refused(
            "Unknown type of source.", fields={"source": [f"Choose one of {', '.join(Proposer.values)}."]}
        )
    if queue.suggests_from != source:
        old, queue.suggests_from = queue.suggests_from, source
        queue.save(update_fields=["suggests_from"])
        ledger.record(
            actor,
            Verb.QUEUE_CHANGED,
            queue,
            project=queue.dataset.project.uuid,
            suggests_from=source,
            before=old,
        )
    return queue
