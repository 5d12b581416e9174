"""What a reviewer looks at: an item's answers side by side, and how such pairs were settled before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from datasets_app.datasets.models import Item
from datasets_app.prelabels.models import Suggestion
from datasets_app.prelabels.queries import RULES_LIMIT, live, named_together, said_first, together
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
SOURCES = RULES_LIMIT  # newest pre-labels of an item to read: every labeling function may have one
ORDERS = {"widest": ("-answers", "id"), "oldest": ("id",)}


def seen_digest(slots: Iterable[Slot], current: Decision | None) -> str:
    """What a reviewer looked at: the item's answers and the decision that held."""
    answers = sorted(str(answer.uuid) for answer in answers_in(slots))
    return digest_of({"answers": answers, "decision": current.digest if current else ""})


def disputes(queue: Queue, order: str = "widest") -> QuerySet[Dispute]:
    """What waits to be settled in a queue."""
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
    """The list of disagreements with the names of the classes each is disputed between."""
    return [Line(row.item.uuid, row.item.text, " / ".join(pair_names(row.pair, names)), row.item.uuid == current) for row in found]


def pair_names(pair: str, names: dict[str, str]) -> list[str]:
    """The names of the two classes of a pair."""
    return [names.get(part, DROPPED) for part in pair.split("|") if part]


@dataclass(frozen=True, slots=True)
class Column:
    """One answer. letter: replaces the annotator's name. key: the digit that accepts it.

    value: its value; posted: the same as text, as the page sends it back.
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
    """What most answers say part by part, where none of them says just that."""

    posted: str
    words: str


@dataclass(frozen=True, slots=True)
class Case:
    """One item to be settled. own: the reviewer labeled it themself and cannot settle it. likely: what is prefilled; reason: with it.

    source: who suggests, by name. fields: what those for another answer begin with, from the likely or first one. content: of the item, its
    prompt and responses as texts.
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
    """Everything about one item that its reviewer needs."""
    slots = list(
        Slot.objects.filter(queue=queue, item=item, is_gold=False)
        .select_related("annotation__label", "annotation__suggestion")
        .order_by("id")
    )
    answers = sorted(answers_in(slots), key=lambda answer: answer.pk)
    ranked = list(live(item.suggestions.all()).select_related("label").order_by("-id")[:SOURCES])
    newest = said_first(ranked[::-1], queue.suggests_from, queue.dataset.task) if ranked else []
    newest.sort(key=lambda row: -(row.score or 0))
    first, source = (newest[0], named_together(newest)) if newest else (None, "")
    names = {key: label.name for key, label in labels_now(queue.schema).items()}
    said = [value_of(answer) for answer in answers]
    proposed = together(queue.dataset.task, newest)
    if proposed is not None:
        proposed = through(proposed, classes_now(queue.dataset_id))
    likely = likely_answer(said, proposed)
    said_why = Comment.objects.filter(item=item, is_flag=False, is_return=False, reply_to=None).order_by("id")
    remarks = dict(said_why.values_list("user_id", "text"))
    columns = [
        Column(
            letter=chr(ord("A") + at), key=at + 1, value=value, posted=canonical(value), words=words(value, names, item.text),
            seconds=answer.seconds, answer=answer, remark=remarks.get(answer.user_id, ""),
            same=said.count(value) > 1, picked=value == likely,
        )
        for at, (answer, value) in enumerate(zip(answers, said, strict=True))
    ]  # fmt: skip
    merged = queue.dataset.task_type.answers.merge(said) if said else None
    current = newest_decision(item.pk)
    held = current if current and current.how != Decision.How.WITHDRAWN else None
    own = any(answer.user_id == reviewer.pk for answer in answers)
    return Case(
        item=item, columns=columns, suggestion=first, source=source, suggested=words(proposed, names, item.text) if proposed else "",
        more=newest[1:3], suggestion_same=proposed in said, likely=canonical(likely) if likely else "",
        merged=Merged(canonical(merged), words(merged, names, item.text)) if merged and merged not in said else None,
        fields=widget_of(queue.dataset.task).fields(likely or (said[0] if said else None), item.text, names),
        content=readable(item.content or {}),
        likely_letter=next((column.letter for column in columns if column.picked), ""),
        reason=reason_for(said, likely, source if first else None), own=own, seen=seen_digest(slots, current),
        current=held, decided=words(value_of(held), names, item.text) if held else "",
    )  # fmt: skip


def reason_for(said: Sequence[Value], likely: Value | None, source: str | None) -> str:
    """Why the prefilled answer is likely, as a sentence that the reviewer can change; empty without one. source: None: nothing suggests."""
    if likely is None:
        return ""
    votes = said.count(likely)
    if votes * 2 > len(said):
        return f"{votes} of {len(said)} annotators agree."
    return f"{source or 'The pre-label'} agrees with this annotation." if source is not None else ""


@dataclass(frozen=True, slots=True)
class PairHistory:
    """How disagreements about the same two classes ended. total: at most the newest 200. leading: settled most often as this."""

    names: list[str]
    total: int
    settled: int
    leading: str
    leading_count: int
    latest: list[tuple[Dispute, str]]


def pair_history(queue: Queue, pair: str, names: dict[str, str]) -> PairHistory:
    """The history of one pair of classes in a queue."""
    rows = list(
        Dispute.objects.filter(queue=queue, pair=pair)
        .exclude(state=Dispute.State.VANISHED)
        .select_related("decision__label", "item")
        .order_by("-id")[:PAIR_HISTORY]
    )
    settled = [row for row in rows if row.state == Dispute.State.SETTLED and row.decision]
    counts = Counter(words(value_of(row.decision), names) for row in settled if row.decision)
    leading, count = counts.most_common(1)[0] if counts else ("", 0)
    latest = [(row, words(value_of(row.decision), names, row.item.text)) for row in settled[:3] if row.decision]
    return PairHistory(pair_names(pair, names), len(rows), len(settled), leading, count, latest)
