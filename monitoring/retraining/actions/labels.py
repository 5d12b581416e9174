"""Counting what is labeled, and waiting until it is enough."""

from __future__ import annotations

from datetime import datetime

from datasets_app.queues.models import Queue, Slot
from monitoring.retraining.actions.moves import change, move, wait
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import facts
from monitoring.retraining.rules import State


def count_labels(proposal: Proposal, now: datetime) -> int:
    """How many labels were decided since the live version's snapshot; noted where that has changed."""
    found = facts.labels_since(proposal.dataset, proposal.live.run.snapshot.created_at)
    if found != proposal.labels_new:
        change(proposal, labels_new=found, labels_at=now)
    return found


def pass_gate(proposal: Proposal, now: datetime) -> None:
    """Training waits for enough labels and until no one has an item of the queue in hand, or until all of it
    is decided.

    What people have before them is lost to a snapshot that is frozen meanwhile. Closing the queue says that
    it need not wait for them.
    """
    found, queue = count_labels(proposal, now), proposal.queue
    decided = queue is not None and queue_is_done(queue)
    held = in_hand(queue, now) if queue is not None and not decided else 0
    if held and found >= proposal.min_labels:
        still = (
            f"{found:,} new labels resolved. {held:,} item{'s are' if held > 1 else ' is'} still being"
            f" labeled in the queue {queue}"
        )
        wait(proposal, f"{still}; training starts when they're done or the queue is closed.")
        return
    if found >= proposal.min_labels or (decided and found):
        move(proposal, State.RUNNING, gated_at=now, blocked_by="")
        return
    missing = f"{found:,} of {proposal.min_labels:,} new labels resolved"
    if queue is None:
        wait(proposal, f"{missing}. Label items of {proposal.dataset}.")
    elif decided:
        wait(
            proposal,
            f"{missing}, and the queue {queue} has no items left. Label other items of {proposal.dataset}.",
        )
    else:
        wait(
            proposal,
            f"{missing}; {queue.items_labeled:,} of {queue.items_total:,} items in the queue {queue}"
            " resolved.",
        )


def in_hand(queue: Queue, now: datetime) -> int:
    """How many items of a queue are before someone; a lease that has run out is none."""
    return queue.slots.filter(state=Slot.State.LEASED, lease_until__gt=now).count()


def queue_is_done(queue: Queue) -> bool:
    """Whether every item of a filled queue is decided, or it is closed."""
    return queue.state == Queue.State.CLOSED or (
        queue.filled_at is not None and 0 < queue.items_total <= queue.items_labeled
    )
