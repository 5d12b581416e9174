"""The review page: an item's annotations side by side, and how disputes between the same labels were
resolved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from datasets_app.datasets.models import Item
from datasets_app.prelabels.models import Suggestion
from datasets_app.prelabels.queries import FUNCTIONS_LIMIT, first_source, live, named_together, together
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Comment, Decision, Dispute
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.answers import answers_in, readable
from datasets_app.queues.queries.decisions import newest_decision
from datasets_app.queues.task_types.by_key import widget_of
from datasets_app.review.rules import likely_answer
from datasets_app.schemas.queries.changes import classes_now, labels_now
from datasets_app.schemas.queries.labels import value_of
from datasets_app.schemas.rules import through
from lifecycle.runtime.task_types.answers import DROPPED, Value, canonical
from lifecycle.runtime.task_types.values import words
from registry.ground.access.models import User
from registry.ground.ledger.rules import digest_of

LIST = 50
PAIR_HISTORY = 200
SOURCES = FUNCTIONS_LIMIT  # newest pre-labels of an item to read: every labeling function may have one
ORDERS = {"widest": ("-answers", "id"), "oldest": ("id",)}


def seen_digest(slots: Iterable[Slot], current: Decision | None) -> str:
    """Digest of what an adjudicator saw: the item's annotations and its last decision."""
    answers = sorted(str(answer.uuid) for answer in answers_in(slots))
    return digest_of({"answers": answers, "decision": current.digest if current else ""})


