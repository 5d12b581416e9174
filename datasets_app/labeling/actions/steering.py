"""Pausing, resuming and closing a queue, and what can be changed of it while it is open."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from datasets_app.labeling import rules
from datasets_app.labeling.models import Queue, Slot
from lifecycle.refusals import Conflict, Refused
from registry.access import policy
from registry.access.models import User
from registry.ledger import actions as ledger
from registry.ledger.verbs import Verb

OPEN, CLOSED = Slot.State.OPEN, Slot.State.CLOSED
MOVES = {
    Queue.State.OPEN: {Queue.State.PAUSED, Queue.State.CLOSED},
    Queue.State.PAUSED: {Queue.State.OPEN, Queue.State.CLOSED},
    Queue.State.CLOSED: set[Queue.State](),
}


def pause_queue(*, queue_id: UUID, actor: User) -> Queue:
    """Nobody gets new items until it is resumed; answers already on a screen still count. Raises PermissionDenied or Conflict."""
    return move(queue_id, actor, Queue.State.PAUSED)


def resume_queue(*, queue_id: UUID, actor: User) -> Queue:
    """A paused queue gives out items again. Raises PermissionDenied or Conflict."""
    return move(queue_id, actor, Queue.State.OPEN)


def close_queue(*, queue_id: UUID, actor: User) -> Queue:
    """For good: open slots are closed, answers stay. Raises PermissionDenied or Conflict."""
    return move(queue_id, actor, Queue.State.CLOSED)


@transaction.atomic
def move(queue_id: UUID, actor: User, state: Queue.State) -> Queue:
    """Change the state of a queue. The same state again changes nothing."""
    queue = Queue.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.manage", queue)
    if queue.state == state:
        return queue
    if state not in MOVES[Queue.State(queue.state)]:
        raise Conflict(f"This queue is {queue.get_state_display().lower()} and can no longer be {state.label.lower()}.")
    old, queue.state = queue.state, state
    if state == Queue.State.CLOSED:
        queue.slots_total -= Slot.objects.filter(queue=queue, state=OPEN).update(state=CLOSED, lease_token=None)
    queue.save(update_fields=["state", "slots_total"])
    verb = Verb.QUEUE_CLOSED if state == Queue.State.CLOSED else Verb.QUEUE_CHANGED
    ledger.record(actor, verb, queue, project=queue.dataset.project.uuid, old=old, new=state, done=queue.slots_done)
    return queue


@transaction.atomic
def prefer(*, queue_id: UUID, actor: User, source: str) -> Queue:
    """Have the bench show suggestions of this kind of source first, where it has any; empty for the newest whoever gave them.

    Raises PermissionDenied, or Refused for what is no kind of source.
    """
    queue = Queue.objects.select_for_update(of=("self",), no_key=True).select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.manage", queue)
    if source and source not in rules.Proposer.values:
        raise Refused("There is no such kind of source.", fields={"source": [f"Choose one of {', '.join(rules.Proposer.values)}."]})
    if queue.suggests_from != source:
        old, queue.suggests_from = queue.suggests_from, source
        queue.save(update_fields=["suggests_from"])
        ledger.record(actor, Verb.QUEUE_CHANGED, queue, project=queue.dataset.project.uuid, suggests_from=source, before=old)
    return queue
