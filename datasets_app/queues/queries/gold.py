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

WINDOW = 200  # gold that is looked at from where it is drawn, forwards and from the start: a claim costs the same however much there is


def live_gold() -> QuerySet[Gold]:
    """Gold that is mixed in."""
    return Gold.objects.filter(retired_at=None)


def gold_of(item_ids: Iterable[int]) -> dict[int, Gold]:
    """The gold of those of these items that are."""
    return {gold.item_id: gold for ids in chunks(item_ids) for gold in live_gold().filter(item__in=ids).select_related("label")}


def draw_gold(queue: Queue, user: User, wanted: int, start: int) -> list[Gold]:
    """Up to `wanted` gold items for a person, from a place on: none that they set or ever answered or skipped in any queue, none that they
    hold or have filled here, none with a class that the queue does not offer. At most four statements.
    """
    found = unseen(queue, user, wanted, start, forwards=True)
    if len(found) < wanted:
        found += unseen(queue, user, wanted - len(found), start, forwards=False)
    return answerable(queue, found)


def unseen(queue: Queue, user: User, wanted: int, start: int, *, forwards: bool) -> list[Gold]:
    """The first of the gold from the place on, or from the start up to it, that is new to this person."""
    drawn = live_gold().filter(dataset=queue.dataset_id)
    drawn = drawn.filter(place__gte=start) if forwards else drawn.filter(place__lt=start)
    window = drawn.order_by("place", "id").values("pk")[:WINDOW]
    said = Annotation.objects.filter(item=OuterRef("item"), user=user)
    mine = Slot.objects.filter(queue=queue, item=OuterRef("item"), user=user).exclude(is_gold=True, state=Slot.State.CLOSED)
    rows = Gold.objects.filter(~Exists(said), ~Exists(mine), pk__in=window, item__upload__state=UploadState.IMPORTED).exclude(set_by=user)
    return list(rows.select_related("label").order_by("place", "id")[:wanted])


def answerable(queue: Queue, found: list[Gold]) -> list[Gold]:
    """Without gold that names a class that isn't available in this queue."""
    if not any(labels_of(value_of(gold)) for gold in found):
        return found
    offered = with_merged(queue.dataset_id, {key: key for key in labels_by_id(queue.schema)})
    now = classes_now(queue.dataset_id)
    reached = {now.merged.get(key, key) for key in offered} | set(offered)
    return [gold for gold in found if reached.issuperset(labels_of(through(value_of(gold), now)))]


def set_aside(queue: Queue, user: User, item_ids: Sequence[int]) -> list[Slot]:
    """This person's slots of these gold items that they gave back or let lapse unanswered, locked if free."""
    closed = Slot.objects.select_for_update(skip_locked=True).filter(queue=queue, user=user, item__in=item_ids, is_gold=True)
    return list(closed.filter(state=Slot.State.CLOSED).order_by("id"))


def skipped_gold(queue: Queue, user: User, wanted: int) -> list[Slot]:
    """Gold that this person skipped in the queue, locked if free."""
    skips = queue.skips.filter(user=user).values("item")
    return list(set_aside_rows(queue, user).select_for_update(skip_locked=True).filter(item__in=skips).order_by("id")[:wanted])


def set_aside_rows(queue: Queue, user: User) -> QuerySet[Slot]:
    """This person's closed slots of gold in the queue."""
    return Slot.objects.filter(queue=queue, user=user, is_gold=True, state=Slot.State.CLOSED)


@dataclass(frozen=True, slots=True)
class Told:
    """The result shown after a gold annotation. right: whether it was. said, known: the two answers in words."""

    right: bool
    said: str
    known: str
    value: Value
    explanation: str
    text: str


def told_of(queue: Queue, annotation: Annotation) -> Told | None:
    """The result shown for this annotation; None if results aren't shown."""
    if not queue.gold_feedback or annotation.right is None:
        return None
    gold = gold_of([annotation.item_id]).get(annotation.item_id)
    if gold is None:
        return None
    names, text = names_in(queue.schema) | known_names(gold), annotation.item.text
    known = known_now(gold)
    return Told(annotation.right, words(value_of(annotation), names, text), words(known, names, text), known, gold.explanation, text)


def known_now(gold: Gold, now: ClassesNow | None = None) -> Value:
    """What is known of an item, as it is shown: one class as it was set, sets and spans with the classes that there are now."""
    return value_of(gold) if gold.label else through(value_of(gold), now or classes_now(gold.dataset_id))


def known_names(gold: Gold) -> dict[str, str]:
    """The name of the class of gold, which a queue with older classes may lack."""
    return {str(gold.label.stable_id): gold.label.name} if gold.label else {}
