"""Opening a queue, filling it with slots, pausing and closing it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item, Slice, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.datasets.selection import Selection
from datasets_app.labeling import queries, rules
from datasets_app.labeling.actions.mixing import mixing_problems
from datasets_app.labeling.actions.schemas import write_schema
from datasets_app.labeling.models import LabelSchema, Queue, Seat, Slot
from datasets_app.labeling.queries.disputing import disagreements
from datasets_app.labeling.queries.learning import TASKS as LEARNT_TASKS
from datasets_app.labeling.values import TASKS
from lifecycle.jobs import actions as jobs
from lifecycle.jobs.context import JobContext
from lifecycle.jobs.models import Job
from lifecycle.refusals import Conflict, Refused
from registry.access import policy
from registry.access.models import User
from registry.ledger import actions as ledger
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb

AT_ONCE = 1_000  # a dataset of at most so many items is filled within the request
NOT_CHOSEN = (Queue.Source.ITEMS, Queue.Source.BROUGHT)  # a room above chooses items, an import brings answers
CHOICES = [choice for choice in Queue.Source.choices if choice[0] not in NOT_CHOSEN]
OPEN, LEASED, DONE, CLOSED = Slot.State.OPEN, Slot.State.LEASED, Slot.State.DONE, Slot.State.CLOSED
REORDERED = frozenset({Queue.Order.UNCERTAIN, Queue.Order.DISPUTED})  # orders that come from suggestions
MOVES = {
    Queue.State.OPEN: {Queue.State.PAUSED, Queue.State.CLOSED},
    Queue.State.PAUSED: {Queue.State.OPEN, Queue.State.CLOSED},
    Queue.State.CLOSED: set[Queue.State](),
}


@transaction.atomic
def open_queue(
    *,
    dataset_id: UUID,
    actor: User,
    name: str,
    overlap: int = 1,
    hidden_share: int = 20,
    source: str = Queue.Source.UNDECIDED,
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
    """Open a queue with the newest schema of the dataset; a job makes its slots, or this call where the dataset is small.

    overlap: 1 to 5 people per item. hidden_share: percent of items with hidden suggestions. source: which items; upload_id for UPLOAD,
    slice_id for SLICE, item_ids for ITEMS: different keys in the order in which they are handed out, at most 1,000 slots in all.
    order: of the others. acceptance: whether a rule decides what people agree on, or a reviewer accepts it. gold_…: as in `mix_gold`.
    people: who alone gets its items; at least as many as an item needs answers. Raises PermissionDenied, or Refused that names the field
    (no schema, no items, name taken, out of range, too few people or one who may not annotate).
    """
    dataset = Dataset.objects.select_for_update(of=("self",), no_key=True).select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    name = " ".join(name.split())[:80]
    if problems := mixing_problems(dataset.task, gold_rate, gold_minimum, holds=gold_holds):
        raise Refused("The queue was not opened.", next_step=next(iter(problems.values()))[0], fields=problems)
    schema = check_queue(dataset, name, overlap, hidden_share, source, order, acceptance) or write_schema(dataset, None, [], "", actor)
    upload = find_upload(dataset, upload_id) if source == Queue.Source.UPLOAD else None
    chosen = find_slice(dataset, slice_id, actor) if source == Queue.Source.SLICE else None
    queue = Queue(
        dataset=dataset,
        schema=schema,
        name=name,
        overlap=overlap,
        hidden_share=hidden_share,
        source=source,
        upload=upload,
        filters=chosen.filters if chosen else None,
        created_by=actor,
        order=order,
        acceptance=acceptance,
        due_on=due_on,
        gold_rate=gold_rate,
        gold_feedback=gold_feedback,
        gold_minimum=gold_minimum,
        gold_holds=gold_holds,
    )
    check_people(queue, people)
    if source == Queue.Source.ITEMS:
        check_items(queue, item_ids)
    elif chosen:
        check_chosen(queue, chosen)
    elif not items_for(queue).exists():
        told = "There is no item to label." if source == Queue.Source.ALL else "Every item that this would take is decided already."
        raise Refused(told, next_step="Import a file, or choose other items.", fields={"source": [told]})
    try:
        with transaction.atomic():
            queue.save(force_insert=True)
            queue.people.set(people)
    except IntegrityError as error:
        told = f"{dataset} already has a queue that is called {name}."
        raise Refused(told, next_step="Choose another name.", fields={"name": [told]}) from error
    if source == Queue.Source.ITEMS:
        fill_chosen(queue, item_ids)
    elif dataset.items_total <= AT_ONCE:
        fill_all(queue)
    else:
        jobs.enqueue(
            "labeling.fill",
            actor=actor,
            project=dataset.project,
            args={"queue": str(queue.uuid)},
            subject=queue,
            key=f"labeling.fill:{queue.uuid}",
        )
    ledger.record(
        actor, Verb.QUEUE_OPENED, queue, project=dataset.project.uuid, dataset=dataset.uuid, schema=schema.digest, overlap=overlap,
        hidden_share=hidden_share, source=source, upload=upload.uuid if upload else None, order=order, acceptance=acceptance, due_on=due_on,
        slice=chosen.uuid if chosen else None, filters=digest_of(queue.filters) if chosen else None,
        people=sorted(str(user.uuid) for user in people), gold_rate=gold_rate,
    )  # fmt: skip
    queue.refresh_from_db()
    return queue


def check_queue(
    dataset: Dataset, name: str, overlap: int, hidden_share: int, source: str, order: str, acceptance: str
) -> LabelSchema | None:
    """The schema of a new queue; None where the task has no classes and nothing was published. Raises Refused, naming the field."""
    problems: dict[str, list[str]] = {}
    if not name:
        problems["name"] = ["A queue needs a name."]
    if not 1 <= overlap <= 5:
        problems["overlap"] = [f"Overlap is {overlap}; 1 to 5 people can label an item."]
    if not 0 <= hidden_share <= 100:
        problems["hidden_share"] = [f"{hidden_share} is no percentage from 0 to 100."]
    if order not in Queue.Order.values:
        problems["order"] = ["Choose the order in which items are handed out."]
    if acceptance not in Queue.Acceptance.values:
        problems["acceptance"] = ["Choose what happens to answers that agree."]
    if order == Queue.Order.LEARNT and dataset.task not in LEARNT_TASKS:
        problems["order"] = ["The built-in model learns classes of texts; this dataset's task is another."]
    if source not in Queue.Source.values or source == Queue.Source.BROUGHT:
        problems["source"] = ["Choose which items the queue takes."]
    if problems:
        raise Refused("The queue was not opened.", next_step=next(iter(problems.values()))[0], fields=problems)
    schema = queries.latest_schema(dataset)
    if schema is None and TASKS[dataset.task].USES_CLASSES:
        raise Refused(f"{dataset} has no label schema yet.", next_step="Publish its classes first.")
    return schema


def check_people(queue: Queue, people: Collection[User]) -> None:
    """Raises Refused, naming the field, for people of whom one may not annotate here, or who are too few for the overlap."""
    told = ""
    if lacking := [user for user in people if not policy.can(user, "labeling.annotate", queue.dataset)]:
        told = f"{', '.join(str(user) for user in lacking[:5])} may not annotate in this dataset."
    elif people and len(set(people)) < queue.overlap:
        told = f"{len(set(people))} cannot give {queue.overlap} answers to one item: nobody answers twice."
    if told:
        raise Refused(told, next_step="Choose other people, or nobody for everybody.", fields={"people": [told]})


def find_upload(dataset: Dataset, upload_id: UUID | None) -> Upload:
    """The imported upload whose items a queue takes. Raises Refused."""
    upload = Upload.objects.filter(dataset=dataset, uuid=upload_id, state=UploadState.IMPORTED).first() if upload_id else None
    if upload is None:
        told = "Choose an imported upload of this dataset."
        raise Refused(told, fields={"upload": [told]})
    return upload


def find_slice(dataset: Dataset, slice_id: UUID | None, actor: User) -> Slice:
    """The slice whose items a queue takes: the actor's own or a shared one. Raises Refused."""
    found = datasets.slices(actor).filter(dataset=dataset, uuid=slice_id).first() if slice_id else None
    if found is None:
        told = "Choose a slice of this dataset."
        raise Refused(told, fields={"slice": [told]})
    return found


