"""Measure the label quality of a queue: a job that reads every current annotation once, in constant
memory.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from datasets_app.quality.measure import Apart, Measure
from datasets_app.quality.models import Difference, QualityReport
from datasets_app.quality.queries.answers import (
    answers_by_item,
    decided,
    ordered_labels,
    places_of,
    sent_back,
)
from datasets_app.quality.queries.gold import count_gold
from datasets_app.quality.queries.quality import due, report_of
from datasets_app.queues.models.queues import Queue, Seat
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.rules import BATCH
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.context import JobContext
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Conflict
from registry.ground.access import policy
from registry.ground.access.models import User

KIND = "quality.measure"


@transaction.atomic
def measure_quality(*, queue_id: UUID, actor: User) -> Job:
    """Start measuring a queue. Returns the queued or running measurement if there is one.

    Raises PermissionDenied or Conflict (no annotations yet).
    """
    queue = Queue.objects.select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.manage", queue)
    if not queue.slots_done:
        raise Conflict(
            f"{queue.name} has no annotations to measure yet.", next_step="Wait for the first annotations."
        )
    return enqueue(queue, actor)


def measure_due(now: datetime) -> int:
    """Start measuring queues that changed since their last report, if that is old. Returns how many."""
    found = due(now)
    for queue in found:
        with transaction.atomic():
            enqueue(queue, None)
    return len(found)


def enqueue(queue: Queue, actor: User | None) -> Job:
    """Enqueue the job of a queue; never a second one at the same time."""
    args = {"queue": str(queue.uuid)}
    return jobs.enqueue(
        KIND, actor=actor, project=queue.dataset.project, args=args, subject=queue, key=f"{KIND}:{queue.uuid}"
    )


def run_measure(ctx: JobContext) -> None:
    """Job: measure a queue. Clears rows of an earlier attempt first; the report is saved at the end."""
    queue = Queue.objects.select_related("schema", "dataset").get(uuid=ctx.args["queue"])
    before = report_of(queue)
    edition = before.edition + 1 if before else 1
    began = timezone.now()
    clear(ctx, queue, keep=edition - 1)
    labels = ordered_labels(queue.schema)
    found = read(ctx, queue, labels, edition, began)
    count_gold_again(ctx, queue, found)
    figures = found.figures() | {"labels": [str(label.stable_id) for label in labels]}
    ctx.raise_if_cancelled()
    with transaction.atomic():
        ctx.hold()
        QualityReport.objects.create(
            queue=queue,
            edition=edition,
            as_of=began,
            slots_done=queue.slots_done,
            items_labeled=queue.items_labeled,
            figures=figures,
            created_by=ctx.job.created_by,
        )
    clear(ctx, queue, keep=edition)


def read(ctx: JobContext, queue: Queue, labels: list[Label], edition: int, now: datetime) -> Measure:
    """Read every current annotation, and record where two people differ."""
    kind = queue.dataset.task_type
    places = places_of(queue.schema, labels)
    found = Measure(now, kind, range(len(labels)) if kind.one_label else ())
    done = 0
    ctx.progress(0, queue.slots_done, stage="Reading annotations", unit="annotations")
    for items in answers_by_item(queue, places):
        ctx.raise_if_cancelled()
        holds = decided([answers[0].item for answers in items], places)
        apart = [each for answers in items for each in found.add(answers, holds.get(answers[0].item))]
        keep(ctx, queue, labels, edition, apart)
        done += sum(len(answers) for answers in items)
        ctx.progress(done, max(done, queue.slots_done))
    for user, times in sent_back(queue).items():
        found.workers[user].sent_back = times
    ctx.progress(done, max(done, queue.slots_done), message="Computing intervals")
    return found


def count_gold_again(ctx: JobContext, queue: Queue, found: Measure) -> None:
    """Compare all gold annotations with the current gold labels, and update their seats."""
    for pk, user in queue.seats.order_by("id").values_list("pk", "user_id"):
        ctx.raise_if_cancelled()
        with transaction.atomic():
            ctx.hold()
            Seat.objects.select_for_update().get(pk=pk)
            counted = count_gold(queue, user)
            Seat.objects.filter(pk=pk).update(gold_done=counted.done, gold_right=counted.right)
        if counted.done:
            worker = found.workers[user]
            worker.gold_done, worker.gold_right, worker.gold_labels = (
                counted.done,
                counted.right,
                dict(counted.classes),
            )
            found.add_gold(counted.items)


def keep(ctx: JobContext, queue: Queue, labels: list[Label], edition: int, apart: list[Apart]) -> None:
    """Save the rows behind the matrix cells, at most 1,000 per transaction, while this worker holds the
    job.
    """
    rows = [
        Difference(
            queue=queue,
            edition=edition,
            item_id=each.item,
            one_id=each.one,
            other_id=each.other,
            leads=each.leads,
            first=labels[each.first] if each.first is not None else None,
            second=labels[each.second] if each.second is not None else None,
        )
        for each in apart
    ]
    for at in range(0, len(rows), BATCH):
        with transaction.atomic():
            ctx.hold()
            Difference.objects.bulk_create(rows[at : at + BATCH])


def clear(ctx: JobContext, queue: Queue, *, keep: int) -> None:
    """Remove the differences of all editions but one, a few at a time."""
    old = Difference.objects.filter(queue=queue).exclude(edition=keep)
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            ctx.hold()
            Difference.objects.filter(pk__in=ids).delete()
