"""The current annotations of a queue as plain values, item by item in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db.models import Q

from datasets_app.quality.measure import Given
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Comment, Decision
from datasets_app.queues.models.queues import ARRIVING, Queue, Slot
from datasets_app.queues.queries.decisions import standing
from datasets_app.schemas.models.schemas import Label, LabelSchema
from datasets_app.schemas.queries.changes import present_ids
from datasets_app.schemas.queries.labels import chunks
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.values import answers_of

ROWS = 5_000  # annotations read at a time
How = Decision.How
# A label based on one annotation always agrees with it, so it's no evidence.
INFORMATIVE = Q(how__in=[How.UNANIMOUS, How.ADJUDICATED, How.IMPORTED]) | Q(
    how=How.ACCEPTED, queue__overlap__gt=1
)
FIELDS = (
    "item_id",
    "user_id",
    "annotation__label_id",
    "annotation__value",
    "annotation__seconds",
    "annotation__created_at",
    "annotation__suggestion__label_id",
)
Places = dict[int | str, int]


def ordered_labels(schema: LabelSchema) -> list[Label]:
    """The labels of a schema version, in order: a value is an index in this list."""
    return list(schema.labels.order_by("position"))


def places_of(schema: LabelSchema, labels: list[Label]) -> Places:
    """The index of every label of every schema version, by key and by stable id; a merged label maps to its
    target.

    labels: of this version; labels that it otherwise lacks are left out.
    """
    places = {label.stable_id: at for at, label in enumerate(labels)}
    merged = present_ids(schema.dataset_id)
    found: Places = {}
    for pk, stable in Label.objects.filter(schema__dataset=schema.dataset_id).values_list("pk", "stable_id"):
        if (now := merged.get(stable, stable)) in places:
            found[pk] = found[str(stable)] = places[now]
    return found


def compared(label: int | None, value: Value | None, places: Places) -> Any:
    """The value for comparison: an index, or a set of parts with indices for labels. None for a removed
    label.
    """
    if value is None:
        return places.get(label) if label is not None else None
    answers = answers_of(value)
    named = ((part, answers.label_of(part)) for part in answers.parts(value))
    return frozenset(
        answers.relabel(part, places[label]) if label else part
        for part, label in named
        if not label or label in places
    )


def answers_by_item(queue: Queue, places: Places) -> Iterator[list[list[Given]]]:
    """The annotations that currently fill slots, one list per item, a few thousand at a time, by item."""
    rows = Slot.objects.filter(
        queue=queue, state=Slot.State.DONE, is_gold=False, annotation__isnull=False
    ).order_by("item_id", "id")
    after = 0
    while found := list(rows.filter(item_id__gt=after).values_list(*FIELDS)[:ROWS]):
        items = [list(group) for _, group in groupby(found, key=lambda row: row[0])]
        if len(found) == ROWS and len(items) > 1:
            items.pop()  # more of its annotations may follow
        after = items[-1][0][0]
        values = [[each for row in group if (each := given(row, places)) is not None] for group in items]
        yield [answers for answers in values if answers]


def answers_of_items(item_ids: Sequence[int], places: Places) -> Iterator[list[Given]]:
    """The current annotations of each of these items in all queues; the newest of each person."""
    rows = Slot.objects.filter(
        item_id__in=item_ids, state=Slot.State.DONE, is_gold=False, annotation__isnull=False
    )
    found = (
        rows.exclude(queue__in=Queue.objects.filter(ARRIVING))
        .order_by("item_id", "annotation_id")
        .values_list(*FIELDS)
    )
    for _, group in groupby(found, key=lambda row: row[0]):
        yield list(
            {answer.user: answer for row in group if (answer := given(row, places)) is not None}.values()
        )


def given(row: tuple[Any, ...], places: Places) -> Given | None:
    """One annotation as a plain value; None for a removed label."""
    item, user, label, value, seconds, at, suggested = row
    known = compared(label, value, places)
    return (
        None
        if known is None
        else Given(item, user, known, seconds, at, places.get(suggested) if value is None else None)
    )


def decided(item_ids: list[int], places: Places) -> dict[int, Any]:
    """The resolved values of those of these items that were labeled by several people, an adjudicator, or an
    import.
    """
    found: dict[int, Any] = {}
    for ids in chunks(item_ids):
        rows = standing().filter(INFORMATIVE, item_id__in=ids).values_list("item_id", "label_id", "value")
        found |= {
            item: known
            for item, label, value in rows
            if (known := compared(label, value, places)) is not None
        }
    return found


def sent_back(queue: Queue) -> Counter[int]:
    """How many times items were returned to each person: to those who had annotated them since the previous
    return, if any.
    """
    found: Counter[int] = Counter()
    before: dict[int, datetime] = {}
    returns = Comment.objects.filter(queue=queue, is_return=True).order_by("id")
    after = 0
    while batch := list(returns.filter(pk__gt=after).values_list("pk", "item_id", "created_at")[:500]):
        after = batch[-1][0]
        annotations = Annotation.objects.filter(
            queue=queue, item_id__in={item for _, item, _ in batch}, right__isnull=True
        ).order_by("id")
        rows = list(annotations.values_list("item_id", "user_id", "action", "created_at"))
        for _, item, at in batch:
            since = before.get(item, datetime.min.replace(tzinfo=UTC))
            last = {user: action for on, user, action, when in rows if on == item and since < when < at}
            found.update(user for user, action in last.items() if action == Annotation.Action.LABEL)
            before[item] = at
    return found