def selection_of(queue: Queue) -> Selection:
    """What the queue's filters choose, as who opened it sees them. Raises Refused where one does not hold any more."""
    if queue.filters is None or queue.created_by is None:
        raise Refused(f"{queue.name} has no filters.")
    found = Selection(queue.dataset, queue.created_by, queue.filters, whole=True)
    if not found.holds:
        told = next(iter(found.problems.values()))
        raise Refused(f"A filter of the slice does not hold: {told}", next_step="Choose another slice.", fields={"slice": [told]})
    return found


def check_chosen(queue: Queue, chosen: Slice) -> None:
    """Raises Refused where the slice does not hold, or is known to choose nothing now."""
    found, unread = selection_of(queue).first(1)
    if not found and unread is None:
        told = f"{chosen.name} chooses no item now."
        raise Refused(told, next_step="Choose another slice.", fields={"slice": [told]})


def check_items(queue: Queue, item_ids: Sequence[int]) -> None:
    """Raises Refused unless a queue can take these chosen items at once."""
    visible = Item.objects.filter(pk__in=item_ids, dataset=queue.dataset_id, upload__state=UploadState.IMPORTED)
    if not 0 < len(item_ids) * queue.overlap <= rules.BATCH or visible.count() != len(item_ids):
        told = f"A queue of chosen items takes 1 to {rules.BATCH:,} answers about different items of its own dataset."
        raise Refused(told, fields={"source": [told]})


