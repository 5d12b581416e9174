"""Gold: items whose answer is known. What may be drawn for a person, and what their answers to it say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.labeling.models import Annotation, Gold, Label, Queue, Seat, Slot
from datasets_app.labeling.queries.changes import classes_now, with_merged
from datasets_app.labeling.queries.decisions import chunks, labels_by_id, names_in, value_of
from datasets_app.labeling.rules import queues as rules
from datasets_app.labeling.rules.schemas import ClassesNow, through
from lifecycle.task_types.answers import Value, canonical
from lifecycle.task_types.values import labels_of, words
from registry.access.models import User

WINDOW = 200  # gold that is looked at from where it is drawn, forwards and from the start: a claim costs the same however much there is
LOOK = 5_000  # newest answers in which the commonest wrong one is looked for
GOLD_PAGE = 30
Action = Annotation.Action
SUSPECT = {"asked__gte": rules.SUSPECT_FROM, "right__lt": F("asked") - F("right")}  # more of its answers are wrong than right


def live_gold() -> QuerySet[Gold]:
    """Gold that is mixed in."""
    return Gold.objects.filter(retired_at=None)


def gold_of(item_ids: Iterable[int]) -> dict[int, Gold]:
    """The gold of those of these items that are."""
    return {gold.item_id: gold for ids in chunks(item_ids) for gold in live_gold().filter(item__in=ids).select_related("label")}


# ── What is drawn ───────────────────────────────────────────────────────────
def draw_gold(queue: Queue, user: User, wanted: int, start: int) -> list[Gold]:
    """Up to `wanted` gold items for somebody, from a place on: none that they set or ever answered or skipped in any queue, none that they
    hold or have filled here, none with a class that the queue does not offer. At most four statements."""
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
    """Without gold that names a class which nobody can choose in this queue."""
    if not any(labels_of(value_of(gold)) for gold in found):
        return found
    offered = with_merged(queue, {key: key for key in labels_by_id(queue.schema)})
    now = classes_now(queue.dataset_id)
    reached = {now.merged.get(key, key) for key in offered} | set(offered)
    return [gold for gold in found if reached.issuperset(labels_of(through(value_of(gold), now)))]


def set_aside(queue: Queue, user: User, item_ids: Sequence[int]) -> list[Slot]:
    """This person's slots of these gold items that they gave back or let lapse unanswered, locked where nobody else has them."""
    closed = Slot.objects.select_for_update(skip_locked=True).filter(queue=queue, user=user, item__in=item_ids, is_gold=True)
    return list(closed.filter(state=Slot.State.CLOSED).order_by("id"))


def skipped_gold(queue: Queue, user: User, wanted: int) -> list[Slot]:
    """Gold that this person skipped in the queue, locked where nobody else has it."""
    skips = queue.skips.filter(user=user).values("item")
    return list(set_aside_rows(queue, user).select_for_update(skip_locked=True).filter(item__in=skips).order_by("id")[:wanted])


def set_aside_rows(queue: Queue, user: User) -> QuerySet[Slot]:
    """This person's closed slots of gold in the queue."""
    return Slot.objects.filter(queue=queue, user=user, is_gold=True, state=Slot.State.CLOSED)


# ── What answers to it say ──────────────────────────────────────────────────
@dataclass(slots=True)
class GoldCount:
    """How one person answered gold. classes: of the known answers, by stable id: [answers, right]; items: by stable id, item → right."""

    done: int = 0
    right: int = 0
    classes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    items: dict[str, dict[int, bool]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, item: int, known: Value, *, right: bool) -> None:
        """One answer that counts."""
        self.done += 1
        self.right += right
        for key in set(labels_of(known)):
            self.classes[key][0] += 1
            self.classes[key][1] += right
            self.items[key][item] = right


