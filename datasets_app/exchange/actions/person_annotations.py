"""Annotations imported from another labeling tool, per person, in a queue that's closed from the start.

The items and the queue are hidden while the upload is being imported. The person who accepted the upload is
responsible for its unanimous labels, as for every imported label.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import uuid5

from django.db.models import F
from django.db.models.functions import Lower
from django.utils import timezone

from datasets_app.datasets.importing.labeling import Given
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.queues import rules
from datasets_app.queues.actions.answers import MAX_SECONDS
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Decision, Dispute
from datasets_app.queues.models.queues import Queue, Seat, Slot, SlotSkip
from datasets_app.schemas.models.schemas import Label, LabelSchema
from datasets_app.schemas.queries.labels import labels_by_id, value_of
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.values import stored
from registry.ground.access import actions as access
from registry.ground.access import policy
from registry.ground.access.models import PLACEHOLDER, User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

BATCH = 500  # items resolved in one transaction
DONE, CLOSED = Slot.State.DONE, Slot.State.CLOSED
LABEL, SKIP = Annotation.Action.LABEL, Annotation.Action.SKIP


class ImportedAnnotation(NamedTuple):
    """One person's imported annotation or skip of an item. value: None for a skip."""

    item: Item
    user: User
    given: Given
    value: Value | None


def queue_of(upload: Upload) -> Queue | None:
    """The queue of the annotations imported with an upload."""
    return Queue.objects.filter(upload=upload, source=Queue.Source.IMPORTED).select_related("schema").first()


def ensure_queue(upload: Upload, schema: LabelSchema) -> Queue:
    """The queue for the annotations of an upload; created on the first call."""
    if existing := queue_of(upload):
        return existing
    name = f"Annotations in {upload.file_name}"[:70]
    taken = set(
        Queue.objects.filter(dataset=upload.dataset_id, name__startswith=name).values_list("name", flat=True)
    )
    free = next(
        each
        for each in (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3)))
        if each not in taken
    )
    return Queue.objects.create(
        dataset_id=upload.dataset_id,
        schema=schema,
        name=free,
        state=Queue.State.CLOSED,
        source=Queue.Source.IMPORTED,
        upload=upload,
        hidden_share=100,
        created_by=upload.accepted_by,
        filled_at=timezone.now(),
    )


# ── People ──────────────────────────────────────────────────────────────────
def accounts(dataset: Dataset, people: Iterable[str]) -> dict[str, User]:
    """Accounts that may annotate in the dataset, by the e-mail address used in a file. An address shared by
    two accounts is left out.
    """
    wanted = {name.casefold(): name for name in people if "@" in name}
    rows = (
        policy.who_can("labeling.annotate", dataset)
        .annotate(address=Lower("email"))
        .filter(address__in=list(wanted))
    )
    found = [(user.email.casefold(), user) for user in rows]
    once = Counter(address for address, _ in found)
    return {wanted[address]: user for address, user in found if once[address] == 1 and address in wanted}


def people_of(upload: Upload, names: Sequence[str]) -> dict[str, User]:
    """The user for each name: an account, or a placeholder created now."""
    known = accounts(upload.dataset, names)
    others = {f"{upload.uuid}:{name}": name for name in names if name not in known}
    made = access.make_placeholders(others, origin=upload.file_name) if others else {}
    return known | {others[key]: user for key, user in made.items()}


# ── Writing ─────────────────────────────────────────────────────────────────
def write_annotations(queue: Queue, rows: Sequence[ImportedAnnotation], labels: dict[str, Label]) -> None:
    """Save the annotations of one batch, with slots and seats. A later annotation by the same person replaces
    the earlier one.
    """
    items = {each.item.pk for each in rows}
    before = Annotation.objects.filter(queue=queue, item_id__in=items, action=LABEL, replaced_by__isnull=True)
    current = {(row.item_id, row.user_id): row for row in before}
    count_before = len(current)
    write_skips(queue, [each for each in rows if each.value is None])
    left = [each for each in rows if each.value is not None]
    while left:
        now: dict[tuple[int, int], ImportedAnnotation] = {}
        later: list[ImportedAnnotation] = []
        for each in left:
            if now.setdefault((each.item.pk, each.user.pk), each) is not each:
                later.append(each)
        made = [row_of(queue, each, labels, current.get(key)) for key, each in now.items()]
        Annotation.objects.bulk_create(made, batch_size=500)
        fill_slots(queue, made, current)
        current |= {(row.item_id, row.user_id): row for row in made}
        left = later
    added = len(current) - count_before
    Queue.objects.filter(pk=queue.pk).update(
        slots_total=F("slots_total") + added, slots_done=F("slots_done") + added
    )
    update_seats(queue, rows)


