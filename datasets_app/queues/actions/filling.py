"""Create the slots of a queue: within the request for few items, by a job that commits in batches for
many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from datasets_app.datasets.models import Item
from datasets_app.datasets.rules import UploadState
from datasets_app.datasets.selection import Selection
from datasets_app.queues.actions.ordering import places_of
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.decisions import standing
from datasets_app.schemas.rules import BATCH
from lifecycle.ground.jobs.context import JobContext
from lifecycle.runtime.refusals import Refused


def items_for(queue: Queue) -> QuerySet[Item]:
    """The visible items that the queue takes, by key."""
    items = Item.objects.filter(dataset=queue.dataset_id, upload__state=UploadState.IMPORTED).order_by("id")
    if queue.source == Queue.Source.UPLOAD:
        return items.filter(upload=queue.upload_id)
    if queue.source == Queue.Source.UNLABELED:
        return items.filter(~Exists(standing().filter(item=OuterRef("pk"))))
    return items


def selection_of(queue: Queue) -> Selection:
    """The items matched by the queue's filters, as its creator sees the data. Raises Refused if a filter is
    no longer valid.
    """
    if queue.filters is None or queue.created_by is None:
        raise Refused(f"{queue.name} has no filters.")
    found = Selection(queue.dataset, queue.created_by, queue.filters, whole=True)
    if not found.is_valid:
        reason = next(iter(found.problems.values()))
        raise Refused(
            f"A filter of the slice is no longer valid: {reason}",
            next_step="Choose another slice.",
            fields={"slice": [reason]},
        )
    return found


def fill_chosen(queue: Queue, item_ids: Sequence[int]) -> None:
    """Create the slots of chosen items, in the caller's transaction; items are handed out in the given
    order.
    """
    make_slots(queue, item_ids)
    Queue.objects.filter(pk=queue.pk).update(filled_at=timezone.now())


def fill_all(queue: Queue) -> None:
    """Create all slots of a queue with few items, in the caller's transaction."""
    for taken, _ in batches(queue, 0):
        make_slots(queue, taken)
    Queue.objects.filter(pk=queue.pk).update(filled_at=timezone.now())


def batches(queue: Queue, after: int) -> Iterator[tuple[list[int], int]]:
    """Batches of the queue's items after this key, each for up to 1,000 slots, with the key up to which all
    items were read.
    """
    size = BATCH // queue.overlap
    if queue.source == Queue.Source.SLICE:
        for window in selection_of(queue).walk(start=after + 1):
            for at in range(0, len(window.keys), size):
                yield (taken := window.keys[at : at + size]), taken[-1]
            if window.edge is not None:
                yield [], window.edge - 1
        return
    while taken := list(items_for(queue).filter(pk__gt=after).values_list("pk", flat=True)[:size]):
        after = taken[-1]
        yield taken, after


def make_slots(queue: Queue, item_ids: Sequence[int]) -> None:
    """Create the slots of these items, at most 1,000 rows, in the caller's transaction."""
    places = places_of(queue, item_ids)
    made = Slot.objects.bulk_create(
        Slot(queue=queue, item_id=pk, priority=places[pk]) for pk in item_ids for _ in range(queue.overlap)
    )
    Queue.objects.filter(pk=queue.pk).update(
        items_total=F("items_total") + len(item_ids), slots_total=F("slots_total") + len(made)
    )


def run_fill(ctx: JobContext) -> None:
    """Job: create the slots of a large queue. Each batch commits with its checkpoint, so it's safe to run
    again.
    """
    queue = Queue.objects.select_related("dataset", "created_by").get(uuid=ctx.args["queue"])
    if queue.filled_at is not None:
        return
    after = int(ctx.job.checkpoint.get("after", 0)) if ctx.job.checkpoint else 0
    total = None if queue.source == Queue.Source.SLICE else queue.dataset.items_total
    done = queue.items_total
    for taken, reached in batches(queue, after):
        ctx.raise_if_cancelled()
        queue.refresh_from_db(fields=["order"])  # may have changed in the meantime
        with transaction.atomic():
            make_slots(queue, taken)
            ctx.checkpoint({"after": reached})
        done += len(taken)
        ctx.progress(done, total, stage="Creating slots", unit="items")
    Queue.objects.filter(pk=queue.pk).update(filled_at=timezone.now())
