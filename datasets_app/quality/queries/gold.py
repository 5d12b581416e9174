"""Results of gold annotations, and the list of a dataset's gold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, QuerySet

from datasets_app.datasets.models import Dataset, Item
from datasets_app.queues import rules
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.gold import Gold
from datasets_app.queues.models.queues import Queue, Seat
from datasets_app.queues.queries.gold import gold_of, known_names, known_now
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.changes import classes_now
from datasets_app.schemas.queries.labels import value_of
from datasets_app.schemas.rules import through
from lifecycle.runtime.task_types.answers import Value, canonical
from lifecycle.runtime.task_types.values import labels_of, words

LOOK = 5_000  # newest annotations among which the most frequent wrong one is found
GOLD_PAGE = 30
Action = Annotation.Action
# more of its annotations are wrong than correct
SUSPECT = {"asked__gte": rules.SUSPECT_FROM, "right__lt": F("asked") - F("right")}


# ── Results ─────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class GoldCount:
    """One person's gold results. classes: by stable id of the gold label, [annotations, correct]; items: by
    stable id, item → correct.
    """

    done: int = 0
    right: int = 0
    classes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    items: dict[str, dict[int, bool]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, item: int, known: Value, *, right: bool) -> None:
        """Count one annotation."""
        self.done += 1
        self.right += right
        for key in set(labels_of(known)):
            self.classes[key][0] += 1
            self.classes[key][1] += right
            self.items[key][item] = right


def count_gold(queue: Queue, user_id: int) -> GoldCount:
    """A person's gold annotations in a queue, compared with the current gold labels; retired gold doesn't
    count.

    Of several annotations of an item the current one counts, or the first if gold results are shown
    immediately.
    """
    rows = Annotation.objects.filter(
        queue=queue, user=user_id, right__isnull=False, action=Action.LABEL
    ).order_by("id")
    counted: dict[int, Value] = {}
    for row in rows.select_related("label", "replaced_by").iterator(chunk_size=1_000):
        if queue.gold_feedback:
            counted.setdefault(row.item_id, value_of(row))
        elif not hasattr(row, "replaced_by"):
            counted[row.item_id] = value_of(row)
    found, now, golds = GoldCount(), classes_now(queue.dataset_id), gold_of(counted)
    for item, value in counted.items():
        if item in golds:
            known = through(value_of(golds[item]), now)
            found.add(item, known, right=rules.is_right(value, known, now))
    return found


def answers_to(item: Item) -> list[Annotation]:
    """The current gold annotations of an item."""
    rows = Annotation.objects.filter(
        item=item, right__isnull=False, action=Action.LABEL, replaced_by__isnull=True
    )
    return list(rows.select_related("label"))


# ── The list of a dataset's gold ────────────────────────────────────────────
STATES = {"live": "mixed in", "suspect": "suspicious", "new": "no annotations", "retired": "retired"}


def gold_rows(dataset: Dataset, *, state: str = "live", label: str = "") -> QuerySet[Gold]:
    """The gold of a dataset, newest first: page it with `.filter(pk__lt=last)[:n]`. label: a stable id, for
    single-label tasks.
    """
    rows = (
        Gold.objects.filter(dataset=dataset)
        .select_related("item", "label", "set_by", "retired_by")
        .order_by("-id")
    )
    rows = rows.filter(retired_at__isnull=state != "retired")
    if state == "suspect":
        rows = rows.filter(**SUSPECT)
    if state == "new":
        rows = rows.filter(asked=0)
    return (
        rows.filter(label__in=Label.objects.filter(schema__dataset=dataset, stable_id=label))
        if label
        else rows
    )


@dataclass(frozen=True, slots=True)
class GoldLine:
    """One gold item of the list. wrong: (most frequent wrong annotation as text, how many gave it); None
    without any.
    """

    gold: Gold
    wrong: tuple[str, int] | None

    @property
    def suspect(self) -> bool:
        """Whether most people get it wrong, so that the gold label may be wrong."""
        return self.gold.asked >= rules.SUSPECT_FROM and 2 * self.gold.right < self.gold.asked


def gold_lines(golds: Sequence[Gold], names: dict[str, str], *, reads: bool) -> list[GoldLine]:
    """These rows with their most frequent wrong annotation among the newest 5,000. reads: whether the viewer
    may read texts.
    """
    items = [gold.item_id for gold in golds]
    rows = Annotation.objects.filter(
        item__in=items, right=False, action=Action.LABEL, replaced_by__isnull=True
    )
    wrong: dict[int, Counter[str]] = defaultdict(Counter)
    by_text: dict[str, Any] = {}
    for row in rows.select_related("label").order_by("-id")[:LOOK] if items else []:
        value = value_of(row)
        wrong[row.item_id][canonical(value)] += 1
        by_text[canonical(value)] = value
    found = []
    now = classes_now(golds[0].dataset_id) if golds else None
    for gold in golds:
        text = gold.item.text if reads else ""
        gold.words = words(known_now(gold, now), names | known_names(gold), text)
        top = wrong[gold.item_id].most_common(1)
        found.append(GoldLine(gold, (words(by_text[top[0][0]], names, text), top[0][1]) if top else None))
    return found


# ── Below the minimum ───────────────────────────────────────────────────────
def below_minimum(queue: Queue) -> list[Seat]:
    """The seats of people who are significantly below the queue's minimum, or on hold; longest first."""
    rows = queue.seats.select_related("user")
    return list(
        (rows.filter(below_at__isnull=False) | rows.filter(held_at__isnull=False)).order_by("below_at", "id")
    )