def row_of(
    queue: Queue, each: ImportedAnnotation, labels: dict[str, Label], before: Annotation | None
) -> Annotation:
    """One unsaved annotation or skip."""
    given = each.given
    fields = stored(each.value, labels) if each.value is not None else {}
    key = f"{queue.uuid}:{each.item.pk}:{each.user.pk}:{given.skipped}:{before.pk if before else 0}"
    return Annotation(
        queue=queue,
        item=each.item,
        user=each.user,
        action=SKIP if each.value is None else LABEL,
        **fields,
        gold=given.gold,
        replaces=before,
        seconds=min(given.seconds, MAX_SECONDS),
        client_key=uuid5(queue.uuid, key),
        created_at=given.at or timezone.now(),
    )


def fill_slots(queue: Queue, made: Sequence[Annotation], current: dict[tuple[int, int], Annotation]) -> None:
    """Create a filled slot for each person's first annotation; the slot of a replaced annotation gets the
    newer one.
    """
    fresh = [row for row in made if (row.item_id, row.user_id) not in current]
    Slot.objects.bulk_create(
        (
            Slot(queue=queue, item_id=row.item_id, state=DONE, user_id=row.user_id, annotation=row)
            for row in fresh
        ),
        batch_size=500,
    )
    for row in made:
        if (row.item_id, row.user_id) in current:
            Slot.objects.filter(queue=queue, item_id=row.item_id, user_id=row.user_id).update(annotation=row)


def write_skips(queue: Queue, rows: Sequence[ImportedAnnotation]) -> None:
    """Save each skip once. A closed slot keeps an item without annotations in the queue."""
    items = {each.item.pk for each in rows}
    existing = set(SlotSkip.objects.filter(queue=queue, item_id__in=items).values_list("item_id", "user_id"))
    once = {
        (each.item.pk, each.user.pk): each for each in rows if (each.item.pk, each.user.pk) not in existing
    }
    Annotation.objects.bulk_create([row_of(queue, each, {}, None) for each in once.values()], batch_size=500)
    SlotSkip.objects.bulk_create(
        [SlotSkip(queue=queue, item=each.item, user=each.user) for each in once.values()], batch_size=500
    )
    Slot.objects.bulk_create(
        [Slot(queue=queue, item=each.item, state=CLOSED) for each in once.values()], batch_size=500
    )


def update_seats(queue: Queue, rows: Sequence[ImportedAnnotation]) -> None:
    """Update the counters of each person."""
    sums: dict[User, tuple[int, int, float]] = defaultdict(lambda: (0, 0, 0.0))
    last: dict[User, datetime] = {}
    for each in rows:
        labeled, skipped, seconds = sums[each.user]
        answered = each.value is not None
        spent = min(each.given.seconds, MAX_SECONDS) if answered else 0
        sums[each.user] = (labeled + answered, skipped + (not answered), seconds + spent)
        if each.given.at:
            last[each.user] = max(each.given.at, last.get(each.user, each.given.at))
    for user, (labeled, skipped, seconds) in sums.items():
        seat, _ = Seat.objects.get_or_create(queue=queue, user=user)
        moments = [at for at in (seat.last_at, last.get(user)) if at]
        Seat.objects.filter(pk=seat.pk).update(
            labeled=F("labeled") + labeled,
            skipped=F("skipped") + skipped,
            seconds=F("seconds") + seconds,
            last_at=max(moments) if moments else None,
        )