def count_gold(queue: Queue, user_id: int) -> GoldCount:
    """Somebody's answers to gold in a queue, compared with what is known now; what is gold no longer does not count.

    Of several answers to one item the one that stands counts, or the first where people are told at once how they did.
    """
    rows = Annotation.objects.filter(queue=queue, user=user_id, right__isnull=False, action=Action.LABEL).order_by("id")
    told: dict[int, Value] = {}
    for row in rows.select_related("label", "replaced_by").iterator(chunk_size=1_000):
        if queue.gold_feedback:
            told.setdefault(row.item_id, value_of(row))
        elif not hasattr(row, "replaced_by"):
            told[row.item_id] = value_of(row)
    found, now, golds = GoldCount(), classes_now(queue.dataset_id), gold_of(told)
    for item, said in told.items():
        if item in golds:
            known = through(value_of(golds[item]), now)
            found.add(item, known, right=rules.is_right(said, known, now))
    return found


def answers_to(item: Item) -> list[Annotation]:
    """The answers to an item that stand and were given to it as gold."""
    rows = Annotation.objects.filter(item=item, right__isnull=False, action=Action.LABEL, replaced_by__isnull=True)
    return list(rows.select_related("label"))


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told after an answer to gold. right: whether it was. said, known: the two answers in words."""

    right: bool
    said: str
    known: str
    value: Value
    explanation: str
    text: str


def told_of(queue: Queue, annotation: Annotation) -> Told | None:
    """What the queue tells of this answer; None where it tells nothing."""
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


# ── The list of a dataset's gold ────────────────────────────────────────────
STATES = {"live": "mixed in", "suspect": "suspicious", "new": "not asked yet", "retired": "taken back"}


def gold_rows(dataset: Dataset, *, state: str = "live", label: str = "") -> QuerySet[Gold]:
    """The gold of a dataset, newest first: page it with `.filter(pk__lt=last)[:n]`. label: a stable id, where answers are one class."""
    rows = Gold.objects.filter(dataset=dataset).select_related("item", "label", "set_by", "retired_by").order_by("-id")
    rows = rows.filter(retired_at__isnull=state != "retired")
    if state == "suspect":
        rows = rows.filter(**SUSPECT)
    if state == "new":
        rows = rows.filter(asked=0)
    return rows.filter(label__in=Label.objects.filter(schema__dataset=dataset, stable_id=label)) if label else rows


@dataclass(frozen=True, slots=True)
class GoldLine:
    """One gold item of the list. wrong: the commonest wrong answer in words, and how many gave it; None where nobody did."""

    gold: Gold
    wrong: tuple[str, int] | None

    @property
    def suspect(self) -> bool:
        """Whether most people get it wrong: then perhaps it is."""
        return self.gold.asked >= rules.SUSPECT_FROM and 2 * self.gold.right < self.gold.asked


def gold_lines(golds: Sequence[Gold], names: dict[str, str], *, reads: bool) -> list[GoldLine]:
    """These rows with the commonest wrong answers, out of the newest 5,000 answers to them. reads: whether the viewer reads texts."""
    items = [gold.item_id for gold in golds]
    rows = Annotation.objects.filter(item__in=items, right=False, action=Action.LABEL, replaced_by__isnull=True)
    wrong: dict[int, Counter[str]] = defaultdict(Counter)
    spoken: dict[str, Any] = {}
    for row in rows.select_related("label").order_by("-id")[:LOOK] if items else []:
        said = value_of(row)
        wrong[row.item_id][canonical(said)] += 1
        spoken[canonical(said)] = said
    found = []
    now = classes_now(golds[0].dataset_id) if golds else None
    for gold in golds:
        text = gold.item.text if reads else ""
        gold.words = words(known_now(gold, now), names | known_names(gold), text)
        top = wrong[gold.item_id].most_common(1)
        found.append(GoldLine(gold, (words(spoken[top[0][0]], names, text), top[0][1]) if top else None))
    return found


# ── Who is below ────────────────────────────────────────────────────────────
def below_minimum(queue: Queue) -> list[Seat]:
    """The people of a queue who are surely below its minimum, or held for that; those first who have been for longest."""
    rows = queue.seats.select_related("user")
    return list((rows.filter(below_at__isnull=False) | rows.filter(held_at__isnull=False)).order_by("below_at", "id"))