def items_for(queue: Queue) -> QuerySet[Item]:
    """The visible items that the queue takes, by key."""
    items = Item.objects.filter(dataset=queue.dataset_id, upload__state=UploadState.IMPORTED).order_by("id")
    if queue.source == Queue.Source.UPLOAD:
        return items.filter(upload=queue.upload_id)
    if queue.source == Queue.Source.UNDECIDED:
        return items.filter(~Exists(queries.standing().filter(item=OuterRef("pk"))))
    return items


def fill_chosen(queue: Queue, item_ids: Sequence[int]) -> None:
    """Make the slots of chosen items, the first of them to be handed out first, in the caller's transaction."""
    slots = (Slot(queue=queue, item_id=pk, priority=place) for place, pk in enumerate(item_ids) for _ in range(queue.overlap))
    made = len(Slot.objects.bulk_create(slots))
    Queue.objects.filter(pk=queue.pk).update(items_total=len(item_ids), slots_total=made, filled_at=timezone.now())


def fill_all(queue: Queue) -> None:
    """Make all slots of a queue in the caller's transaction: for few items."""
    for taken, _ in batches(queue, 0):
        make_slots(queue, taken)
    Queue.objects.filter(pk=queue.pk).update(filled_at=timezone.now())


def batches(queue: Queue, after: int) -> Iterator[tuple[list[int], int]]:
    """The items behind this key that the queue takes, enough for 1,000 slots at a time, each with the key up to which all were read."""
    size = rules.BATCH // queue.overlap
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
    """Make the slots of these items, at most 1,000 rows, in the caller's transaction."""
    places = places_of(queue, item_ids)
    made = Slot.objects.bulk_create(Slot(queue=queue, item_id=pk, priority=places[pk]) for pk in item_ids for _ in range(queue.overlap))
    Queue.objects.filter(pk=queue.pk).update(items_total=F("items_total") + len(item_ids), slots_total=F("slots_total") + len(made))


def places_of(queue: Queue, item_ids: Sequence[int]) -> dict[int, int]:
    """Where these items stand in the queue's order, the smallest first; equal places are handed out as the items came."""
    if queue.order == Queue.Order.RANDOM:
        return {pk: rules.random_place(queue.uuid, pk) for pk in item_ids}
    if queue.order == Queue.Order.UNCERTAIN:
        scores = queries.best_scores(item_ids, queue.suggests_from, queue.dataset.task)
        return {pk: rules.uncertain_place(scores.get(pk)) for pk in item_ids}
    if queue.order == Queue.Order.DISPUTED:
        bits = disagreements(queue.dataset.task, item_ids)
        return {pk: rules.disputed_place(bits.get(pk, 0.0)) for pk in item_ids}
    if queue.order == Queue.Order.LEARNT:
        return dict.fromkeys(item_ids, rules.RANGE)  # as they came, until the built-in model puts them in order
    return dict.fromkeys(item_ids, 0)


