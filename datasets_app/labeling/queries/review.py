"""What a reviewer looks at: an item's answers side by side, and how such pairs were settled before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from datasets_app.datasets.models import Item
from datasets_app.labeling import rules
from datasets_app.labeling.models import Annotation, Comment, Decision, Dispute, Label, Queue, Slot, Suggestion
from datasets_app.labeling.queries.changes import read_through
from datasets_app.labeling.queries.decisions import newest_decision
from registry.access.models import User
from registry.ledger.rules import digest_of

LIST = 50
PAIR_HISTORY = 200
ORDERS = {"widest": ("-answers", "id"), "oldest": ("id",)}


def answers_in(slots: Iterable[Slot]) -> list[Annotation]:
    """The current answers of an item's filled slots, in the order of the slots; their classes as they are since they were merged."""
    return read_through([slot.annotation for slot in slots if slot.state == Slot.State.DONE and slot.annotation is not None])


def label_of(answer: Annotation) -> Label:
    """The class that an answer names. Raises ValueError for a skip."""
    if answer.label is None:
        raise ValueError("A skip is no answer.")
    return answer.label


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
    """The list of disagreements with the names of the classes between which each stands."""
    return [Line(row.item.uuid, row.item.text, " / ".join(pair_names(row.pair, names)), row.item.uuid == current) for row in found]


def pair_names(pair: str, names: dict[str, str]) -> list[str]:
    """The names of the two classes of a pair."""
    return [names.get(part, "a dropped class") for part in pair.split("|") if part]


@dataclass(frozen=True, slots=True)
class Column:
    """One answer. letter: stands for the annotator, whose name a reviewer does not need. key: the digit that accepts it."""

    letter: str
    key: int
    label: Label
    seconds: float
    answer: Annotation
    remark: str
    same: bool
    picked: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One item to be settled. own: the reviewer labelled it themself and cannot settle it. likely: what is prefilled; reason: with it."""

    item: Item
    columns: list[Column]
    suggestion: Suggestion | None
    more: list[Suggestion]
    suggestion_same: bool
    likely: Label | None
    likely_letter: str
    reason: str
    own: bool
    seen: str
    current: Decision | None
    comments: list[Comment]


def case(queue: Queue, item: Item, reviewer: User) -> Case:
    """Everything about one item that its reviewer needs."""
    slots = list(Slot.objects.filter(queue=queue, item=item).select_related("annotation__label", "annotation__suggestion").order_by("id"))
    answers = sorted(answers_in(slots), key=lambda answer: answer.pk)
    comments = list(Comment.objects.filter(item=item).select_related("user").order_by("id"))
    ranked = list(item.suggestions.select_related("label").order_by("-id")[:20])
    newest = [row for row in ranked if ranked and row.source_digest == ranked[0].source_digest]
    newest.sort(key=lambda row: -(row.score or 0))
    first = newest[0] if newest else None
    labels = [label_of(answer).stable_id for answer in answers]
    likely = rules.likely_answer(labels, first.label.stable_id if first else None)
    known = {label_of(answer).stable_id: label_of(answer) for answer in answers}
    said = {comment.user_id: comment.text for comment in comments if not comment.is_flag and not comment.is_return}
    counts = Counter(labels)
    columns = [
        Column(
            letter=chr(ord("A") + at), key=at + 1, label=label_of(answer), seconds=answer.seconds, answer=answer,
            remark=said.get(answer.user_id, ""), same=counts[label_of(answer).stable_id] > 1, picked=label_of(answer).stable_id == likely,
        )
        for at, answer in enumerate(answers)
    ]  # fmt: skip
    current = newest_decision(item.pk)
    own = any(answer.user_id == reviewer.pk for answer in answers)
    return Case(
        item=item, columns=columns, suggestion=first, more=newest[1:3], suggestion_same=bool(first and first.label.stable_id in counts),
        likely=known[likely] if likely else None, likely_letter=next((column.letter for column in columns if column.picked), ""),
        reason=reason_for(labels, likely, first), own=own, seen=seen_digest(slots, current),
        current=current if current and current.how != Decision.How.WITHDRAWN else None, comments=comments,
    )  # fmt: skip


def reason_for(labels: Sequence[UUID], likely: UUID | None, suggestion: Suggestion | None) -> str:
    """Why the prefilled answer is likely, as a sentence that the reviewer can change; empty without one."""
    if likely is None:
        return ""
    votes = labels.count(likely)
    if votes * 2 > len(labels):
        return f"{votes} of {len(labels)} annotators agree."
    return f"{suggestion.source_name or 'The suggestion'} agrees with this answer." if suggestion else ""


@dataclass(frozen=True, slots=True)
class PairHistory:
    """How disagreements about the same two classes ended. total: at most the newest 200. leading: settled most often as this."""

    names: list[str]
    total: int
    settled: int
    leading: str
    leading_count: int
    latest: list[Dispute]


def pair_history(queue: Queue, pair: str, names: dict[str, str]) -> PairHistory:
    """The history of one pair of classes in a queue."""
    rows = list(
        Dispute.objects.filter(queue=queue, pair=pair)
        .exclude(state=Dispute.State.VANISHED)
        .select_related("decision__label", "item")
        .order_by("-id")[:PAIR_HISTORY]
    )
    settled = [row for row in rows if row.state == Dispute.State.SETTLED and row.decision]
    counts = Counter(row.decision.label.name for row in settled if row.decision)
    leading, count = counts.most_common(1)[0] if counts else ("", 0)
    return PairHistory(pair_names(pair, names), len(rows), len(settled), leading, count, settled[:3])


def names_of(queue: Queue) -> dict[str, str]:
    """The names of the queue's classes by stable id."""
    return {str(label.stable_id): label.name for label in queue.schema.labels.all()}