def disputes(queue: Queue, order: str = "widest") -> QuerySet[Dispute]:
    """The open disputes of a queue."""
    rows = Dispute.objects.filter(queue=queue, state=Dispute.State.OPEN).select_related("item")
    return rows.order_by(*ORDERS.get(order, ORDERS["widest"]))


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the list of disagreements."""

    item: UUID
    text: str
    pair: str
    current: bool


def lines(found: Sequence[Dispute], names: dict[str, str], current: UUID | None) -> list[Line]:
    """The list of disagreements, each with the names of the disputed labels."""
    return [
        Line(row.item.uuid, row.item.text, " / ".join(pair_names(row.pair, names)), row.item.uuid == current)
        for row in found
    ]


def pair_names(pair: str, names: dict[str, str]) -> list[str]:
    """The names of the labels of a pair."""
    return [names.get(part, DROPPED) for part in pair.split("|") if part]


@dataclass(frozen=True, slots=True)
class Column:
    """One annotation. letter: replaces the annotator's name. key: the digit that accepts it.

    value: its value; posted: the same as JSON text, as the page sends it back.
    """

    letter: str
    key: int
    value: Value
    posted: str
    words: str
    seconds: float
    answer: Annotation
    remark: str
    same: bool
    picked: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """The majority of the annotations part by part, if no annotation equals it."""

    posted: str
    words: str


@dataclass(frozen=True, slots=True)
class Case:
    """One item to resolve. own: whether the adjudicator annotated it and so can't resolve it. likely, reason:
    prefilled.

    source: name of the pre-labels' source. fields: initial values of the form for another label, from the
    likely or first annotation. content: of the item, with prompt and responses as text.
    """

    item: Item
    columns: list[Column]
    suggestion: Suggestion | None
    source: str
    suggested: str
    more: list[Suggestion]
    suggestion_same: bool
    merged: Merged | None
    likely: str
    fields: dict[str, Any]
    content: dict[str, Any]
    likely_letter: str
    reason: str
    own: bool
    seen: str
    current: Decision | None
    decided: str


def case(queue: Queue, item: Item, reviewer: User) -> Case:
    """Everything that the review page shows about one item."""
    slots = list(
        Slot.objects.filter(queue=queue, item=item, is_gold=False)
        .select_related("annotation__label", "annotation__suggestion")
        .order_by("id")
    )
    answers = sorted(answers_in(slots), key=lambda answer: answer.pk)
    ranked = list(live(item.suggestions.all()).select_related("label").order_by("-id")[:SOURCES])
    newest = first_source(ranked[::-1], queue.suggests_from, queue.dataset.task) if ranked else []
    newest.sort(key=lambda row: -(row.score or 0))
    first, source = (newest[0], named_together(newest)) if newest else (None, "")
    names = {key: label.name for key, label in labels_now(queue.schema).items()}
    values = [value_of(answer) for answer in answers]
    proposed = together(queue.dataset.task, newest)
    if proposed is not None:
        proposed = through(proposed, classes_now(queue.dataset_id))
    likely = likely_answer(values, proposed)
    comments = Comment.objects.filter(item=item, is_flag=False, is_return=False, reply_to=None).order_by("id")
    remarks = dict(comments.values_list("user_id", "text"))
    columns = [
        Column(
            letter=chr(ord("A") + at),
            key=at + 1,
            value=value,
            posted=canonical(value),
            words=words(value, names, item.text),
            seconds=answer.seconds,
            answer=answer,
            remark=remarks.get(answer.user_id, ""),
            same=values.count(value) > 1,
            picked=value == likely,
        )
        for at, (answer, value) in enumerate(zip(answers, values, strict=True))
    ]
    merged = queue.dataset.task_type.answers.merge(values) if values else None
    current = newest_decision(item.pk)
    held = current if current and current.how != Decision.How.WITHDRAWN else None
    own = any(answer.user_id == reviewer.pk for answer in answers)
    return Case(
        item=item,
        columns=columns,
        suggestion=first,
        source=source,
        suggested=words(proposed, names, item.text) if proposed else "",
        more=newest[1:3],
        suggestion_same=proposed in values,
        likely=canonical(likely) if likely else "",
        merged=(
            Merged(canonical(merged), words(merged, names, item.text))
            if merged and merged not in values
            else None
        ),
        fields=widget_of(queue.dataset.task).fields(
            likely or (values[0] if values else None), item.text, names
        ),
        content=readable(item.content or {}),
        likely_letter=next((column.letter for column in columns if column.picked), ""),
        reason=reason_for(values, likely, source if first else None),
        own=own,
        seen=seen_digest(slots, current),
        current=held,
        decided=words(value_of(held), names, item.text) if held else "",
    )


def reason_for(values: Sequence[Value], likely: Value | None, source: str | None) -> str:
    """Why the prefilled label is likely, as an editable sentence; empty without one. source: of the
    pre-label; None without pre-label.
    """
    if likely is None:
        return ""
    votes = values.count(likely)
    if votes * 2 > len(values):
        return f"{votes} of {len(values)} annotators agree."
    return f"{source or 'The pre-label'} agrees with this annotation." if source is not None else ""


@dataclass(frozen=True, slots=True)
class PairHistory:
    """How disputes between the same labels were resolved. total: at most the newest 200. leading: the most
    frequent label.
    """

    names: list[str]
    total: int
    settled: int
    leading: str
    leading_count: int
    latest: list[tuple[Dispute, str]]


def pair_history(queue: Queue, pair: str, names: dict[str, str]) -> PairHistory:
    """The history of one pair of labels in a queue."""
    rows = list(
        Dispute.objects.filter(queue=queue, pair=pair)
        .exclude(state=Dispute.State.VANISHED)
        .select_related("decision__label", "item")
        .order_by("-id")[:PAIR_HISTORY]
    )
    settled = [row for row in rows if row.state == Dispute.State.SETTLED and row.decision]
    counts = Counter(words(value_of(row.decision), names) for row in settled if row.decision)
    leading, count = counts.most_common(1)[0] if counts else ("", 0)
    latest = [
        (row, words(value_of(row.decision), names, row.item.text)) for row in settled[:3] if row.decision
    ]
    return PairHistory(pair_names(pair, names), len(rows), len(settled), leading, count, latest)