# ── Resolving ────────────────────────────────────────────────────────────────
def resolve_batch(queue: Queue, after: int, by: User | None) -> int | None:
    """Resolve the next items after this key by their ground truth, else by the usual rule; open a dispute
    where annotations differ.

    Labels resolved by the file itself stay. Runs in the caller's transaction. Returns the last item's key, or
    None when none is left.
    """
    rows = Slot.objects.filter(queue=queue, item_id__gt=after).order_by("item_id")
    ids = list(rows.values_list("item_id", flat=True).distinct()[:BATCH])
    if not ids:
        return None
    slots = (
        Slot.objects.filter(queue=queue, item_id__in=ids, state=DONE)
        .select_related("annotation__label")
        .order_by("item_id", "id")
    )
    held = set(Decision.objects.filter(item_id__in=ids).values_list("item_id", flat=True))
    digests = dict(Item.objects.filter(pk__in=ids).values_list("pk", "digest"))
    labels = labels_by_id(queue.schema)
    decided: list[tuple[Decision, list[Annotation]]] = []
    disputes: list[Dispute] = []
    most = 0
    for item, group in groupby(slots, key=lambda slot: slot.item_id):
        annotations = [slot.annotation for slot in group if slot.annotation is not None]
        most = max(most, len(annotations))
        if item in held:
            continue
        judged = [each for each in annotations if each.gold] or annotations
        verdict = rules.judge([DONE] * len(judged), [value_of(each) for each in judged])
        if verdict.value is None:
            disputes.append(Dispute(queue=queue, item_id=item, pair=verdict.pair, answers=verdict.answers))
            continue
        how = (
            Decision.How.IMPORTED
            if judged[0].gold
            else Decision.How.SINGLE
            if len(annotations) == 1
            else Decision.How.UNANIMOUS
        )
        decided.append((decision_of(queue, item, digests[item], verdict.value, labels, how, by), annotations))
    Decision.objects.bulk_create([decision for decision, _ in decided], batch_size=500)
    through = Decision.annotations.through
    through.objects.bulk_create(
        [
            through(decision_id=decision.pk, annotation_id=each.pk)
            for decision, found in decided
            for each in found
        ],
        batch_size=500,
    )
    Dispute.objects.bulk_create(disputes, batch_size=500)
    Queue.objects.filter(pk=queue.pk).update(
        items_total=F("items_total") + len(ids),
        items_labeled=F("items_labeled") + len(decided),
        overlap=min(5, max(queue.overlap, most)),
        items_disputed=F("items_disputed") + len(disputes),
        disputes_total=F("disputes_total") + len(disputes),
    )
    return ids[-1]


def decision_of(
    queue: Queue, item: int, digest: str, value: Value, labels: dict[str, Label], how: str, by: User | None
) -> Decision:
    """The first decision of an item, unsaved."""
    names = {key: label.name for key, label in labels.items()}
    made = rules.decision_digest(
        item=digest, value=value, names=names, how=how, by=by.uuid if by else None, supersedes=""
    )
    return Decision(item_id=item, **stored(value, labels), queue=queue, how=how, by=by, digest=made)


# ── The end ─────────────────────────────────────────────────────────────────
def record(upload: Upload, queue: Queue) -> None:
    """Record one event for all annotations of an upload: their number, their annotators, and a digest over
    their keys.
    """
    total, rows = hashlib.sha256(), 0
    for uuid in (
        Annotation.objects.filter(queue=queue)
        .order_by("id")
        .values_list("uuid", flat=True)
        .iterator(chunk_size=5_000)
    ):
        total.update(uuid.bytes)
        rows += 1
    people = Seat.objects.filter(queue=queue).select_related("user")
    known = sorted(str(seat.user.uuid) for seat in people if not seat.user.is_placeholder)
    ledger.record(
        upload.accepted_by,
        Verb.ANNOTATIONS_IMPORTED,
        queue,
        project=upload.dataset.project.uuid,
        upload=upload.uuid,
        file=upload.blob.digest,
        annotations=rows,
        digest=total.hexdigest(),
        accounts=known,
        placeholders=len(people) - len(known),
    )


def remove(upload: Upload, item_ids: Sequence[int]) -> None:
    """Delete the annotations of items about to be deleted; after the last one, also the queue and its
    placeholders.
    """
    queue = queue_of(upload)
    if queue is None:
        return
    about = {"queue": queue, "item_id__in": item_ids}
    Dispute.objects.filter(**about).delete()
    Slot.objects.filter(**about).delete()
    SlotSkip.objects.filter(**about).delete()
    while Annotation.objects.filter(**about).exists():
        Annotation.objects.filter(**about, replaced_by__isnull=True).delete()
    if not Slot.objects.filter(queue=queue).exists():
        people = list(Seat.objects.filter(queue=queue).values_list("user", flat=True))
        queue.delete()
        User.objects.filter(pk__in=people, username__startswith=PLACEHOLDER).delete()
