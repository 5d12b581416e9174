"""What the labeling page shows of a person's items. Blind: never reads other annotators' annotations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db.models import Count, Q

from datasets_app.datasets.models import Item
from datasets_app.prelabels.models import Suggestion
from datasets_app.prelabels.queries import first_source, live, named_together
from datasets_app.queues import rules
from datasets_app.queues.masks import mask
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Comment, Decision
from datasets_app.queues.models.queues import Queue, Seat, Slot, SlotSkip
from datasets_app.queues.queries.comments import bench_comments
from datasets_app.queues.task_types.by_key import widget_of
from datasets_app.schemas.queries.changes import classes_now, with_merged
from datasets_app.schemas.queries.labels import labels_by_id, value_of
from datasets_app.schemas.rules import ClassesNow, through
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.suggestions import Scored
from lifecycle.runtime.task_types.values import rename
from lifecycle.ui import numbers
from registry.ground.access.models import User

ORDINALS = ("first", "second", "third", "fourth", "fifth")
FEW = 9  # labels that are all shown at once
HITS_FROM = 200  # newest labeled items from which a source's hit rate is computed


@dataclass(frozen=True, slots=True)
class BenchItem:
    """One item for the page and its script. ranks: (label, score) of pre-labels; empty if there are none or
    they are hidden.

    slot, prelabel: masked keys. content: the chat, or the responses in the order shown to this person.
    prelabeled: a pre-labeled value. note: the adjudicator's comment if the item was returned. previous: this
    person's previous annotation if undone or returned. talk: open comments to this person, and their own.
    Labels are given by their uuid in the queue's schema.
    """

    slot: int
    token: str
    item: str
    text: str
    meta: list[str]
    name: str
    ranks: list[tuple[str, float | None]]
    source: str
    prelabel: int | None
    content: dict[str, Any]
    prelabeled: Value | None
    note: str
    previous: Value | None
    flagged: bool
    talk: list[dict[str, Any]]


def bench_items(queue: Queue, slots: Sequence[Slot], user: User) -> list[dict[str, Any]]:
    """The items of these slots, in their order, as JSON; at most six queries for any number of slots, none
    for no slots.
    """
    if not slots:
        return []
    ids = [slot.item_id for slot in slots]
    shown = suggested(queue, slots)
    earlier, remarks = earlier_values(queue, ids, user), bench_remarks(queue, ids, user)
    for slot in slots:
        if slot.is_gold:
            remarks.notes.pop(slot.item_id, None)  # from when it was an ordinary item here
    counts = annotation_counts(queue, ids) if shows_position(queue) else {}
    rows = (
        bench_item(queue, slot, shown[slot.item_id], earlier, remarks, counts.get(slot.item_id, 0))
        for slot in slots
    )
    return [
        asdict(row) | {"content": shown_content(queue, slot.item, user)}
        for row, slot in zip(rows, slots, strict=True)
    ]


def shown_content(queue: Queue, item: Item, user: User) -> dict[str, Any]:
    """The item's content besides its text, as shown to this person."""
    return widget_of(queue.dataset.task).content(item, queue, user) if item.content else {}


def shows_position(queue: Queue) -> bool:
    """Whether the number of earlier annotations of an item is shown: only if it can't reveal gold items."""
    return queue.overlap > 1 and not queue.mixes_gold


def annotation_counts(queue: Queue, item_ids: list[int]) -> dict[int, int]:
    """The number of annotations of each of these items in the queue."""
    filled = Slot.objects.filter(queue=queue, item_id__in=item_ids, state=Slot.State.DONE).order_by()
    return dict(filled.values_list("item_id").annotate(count=Count("pk")))


