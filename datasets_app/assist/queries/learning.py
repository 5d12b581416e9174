"""What the built-in model of a dataset learns from, whom it serves, and how far it is."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappush, heappushpop
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Substr

from datasets_app.assist import uncertainty
from datasets_app.assist.embeddings import base_name
from datasets_app.assist.models.learning import Fit, QueueOrder
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.queues import rules
from datasets_app.queues.models.queues import Queue, Slot
from datasets_app.queues.queries.decisions import standing
from datasets_app.schemas.queries.changes import present_ids
from datasets_app.schemas.queries.labels import chunks, latest_schema
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.statistics.intervals import wilson
from registry.ground.access import policy
from registry.ground.access.models import User

LEARN = "assist.learn"
ROWS_LIMIT = 10_000  # labeled texts that one fit learns from, drawn evenly from more
POOL_LIMIT = 20_000  # open slots of a queue that one fit scores; of a larger queue the next ones the next time
TEXT_READ = 2_000  # characters of a text that are read
PAGE = 2_000
NEWEST = 50  # uploads checked for imported labels


# ── What it learns from ─────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Taught:
    """One text with the resolved label, or said by all who answered so far. classes: stable ids of the newest version, sorted."""

    item: int
    digest: str
    form: str
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a fit learns from. total: labeled texts there are. rows: at most 10,000 of them, by item, no two with an equal text."""

    total: int
    rows: list[Taught]

    @property
    def counts(self) -> Counter[str]:
        """The rows of each class, by its stable id."""
        return Counter(each for row in self.rows for each in row.classes)

    @property
    def digest(self) -> str:
        """sha256 over the digests of the items and their classes, in hex."""
        lines = (f"{row.digest} {' '.join(row.classes)}" for row in self.rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def lesson(dataset: Dataset) -> Lesson:
    """Read all current labels, and what people agree on if there's no label yet; in flat memory.

    More than 10,000 are drawn from evenly, by their digests. Classes that were merged are read as what they became; texts with removed
    labels are left out.
    """
    total, drawn = 0, list[tuple[int, int, Taught]]()
    for row in taught(dataset):
        total += 1
        place = (-int(row.digest[:12], 16), -row.item, row)
        if len(drawn) < ROWS_LIMIT:
            heappush(drawn, place)
        else:
            heappushpop(drawn, place)
    rows = sorted((row for *_, row in drawn), key=lambda row: -row.item)
    different = {row.form: row for row in rows}  # the first of equal texts stays
    return Lesson(total, sorted(different.values(), key=lambda row: row.item))


def taught(dataset: Dataset) -> Iterator[Taught]:
    """The labeled texts of a dataset: decided ones by item, then answered ones by item."""
    schema = latest_schema(dataset)
    known = {str(label.stable_id) for label in schema.labels.all()} if schema else set[str]()
    merged = {str(old): str(new) for old, new in present_ids(dataset.pk).items()}
    decided = standing().filter(item__dataset=dataset, item__upload__state=UploadState.IMPORTED).order_by("item_id")
    fields = ("item_id", "item__digest", "item__normal_digest", "label__stable_id", "value")
    for item, digest, form, label, value in decided.values_list(*fields).iterator(chunk_size=PAGE):
        if (classes := classes_in(label, value, known, merged)) is not None:
            yield Taught(item, digest, form, classes)
    open_ = ~Exists(standing().filter(item=OuterRef("item")))
    given = Slot.objects.filter(open_, queue__dataset=dataset, state=Slot.State.DONE, annotation__isnull=False, is_gold=False)
    answered = given.order_by("item_id", "id")
    for rows in by_item(answered.values_list(*fields[:3], "annotation__label__stable_id", "annotation__value").iterator(chunk_size=PAGE)):
        said = {classes_in(label, value, known, merged) for *_, label, value in rows}
        if len(said) == 1 and (classes := said.pop()) is not None:
            item, digest, form, *_ = rows[0]
            yield Taught(item, digest, form, classes)


def by_item(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows that are sorted by their item, one list for each item."""
    held: list[tuple[Any, ...]] = []
    for row in rows:
        if held and held[0][0] != row[0]:
            yield held
            held = []
        held.append(row)
    if held:
        yield held


def classes_in(label: UUID | None, value: Any, known: set[str], merged: dict[str, str]) -> tuple[str, ...] | None:
    """The classes that an answer names, as they are now; None for a removed label."""
    named = [str(label)] if label else list((value or {}).get("labels", ())) if "labels" in (value or {}) else None
    if named is None:
        return None
    now = sorted({merged.get(each, each) for each in named})
    return tuple(now) if all(each in known for each in now) else None


def texts_of(item_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(digest, beginning of the text) of these items."""
    found: dict[int, tuple[str, str]] = {}
    for ids in chunks(item_ids):
        rows = Item.objects.filter(pk__in=ids).annotate(head=Substr("text", 1, TEXT_READ)).values_list("pk", "digest", "head")
        found |= {pk: (digest, head) for pk, digest, head in rows}
    return found


# ── Whom it serves ──────────────────────────────────────────────────────────
def learnt_queues(dataset: Dataset) -> QuerySet[Queue]:
    """The filled queues that the built-in model orders and that still give out items, or will when they are resumed."""
    return Queue.objects.filter(dataset=dataset, order=Queue.Order.LEARNT, filled_at__isnull=False).exclude(state=Queue.State.CLOSED)


def pool(queue: Queue, after: int) -> list[tuple[int, int]]:
    """(slot, item) of what is open after this slot, at most 20,000, by slot; returned items keep their place and are left out."""
    slots = Slot.objects.filter(queue=queue, state=Slot.State.OPEN, priority__gte=0, pk__gt=after).order_by("id")
    return list(slots.values_list("pk", "item_id")[:POOL_LIMIT])


def learners() -> QuerySet[Dataset]:
    """The datasets of which an open queue is ordered by the built-in model."""
    serving = Queue.objects.filter(dataset=OuterRef("pk"), order=Queue.Order.LEARNT, state=Queue.State.OPEN, filled_at__isnull=False)
    return Dataset.objects.filter(Exists(serving)).select_related("project")


def is_due(dataset: Dataset, now: datetime) -> bool:
    """Whether the dataset's built-in model should learn now."""
    fit = last_fit(dataset)
    return uncertainty.fit_is_due(
        before_of(fit), answers=answers_given(dataset), imported=fit is None and came_decided(dataset),
        waiting=learnt_queues(dataset).exclude(pk__in=QueueOrder.objects.values("queue")).exists(), now=now,
    )  # fmt: skip


def came_decided(dataset: Dataset) -> bool:
    """Whether decisions came with one of the newest files: whether it has a column of labels that became decisions."""
    uploads = dataset.uploads.filter(labels_as=Upload.Labels.DECISIONS, state=UploadState.IMPORTED).order_by("-id")
    return any("label" in mapping.values() for mapping in uploads.values_list("mapping", flat=True)[:NEWEST])


def answers_given(dataset: Dataset) -> int:
    """Current annotations in all queues of the dataset, by their counters."""
    return int(dataset.queues.aggregate(done=Sum("slots_done"))["done"] or 0)


def answers_told(dataset: Dataset, viewer: User) -> int:
    """The same as this person may see it: full tens where gold is mixed in, unless they manage labels. Answers to gold are not among them,
    so the count would reveal them.
    """
    mixing = Q(gold_rate__gt=0) | Q(gold_done__gt=0)
    exact = not dataset.queues.filter(mixing).exists() or policy.can(viewer, "labeling.manage", dataset)
    return answers_given(dataset) if exact else rules.coarse(answers_given(dataset))


def last_fit(dataset: Dataset) -> Fit | None:
    """The newest fit, whether it learnt anything or not."""
    return Fit.objects.filter(dataset=dataset).order_by("-edition").first()


def before_of(fit: Fit | None) -> uncertainty.Before | None:
    """What the next fit depends on."""
    return uncertainty.Before(fit.answers, bool(fit.digest), fit.created_at) if fit else None


def learn_job(dataset: Dataset) -> Job | None:
    """The newest job of the dataset's built-in model."""
    return jobs.of_subject(dataset).filter(kind=LEARN).first()


# ── What its page shows ─────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Learning:
    """How far the built-in model of a queue is. fit: the newest that learnt something. look: the newest, also without.

    base: name of the base model whose vectors it uses; empty: words alone. counts: (class, texts), the rarest first. missing: classes that
    still lack answers before anything is learnt. pairs: (class, other class, open texts between them).
    """

    fit: Fit | None
    look: Fit | None
    answers: int
    next_at: int
    base: str
    job: Job | None
    ready: int
    counts: list[tuple[str, int]]
    pairs: list[tuple[str, str, int]]

    @property
    def working(self) -> bool:
        """Whether it learns now."""
        return self.job is not None and not self.job.is_finished

    @property
    def few(self) -> bool:
        """Whether there were too few rows for an accuracy."""
        return self.fit is None or self.fit.rows < uncertainty.FEW

    @property
    def accuracy(self) -> float | None:
        """Share of rows that models of the other folds answered rightly; None of too few."""
        return None if self.few or self.fit is None else self.fit.figures["right"] / self.fit.rows

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % Wilson interval."""
        return wilson(self.fit.figures["right"], self.fit.rows) if self.fit else (0.0, 1.0)


def learning(queue: Queue, viewer: User) -> Learning:
    """How far the built-in model of a queue's dataset is, as this person may see it; a constant number of statements."""
    dataset = queue.dataset
    job = learn_job(dataset)
    look = last_fit(dataset)
    fit = look if look is None or look.digest else Fit.objects.filter(dataset=dataset).exclude(digest="").order_by("-edition").first()
    schema = latest_schema(dataset)
    names = {str(label.stable_id): label.name for label in schema.labels.all()} if schema else {}
    counts: dict[str, int] = defaultdict(int, look.figures["counts"] if look else {})
    ordered = sorted(((name, counts[key]) for key, name in names.items()), key=lambda pair: pair[1])
    ready = sum(count >= uncertainty.ANSWERS for _, count in ordered)
    named = fit.figures["pairs"] if fit else []
    pairs = [(names[one], names[other], rows) for one, other, rows in named if one in names and other in names]
    next_at = uncertainty.next_fit_at(before_of(look))
    return Learning(fit, look, answers_told(dataset, viewer), next_at, base_name(), job, ready, ordered, pairs)
