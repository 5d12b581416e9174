"""Gold items in queues: candidates for a person, and their results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from datasets_app.datasets.rules import UploadState
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.gold import Gold
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.schemas.queries.changes import classes_now, with_merged
from datasets_app.schemas.queries.labels import chunks, labels_by_id, names_in, value_of
from datasets_app.schemas.rules import ClassesNow, through
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.values import labels_of, words
from registry.ground.access.models import User

# gold items read from the drawn place on, and from the start, so that a claim's cost doesn't depend on their
# number
WINDOW = 200


def live_gold() -> QuerySet[Gold]:
    """Gold items that aren't retired."""
    return Gold.objects.filter(retired_at=None)


def gold_of(item_ids: Iterable[int]) -> dict[int, Gold]:
    """Live gold by item, of those of these items that have it."""
    return {
        gold.item_id: gold
        for ids in chunks(item_ids)
        for gold in live_gold().filter(item__in=ids).select_related("label")
    }


def draw_gold(queue: Queue, user: User, wanted: int, start: int) -> list[Gold]:
    """Up to `wanted` gold items for a person, from a place on: none that they set, or annotated or skipped in
    any queue, none that they hold or have annotated here, none with a label that the queue lacks. At most
    four queries.
    """
    found = unseen(queue, user, wanted, start, forwards=True)
    if len(found) < wanted:
        found += unseen(queue, user, wanted - len(found), start, forwards=False)
    return answerable(queue, found)


def unseen(queue: Queue, user: User, wanted: int, start: int, *, forwards: bool) -> list[Gold]:
    """The first gold items that are new to this person, from the place on, or from the start up to it."""
    drawn = live_gold().filter(dataset=queue.dataset_id)
    drawn = drawn.filter(place__gte=start) if forwards else drawn.filter(place__lt=start)
    window = drawn.order_by("place", "id").values("pk")[:WINDOW]
    seen = Annotation.objects.filter(item=OuterRef("item"), user=user)
    held = Slot.objects.filter(queue=queue, item=OuterRef("item"), user=user).exclude(
        is_gold=True, state=Slot.State.CLOSED
    )
    rows = Gold.objects.filter(
        ~Exists(seen), ~Exists(held), pk__in=window, item__upload__state=UploadState.IMPORTED
    ).exclude(set_by=user)
    return list(rows.select_related("label").order_by("place", "id")[:wanted])


def answerable(queue: Queue, found: list[Gold]) -> list[Gold]:
    """Gold items whose labels are all available in this queue."""
    if not any(labels_of(value_of(gold)) for gold in found):
        return found
    offered = with_merged(queue.dataset_id, {key: key for key in labels_by_id(queue.schema)})
    now = classes_now(queue.dataset_id)
    reached = {now.merged.get(key, key) for key in offered} | set(offered)
    return [gold for gold in found if reached.issuperset(labels_of(through(value_of(gold), now)))]


def set_aside(queue: Queue, user: User, item_ids: Sequence[int]) -> list[Slot]:
    """This person's slots of these gold items that they released or let lapse, locked if free."""
    closed = Slot.objects.select_for_update(skip_locked=True).filter(
        queue=queue, user=user, item__in=item_ids, is_gold=True
    )
    return list(closed.filter(state=Slot.State.CLOSED).order_by("id"))


def skipped_gold(queue: Queue, user: User, wanted: int) -> list[Slot]:
    """Slots of gold items that this person skipped in the queue, locked if free."""
    skips = queue.skips.filter(user=user).values("item")
    return list(
        set_aside_rows(queue, user)
        .select_for_update(skip_locked=True)
        .filter(item__in=skips)
        .order_by("id")[:wanted]
    )


def set_aside_rows(queue: Queue, user: User) -> QuerySet[Slot]:
    """This person's closed slots of gold in the queue."""
    return Slot.objects.filter(queue=queue, user=user, is_gold=True, state=Slot.State.CLOSED)


@dataclass(frozen=True, slots=True)
class GoldResult:
    """The result shown after a gold annotation. right: whether it is correct. given, known: both labels as
    text.
    """

    right: bool
    given: str
    known: str
    value: Value
    explanation: str
    text: str


def gold_result(queue: Queue, annotation: Annotation) -> GoldResult | None:
    """The result shown for this annotation; None if results aren't shown."""
    if not queue.gold_feedback or annotation.right is None:
        return None
    gold = gold_of([annotation.item_id]).get(annotation.item_id)
    if gold is None:
        return None
    names, text = names_in(queue.schema) | known_names(gold), annotation.item.text
    known = known_now(gold)
    return GoldResult(
        annotation.right,
        words(value_of(annotation), names, text),
        words(known, names, text),
        known,
        gold.explanation,
        text,
    )


def known_now(gold: Gold, now: ClassesNow | None = None) -> Value:
    """The gold value to show: a single label as it was set, sets and spans with current labels."""
    return value_of(gold) if gold.label else through(value_of(gold), now or classes_now(gold.dataset_id))


def known_names(gold: Gold) -> dict[str, str]:
    """The name of the gold label, which a queue with an older schema may lack."""
    return {str(gold.label.stable_id): gold.label.name} if gold.label else {}