def bench_item(
    queue: Queue, slot: Slot, shown: Shown, earlier: dict[int, Value], remarks: Remarks, done: int
) -> BenchItem:
    """One item of the labeling page. In queues with gold, its name, time, and number of annotations are
    hidden for all items, since they would reveal gold.
    """
    item = slot.item
    meta = [numbers.full_moment(item.event_time)] if item.event_time and not queue.mixes_gold else []
    if queue.overlap > 1:
        meta.append(
            f"{queue.overlap} annotations needed"
            + (f", yours is the {ORDINALS[min(done, 4)]}" if shows_position(queue) else "")
        )
    return BenchItem(
        slot=mask(slot.pk, "slot"),
        token=str(slot.lease_token or ""),
        item=str(item.uuid),
        text=item.text,
        meta=meta,
        name=item.digest[:8] if queue.mixes_gold else item.external_id or item.digest[:8],
        ranks=shown.labels,
        source=shown.source,
        prelabel=mask(shown.prelabel, "prelabel") if shown.prelabel else None,
        content={},
        prelabeled=shown.prelabeled,
        note=remarks.notes.get(item.pk, ""),
        previous=earlier.get(item.pk),
        flagged=item.pk in remarks.flags,
        talk=remarks.talk.get(item.pk, []),
    )


@dataclass(slots=True)
class Shown:
    """The pre-label of one item. labels: (label uuid, score), best first. prelabeled: a whole value; spans
    have their scores.
    """

    labels: list[tuple[str, float | None]] = field(default_factory=list)
    source: str = ""
    prelabel: int | None = None
    prelabeled: Value | None = None


def suggested(queue: Queue, slots: Sequence[Slot]) -> dict[int, Shown]:
    """Pre-labels of each item from one source, the newest or the type that the queue prefers, unless hidden.

    Labels that the schema lacks are left out.
    """
    visible = [
        slot.item_id
        for slot in slots
        if not rules.is_hidden(queue.uuid, slot.item.digest, queue.hidden_share)
    ]
    by_item: dict[int, list[Suggestion]] = defaultdict(list)
    for suggestion in (
        live(Suggestion.objects.filter(item_id__in=visible)).select_related("label").order_by("id")
    ):
        by_item[suggestion.item_id].append(suggestion)
    now = with_merged(queue.dataset_id, label_uuids(queue) if by_item else {})
    found: dict[int, Shown] = defaultdict(Shown)
    for item, suggestions in by_item.items():
        rows = first_source(suggestions, queue.suggests_from, queue.dataset.task)
        found[item] = (
            ranked_labels(rows, now)
            if queue.dataset.task_type.labels_texts
            else whole_value(queue.dataset.task, rows, now)
        )
    return found


def ranked_labels(rows: Sequence[Suggestion], now: Mapping[str, str]) -> Shown:
    """Suggested labels, best first. rows: of one source, oldest first. now: uuids of labels in the schema by
    stable id.
    """
    current = [row for row in rows if row.label and str(row.label.stable_id) in now]
    labels = {row.pk: now[str(row.label.stable_id)] for row in current if row.label}
    ranked = rules.rank([(row.pk, row.pk, row.score) for row in current], named_together(rows))
    best: dict[str, float | None] = {}
    for key, score in ranked.labels:
        best.setdefault(labels[key], score)  # a label suggested twice, or merged from two, is listed once
    return Shown(list(best.items()), ranked.source, ranked.suggestion)


def whole_value(task: str, rows: Sequence[Suggestion], now: Mapping[str, str]) -> Shown:
    """A suggested value, its parts with their scores. rows, now: as in `ranked_labels`."""
    suggestions = suggestions_of(task)
    values = [Scored(suggestions.rename(row.value or {}, now), row.score) for row in rows]
    return Shown(source=named_together(rows), prelabel=rows[-1].pk, prelabeled=suggestions.combine(values))


def label_uuids(queue: Queue) -> dict[str, str]:
    """The uuids of the labels in the queue's schema, by stable id."""
    return {key: str(label.uuid) for key, label in labels_by_id(queue.schema).items()}


def earlier_values(queue: Queue, item_ids: list[int], user: User) -> dict[int, Value]:
    """This person's newest annotation of each item in the queue, undone or not, with current labels."""
    rows = Annotation.objects.filter(
        queue=queue, user=user, item_id__in=item_ids, action=Annotation.Action.LABEL
    )
    found = {
        row.item_id: value_of(row) for row in sorted(rows.select_related("label"), key=lambda row: row.pk)
    }
    names, now = (label_uuids(queue), classes_now(queue.dataset_id)) if found else ({}, ClassesNow())
    return {
        item: current
        for item, value in found.items()
        if (current := rename(through(value, now), names)) is not None
    }


