"""The order in which a queue hands out its items, and reordering open items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction

from datasets_app.prelabels.queries import best_scores
from datasets_app.queues import rules
from datasets_app.queues.models.queues import Queue, Seat, Slot
from datasets_app.queues.queries.disagreements import disagreements
from datasets_app.schemas.rules import BATCH
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from registry.ground.access import policy
from registry.ground.access.models import User

REORDERED = frozenset({Queue.Order.UNCERTAIN, Queue.Order.DISPUTED})  # orders based on pre-labels
OPEN = Slot.State.OPEN


def check_order(queue: Queue) -> dict[str, list[str]]:
    """Messages by field if a queue can't have its order; empty if it can."""
    if queue.order not in Queue.Order.values:
        return {"order": ["Choose the order of items."]}
    if queue.order == Queue.Order.MODEL and not queue.dataset.task_type.labels_texts:
        return {
            "order": [
                "The built-in model works for single-label and multi-label tasks only; this dataset has"
                " another task."
            ]
        }
    return {}


def places_of(queue: Queue, item_ids: Sequence[int]) -> dict[int, int]:
    """Positions of these items in the queue's order, smallest first; equal ones are handed out in import
    order.
    """
    if queue.order == Queue.Order.RANDOM:
        return {pk: rules.random_place(queue.uuid, pk) for pk in item_ids}
    if queue.order == Queue.Order.UNCERTAIN:
        scores = best_scores(item_ids, queue.suggests_from, queue.dataset.task)
        return {pk: rules.uncertain_place(scores.get(pk)) for pk in item_ids}
    if queue.order == Queue.Order.DISPUTED:
        bits = disagreements(queue.dataset.task, item_ids)
        return {pk: rules.disputed_place(bits.get(pk, 0.0)) for pk in item_ids}
    if queue.order == Queue.Order.MODEL:
        return dict.fromkeys(item_ids, rules.RANGE)  # import order, until the built-in model orders them
    return dict.fromkeys(item_ids, 0)


def reorder(*, queue_id: UUID, actor: User) -> Job:
    """Start a job that reorders open items by the newest pre-labels, or by current disagreement.

    Raises PermissionDenied, or Conflict for a queue that is closed or in another order.
    """
    queue = Queue.objects.select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.manage", queue)
    if queue.order not in REORDERED or queue.state == Queue.State.CLOSED:
        raise Conflict(
            f"{queue.name} is closed or isn't ordered by pre-labels.",
            next_step="Open a queue with that order.",
        )
    with transaction.atomic():
        return enqueue_reorder(queue, actor)


def enqueue_reorder(queue: Queue, actor: User) -> Job:
    """Enqueue the job that reorders open items, in the caller's transaction. A running job for another order
    stops.
    """
    return jobs.enqueue(
        "queues.reorder",
        actor=actor,
        project=queue.dataset.project,
        args={"queue": str(queue.uuid), "order": queue.order},
        subject=queue,
        key=f"queues.reorder:{queue.uuid}:{queue.order}",
    )


def run_reorder(ctx: JobContext) -> None:
    """Job: give every open slot its place, in batches; annotators then start at the front. Stops once the
    queue has another order.

    Assigned and annotated slots keep their place.
    """
    queue = Queue.objects.select_related("dataset").get(uuid=ctx.args["queue"])
    in_order = Queue.objects.filter(pk=queue.pk, order=ctx.args.get("order", queue.order))
    if not in_order.exists():
        return
    after = int(ctx.job.checkpoint.get("after", 0)) if ctx.job.checkpoint else 0
    done = 0
    slots = Slot.objects.filter(queue=queue, state=OPEN, priority__gte=0).order_by("id")
    while batch := list(slots.filter(pk__gt=after).values_list("pk", "item_id")[:BATCH]):
        places = places_of(queue, list(dict.fromkeys(item for _, item in batch)))
        with transaction.atomic():
            put_in_place(batch, places)
            if not in_order.exists():  # the new order's job runs after this one and reads what it wrote
                transaction.set_rollback(True)
                return
            after = batch[-1][0]
            ctx.checkpoint({"after": after})
        done += len(batch)
        ctx.progress(done, queue.slots_total - queue.slots_done, stage="Reordering items", unit="slots")
        ctx.raise_if_cancelled()
    reset_cursors(queue)


def put_in_place(batch: Sequence[tuple[int, int]], places: Mapping[int, int]) -> None:
    """Give the slots that are still open their item's place, in the caller's transaction. batch: (slot,
    item).
    """
    slots = Slot.objects.select_for_update(no_key=True).filter(pk__in=[pk for pk, _ in batch], state=OPEN)
    kept = list(slots.order_by("id"))  # in the lock order of an item's slots
    for slot in kept:
        slot.priority = places[slot.item_id]
    Slot.objects.bulk_update(kept, ["priority"], batch_size=BATCH)


def reset_cursors(queue: Queue) -> None:
    """Every annotator's next claim starts at the front of the queue."""
    Seat.objects.filter(queue=queue).update(priority=-(2**62), slot=0)
