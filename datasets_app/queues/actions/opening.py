"""Open a queue: which items it takes, in which order, and for whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from django.db import IntegrityError, transaction

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item, Slice, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.queues.actions.filling import fill_all, fill_chosen, items_for, selection_of
from datasets_app.queues.actions.managing import check_people
from datasets_app.queues.actions.mixing import mixing_problems
from datasets_app.queues.actions.ordering import check_order
from datasets_app.queues.models.queues import Queue
from datasets_app.schemas.actions.schemas import write_schema
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.schemas.queries.labels import latest_schema
from datasets_app.schemas.rules import BATCH
from lifecycle.ground.jobs import actions as jobs
from lifecycle.runtime.refusals import Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

AT_ONCE = 1_000  # a dataset of at most so many items is filled within the request
# an import has annotations
CHOICES = [choice for choice in Queue.Source.choices if choice[0] != Queue.Source.IMPORTED]


@transaction.atomic
def open_queue(
    *,
    dataset_id: UUID,
    actor: User,
    name: str,
    overlap: int = 1,
    hidden_share: int = 20,
    source: str = Queue.Source.UNLABELED,
    upload_id: UUID | None = None,
    slice_id: UUID | None = None,
    item_ids: Sequence[int] = (),
    order: str = Queue.Order.GIVEN,
    acceptance: str = Queue.Acceptance.RULE,
    due_on: date | None = None,
    people: Collection[User] = (),
    gold_rate: int = 0,
    gold_feedback: bool = False,
    gold_minimum: int | None = None,
    gold_holds: bool = False,
) -> Queue:
    """Open a queue with the newest schema of the dataset; a job creates its slots, or this call if the
    dataset is small.

    overlap: 1 to 5 people per item. hidden_share: percent of items with hidden pre-labels. source: which
    items; upload_id for UPLOAD, slice_id for SLICE, item_ids for ITEMS: different keys in the order in which
    they are handed out, at most 1,000 slots in all. order: for other sources. acceptance: whether unanimous
    annotations become the label automatically, or an adjudicator accepts them. gold_…: as in `mix_gold`.
    people: assigned annotators, at least `overlap` of them; empty for everyone. Raises PermissionDenied, or
    Refused that names the field (no schema, no items, name taken, out of range, too few people, or one who
    can't annotate).
    """
    dataset = (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )
    policy.require(actor, "labeling.manage", dataset)
    name = " ".join(name.split())[:80]
    if problems := mixing_problems(dataset.task, gold_rate, gold_minimum, holds=gold_holds):
        raise Refused(
            "The queue wasn't created.", next_step=next(iter(problems.values()))[0], fields=problems
        )
    queue = Queue(
        dataset=dataset,
        created_by=actor,
        name=name,
        overlap=overlap,
        hidden_share=hidden_share,
        source=source,
        order=order,
        acceptance=acceptance,
        due_on=due_on,
        gold_rate=gold_rate,
        gold_feedback=gold_feedback,
        gold_minimum=gold_minimum,
        gold_holds=gold_holds,
    )
    check_queue(queue)
    queue.schema = schema_for(queue, actor)
    queue.upload = find_upload(dataset, upload_id) if source == Queue.Source.UPLOAD else None
    chosen = datasets.find_slice(actor, dataset, slice_id) if source == Queue.Source.SLICE else None
    queue.filters = chosen.filters if chosen else None
    check_people(queue, people)
    if source == Queue.Source.ITEMS:
        check_items(queue, item_ids)
    elif chosen:
        check_slice(queue, chosen)
    elif not items_for(queue).exists():
        message = (
            "There are no items to label."
            if source == Queue.Source.ALL
            else "All items in this selection are labeled already."
        )
        raise Refused(
            message, next_step="Import a file, or choose other items.", fields={"source": [message]}
        )
    try:
        with transaction.atomic():
            queue.save(force_insert=True)
            queue.people.set(people)
    except IntegrityError as error:
        message = f"{dataset} already has a queue named {name}."
        raise Refused(message, next_step="Choose another name.", fields={"name": [message]}) from error
    if source == Queue.Source.ITEMS:
        fill_chosen(queue, item_ids)
    elif dataset.items_total <= AT_ONCE:
        fill_all(queue)
    else:
        jobs.enqueue(
            "queues.fill",
            actor=actor,
            project=dataset.project,
            args={"queue": str(queue.uuid)},
            subject=queue,
            key=f"queues.fill:{queue.uuid}",
        )
    ledger.record(
        actor,
        Verb.QUEUE_OPENED,
        queue,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        schema=queue.schema.digest,
        overlap=overlap,
        hidden_share=hidden_share,
        source=source,
        upload=queue.upload.uuid if queue.upload else None,
        order=order,
        acceptance=acceptance,
        due_on=due_on,
        slice=chosen.uuid if chosen else None,
        filters=digest_of(queue.filters) if chosen else None,
        people=sorted(str(user.uuid) for user in people),
        gold_rate=gold_rate,
    )
    queue.refresh_from_db()
    return queue


def check_queue(queue: Queue) -> None:
    """Raises Refused, naming the fields, for a queue that couldn't be worked on."""
    problems = check_order(queue)
    if not queue.name:
        problems["name"] = ["Enter a name."]
    if not 1 <= queue.overlap <= 5:
        problems["overlap"] = [f"Annotators per item must be between 1 and 5, not {queue.overlap}."]
    if not 0 <= queue.hidden_share <= 100:
        problems["hidden_share"] = [
            f"The share of items without pre-labels must be between 0 and 100 %, not {queue.hidden_share}."
        ]
    if queue.acceptance not in Queue.Acceptance.values:
        problems["acceptance"] = ["Choose what happens to unanimous annotations."]
    if queue.source not in Queue.Source.values or queue.source == Queue.Source.IMPORTED:
        problems["source"] = ["Choose which items the queue takes."]
    if problems:
        raise Refused(
            "The queue wasn't created.", next_step=next(iter(problems.values()))[0], fields=problems
        )


def schema_for(queue: Queue, actor: User) -> LabelSchema:
    """The newest schema of the queue's dataset; a new one without labels for tasks that have none. Raises
    Refused.
    """
    schema = latest_schema(queue.dataset)
    if schema is None and queue.dataset.task_type.has_labels:
        raise Refused(f"{queue.dataset} has no label schema yet.", next_step="Publish a label schema first.")
    return schema or write_schema(queue.dataset, None, [], "", actor)


def find_upload(dataset: Dataset, upload_id: UUID | None) -> Upload:
    """The imported upload that a queue takes its items from. Raises Refused."""
    upload = (
        Upload.objects.filter(dataset=dataset, uuid=upload_id, state=UploadState.IMPORTED).first()
        if upload_id
        else None
    )
    if upload is None:
        message = "Choose an imported upload of this dataset."
        raise Refused(message, fields={"upload": [message]})
    return upload


def check_slice(queue: Queue, chosen: Slice) -> None:
    """Raises Refused if the slice is no longer valid, or matches no items now."""
    found, unread = selection_of(queue).first(1)
    if not found and unread is None:
        message = f"{chosen.name} matches no items now."
        raise Refused(message, next_step="Choose another slice.", fields={"slice": [message]})


def check_items(queue: Queue, item_ids: Sequence[int]) -> None:
    """Raises Refused unless a queue can take these chosen items at once."""
    visible = Item.objects.filter(
        pk__in=item_ids, dataset=queue.dataset_id, upload__state=UploadState.IMPORTED
    )
    if not 0 < len(item_ids) * queue.overlap <= BATCH or visible.count() != len(item_ids):
        message = (
            f"A queue of selected items takes 1 to {BATCH:,} annotations of different items of its own"
            " dataset."
        )
        raise Refused(message, fields={"source": [message]})