@dataclass(slots=True)
class Remarks:
    """notes: adjudicators' comments on returned items, by item. flags: items that this person flagged. talk:
    comments to this person.
    """

    notes: dict[int, str] = field(default_factory=dict)
    flags: set[int] = field(default_factory=set)
    talk: dict[int, list[dict[str, Any]]] = field(default_factory=dict)


def bench_remarks(queue: Queue, item_ids: list[int], user: User) -> Remarks:
    """The comments with which items were returned, this person's flags, and comments to them."""
    item_ids = list(
        Comment.objects.filter(queue=queue, item_id__in=item_ids)
        .order_by()
        .values_list("item_id", flat=True)
        .distinct()
    )
    if not item_ids:
        return Remarks()
    found = Remarks(talk=bench_comments(queue, item_ids, user))
    mine = Q(user=user, is_flag=True, resolved_at__isnull=True) | Q(is_return=True)
    for comment in Comment.objects.filter(mine, queue=queue, item_id__in=item_ids).order_by("id"):
        if comment.is_return:
            found.notes[comment.item_id] = comment.text
        else:
            found.flags.add(comment.item_id)
    return found


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a queue, and of this person in it. seconds_left: at their own pace; None without timing
    data.

    done, total: including gold annotations, so that every annotation of the person counts the same. needed:
    annotations that the queue needs, without gold; complete: whether it has all of them.
    """

    done: int
    total: int
    mine: int
    skipped: int
    seconds_left: float | None
    needed: int
    complete: bool


def progress(queue: Queue, user: User) -> Progress:
    """The progress figures at the top of the labeling page."""
    columns = ("queue__slots_total", "queue__slots_done", "queue__gold_done", "labeled", "skipped", "seconds")
    counted = Seat.objects.filter(queue=queue, user=user).values_list(*columns).first()
    if counted is None:
        counted = (
            *Queue.objects.values_list("slots_total", "slots_done", "gold_done").get(pk=queue.pk),
            0,
            0,
            0.0,
        )
    needed, done, gold, labeled, skipped, seconds = counted
    total = rules.shown_total(needed, done, gold, queue.gold_rate)
    pace = seconds / labeled if labeled and seconds else None
    return Progress(
        done=done + gold,
        total=total,
        mine=labeled,
        skipped=skipped,
        seconds_left=pace * max(0, total - done - gold) if pace else None,
        needed=needed,
        complete=done >= needed,
    )


def last_answer(queue: Queue, user: User) -> Annotation | None:
    """This person's newest current annotation in the queue."""
    mine = Annotation.objects.filter(queue=queue, user=user, action=Annotation.Action.LABEL)
    # one of these is current
    newest = mine.select_related("item", "label", "replaced_by").order_by("-id")[: rules.UNDO_DEPTH + 1]
    return next((answer for answer in newest if not hasattr(answer, "replaced_by")), None)


def skipped_open(queue: Queue, user: User) -> bool:
    """Whether an item that this person skipped is still open, or is gold reserved for them."""
    skipped = SlotSkip.objects.filter(queue=queue, user=user).values("item")
    waits = Q(state=Slot.State.OPEN) | Q(state=Slot.State.CLOSED, is_gold=True, user=user)
    return Slot.objects.filter(waits, queue=queue, item__in=skipped).exists()


def hit_rate(queue: Queue) -> tuple[int, int] | None:
    """(hits, items): how often the first pre-label equals the resolved label, over the newest 200 labeled
    items that had one.

    None below 20 items, and for tasks with more than one label per text.
    """
    if not queue.dataset.task_type.one_label:
        return None
    # along the index, filtered later
    newest = Decision.objects.filter(queue=queue).exclude(how=Decision.How.WITHDRAWN).order_by("-id")
    rows = newest.values_list("item_id", "label__stable_id", "superseded_by")[:HITS_FROM]
    labels = {item: label for item, label, superseded in rows if superseded is None}
    best: dict[int, Any] = {}
    wanted = {"source": queue.suggests_from} if queue.suggests_from else {}
    ranked = live(Suggestion.objects.filter(item_id__in=labels, **wanted)).order_by("item_id", "score", "-id")
    best.update(ranked.values_list("item_id", "label__stable_id"))
    right = sum(labels[item] == label for item, label in best.items())
    return (right, len(best)) if len(best) >= 20 else None