def reorder(*, queue_id: UUID, actor: User) -> Job:
    """Have what is still open put in the order of the newest suggestions, or of what is disputed by now, by a job.

    Raises PermissionDenied, or Conflict for a queue that is closed or in another order.
    """
    queue = Queue.objects.select_related("dataset__project").get(uuid=queue_id)
    policy.require(actor, "labeling.manage", queue)
    if queue.order not in REORDERED or queue.state == Queue.State.CLOSED:
        raise Conflict(f"{queue.name} is closed, or not in the order of suggestions.", next_step="Open a queue that is.")
    args = {"queue": str(queue.uuid)}
    with transaction.atomic():
        return jobs.enqueue(
            "labeling.reorder", actor=actor, project=queue.dataset.project, args=args, subject=queue, key=f"labeling.reorder:{queue.uuid}"
        )


def run_reorder(ctx: JobContext) -> None:
    """The job: give every open slot its place, in batches; people begin again at the front."""
    queue = Queue.objects.select_related("dataset").get(uuid=ctx.args["queue"])
    after = int(ctx.job.checkpoint.get("after", 0)) if ctx.job.checkpoint else 0
    done = 0
    slots = Slot.objects.filter(queue=queue, state=OPEN, priority__gte=0).order_by("id")
    while batch := list(slots.filter(pk__gt=after).values_list("pk", "item_id")[: rules.BATCH]):
        places = places_of(queue, list(dict.fromkeys(item for _, item in batch)))
        with transaction.atomic():
            put_in_place(batch, places)
            after = batch[-1][0]
            ctx.checkpoint({"after": after})
        done += len(batch)
        ctx.progress(done, queue.slots_total - queue.slots_done, stage="Putting items in order", unit="slots")
        ctx.raise_if_cancelled()
    begin_at_the_front(queue)


def put_in_place(batch: Sequence[tuple[int, int]], places: Mapping[int, int]) -> None:
    """Give those of these slots that are open still their item's place, in the caller's transaction. batch: (slot, item)."""
    slots = Slot.objects.select_for_update(no_key=True).filter(pk__in=[pk for pk, _ in batch], state=OPEN)
    kept = list(slots.order_by("id"))  # in the order in which everybody locks the slots of an item
    for slot in kept:
        slot.priority = places[slot.item_id]
    Slot.objects.bulk_update(kept, ["priority"], batch_size=rules.BATCH)


def begin_at_the_front(queue: Queue) -> None:
    """Everybody's next claim looks at the queue's first place again."""
    Seat.objects.filter(queue=queue).update(priority=-(2**62), slot=0)


def run_fill(ctx: JobContext) -> None:
    """The job of a large queue. Each batch commits with its checkpoint, so it is safe to run again."""
    queue = Queue.objects.select_related("dataset", "created_by").get(uuid=ctx.args["queue"])
    if queue.filled_at is not None:
        return
    after = int(ctx.job.checkpoint.get("after", 0)) if ctx.job.checkpoint else 0
    total = None if queue.source == Queue.Source.SLICE else queue.dataset.items_total
    done = queue.items_total
    for taken, reached in batches(queue, after):
        ctx.raise_if_cancelled()
        with transaction.atomic():
            make_slots(queue, taken)
            ctx.checkpoint({"after": reached})
        done += len(taken)
        ctx.progress(done, total, stage="Making slots", unit="items")
    Queue.objects.filter(pk=queue.pk).update(filled_at=timezone.now())


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


def hand_over(slot: Slot, user: User) -> Slot:
    """Lease a slot to somebody, in the caller's transaction."""
    slot.state, slot.user, slot.annotation = LEASED, user, None
    slot.lease_until, slot.lease_token = timezone.now() + rules.LEASE, uuid4()
    slot.save(update_fields=["state", "user", "annotation", "lease_until", "lease_token"])
    return slot
