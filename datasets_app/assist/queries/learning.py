"""The built-in model of a dataset: its training rows, the queues that use it, and its progress."""

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
ROWS_LIMIT = 10_000  # training rows of one fit, sampled evenly from more
# open slots of a queue that one fit scores; in a larger queue the next fit scores the next ones
POOL_LIMIT = 20_000
TEXT_READ = 2_000  # characters of a text that are read
PAGE = 2_000
NEWEST = 50  # uploads checked for imported labels


# ── Training rows ───────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class LabeledText:
    """One text with its resolved or unanimous labels. classes: stable ids in the newest version, sorted."""

    item: int
    digest: str
    form: str
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The training rows of a fit. total: labeled texts in all. rows: at most 10,000 of them, by item, without
    duplicate texts.
    """

    total: int
    rows: list[LabeledText]

    @property
    def counts(self) -> Counter[str]:
        """The number of rows of each label, by stable id."""
        return Counter(each for row in self.rows for each in row.classes)

    @property
    def digest(self) -> str:
        """sha256, in hex, over the digests of the items and their labels."""
        lines = (f"{row.digest} {' '.join(row.classes)}" for row in self.rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def training_set(dataset: Dataset) -> TrainingSet:
    """Read all resolved labels, or unanimous annotations if there is none; in constant memory.

    More than 10,000 are sampled evenly, by their digests. Merged labels become their targets; texts with
    removed labels are left out.
    """
    total, drawn = 0, list[tuple[int, int, LabeledText]]()
    for row in labeled_texts(dataset):
        total += 1
        place = (-int(row.digest[:12], 16), -row.item, row)
        if len(drawn) < ROWS_LIMIT:
            heappush(drawn, place)
        else:
            heappushpop(drawn, place)
    rows = sorted((row for *_, row in drawn), key=lambda row: -row.item)
    different = {row.form: row for row in rows}  # the first of equal texts stays
    return TrainingSet(total, sorted(different.values(), key=lambda row: row.item))


def labeled_texts(dataset: Dataset) -> Iterator[LabeledText]:
    """The labeled texts of a dataset: with a resolved label by item, then with unanimous annotations by
    item.
    """
    schema = latest_schema(dataset)
    known = {str(label.stable_id) for label in schema.labels.all()} if schema else set[str]()
    merged = {str(old): str(new) for old, new in present_ids(dataset.pk).items()}
    decided = (
        standing().filter(item__dataset=dataset, item__upload__state=UploadState.IMPORTED).order_by("item_id")
    )
    fields = ("item_id", "item__digest", "item__normal_digest", "label__stable_id", "value")
    for item, digest, form, label, value in decided.values_list(*fields).iterator(chunk_size=PAGE):
        if (classes := classes_in(label, value, known, merged)) is not None:
            yield LabeledText(item, digest, form, classes)
    open_ = ~Exists(standing().filter(item=OuterRef("item")))
    given = Slot.objects.filter(
        open_, queue__dataset=dataset, state=Slot.State.DONE, annotation__isnull=False, is_gold=False
    )
    answered = given.order_by("item_id", "id")
    for rows in by_item(
        answered.values_list(*fields[:3], "annotation__label__stable_id", "annotation__value").iterator(
            chunk_size=PAGE
        )
    ):
        values = {classes_in(label, value, known, merged) for *_, label, value in rows}
        if len(values) == 1 and (classes := values.pop()) is not None:
            item, digest, form, *_ = rows[0]
            yield LabeledText(item, digest, form, classes)


def by_item(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Group rows sorted by item into one list per item."""
    held: list[tuple[Any, ...]] = []
    for row in rows:
        if held and held[0][0] != row[0]:
            yield held
            held = []
        held.append(row)
    if held:
        yield held


def classes_in(
    label: UUID | None, value: Any, known: set[str], merged: dict[str, str]
) -> tuple[str, ...] | None:
    """The current labels of an annotation or decision, sorted; None for a removed label."""
    named = (
        [str(label)]
        if label
        else list((value or {}).get("labels", ()))
        if "labels" in (value or {})
        else None
    )
    if named is None:
        return None
    now = sorted({merged.get(each, each) for each in named})
    return tuple(now) if all(each in known for each in now) else None


def texts_of(item_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(digest, beginning of the text) of these items, by key."""
    found: dict[int, tuple[str, str]] = {}
    for ids in chunks(item_ids):
        rows = (
            Item.objects.filter(pk__in=ids)
            .annotate(head=Substr("text", 1, TEXT_READ))
            .values_list("pk", "digest", "head")
        )
        found |= {pk: (digest, head) for pk, digest, head in rows}
    return found


# ── Queues ──────────────────────────────────────────────────────────────────
def model_queues(dataset: Dataset) -> QuerySet[Queue]:
    """The filled queues ordered by the built-in model that aren't closed."""
    return Queue.objects.filter(dataset=dataset, order=Queue.Order.MODEL, filled_at__isnull=False).exclude(
        state=Queue.State.CLOSED
    )


def pool(queue: Queue, after: int) -> list[tuple[int, int]]:
    """(slot, item) of open slots after this one, at most 20,000, by slot; returned items keep their place and
    are left out.
    """
    slots = Slot.objects.filter(queue=queue, state=Slot.State.OPEN, priority__gte=0, pk__gt=after).order_by(
        "id"
    )
    return list(slots.values_list("pk", "item_id")[:POOL_LIMIT])


def learners() -> QuerySet[Dataset]:
    """The datasets with an open queue ordered by the built-in model."""
    serving = Queue.objects.filter(
        dataset=OuterRef("pk"), order=Queue.Order.MODEL, state=Queue.State.OPEN, filled_at__isnull=False
    )
    return Dataset.objects.filter(Exists(serving)).select_related("project")


def is_due(dataset: Dataset, now: datetime) -> bool:
    """Whether to train the dataset's built-in model now."""
    fit = last_fit(dataset)
    return uncertainty.fit_is_due(
        before_of(fit),
        annotations=annotations_in(dataset),
        imported=fit is None and has_imported_labels(dataset),
        waiting=model_queues(dataset).exclude(pk__in=QueueOrder.objects.values("queue")).exists(),
        now=now,
    )


def has_imported_labels(dataset: Dataset) -> bool:
    """Whether one of the newest uploads has a label column that was imported as resolved labels."""
    uploads = dataset.uploads.filter(labels_as=Upload.Labels.DECISIONS, state=UploadState.IMPORTED).order_by(
        "-id"
    )
    return any("label" in mapping.values() for mapping in uploads.values_list("mapping", flat=True)[:NEWEST])


def annotations_in(dataset: Dataset) -> int:
    """Current annotations in all queues of the dataset, by their counters."""
    return int(dataset.queues.aggregate(done=Sum("slots_done"))["done"] or 0)


def visible_annotations(dataset: Dataset, viewer: User) -> int:
    """The same, as shown to this person: rounded down to tens if gold is mixed in, unless they manage labels.
    Gold annotations aren't counted, so an exact count would reveal them.
    """
    mixing = Q(gold_rate__gt=0) | Q(gold_done__gt=0)
    exact = not dataset.queues.filter(mixing).exists() or policy.can(viewer, "labeling.manage", dataset)
    return annotations_in(dataset) if exact else rules.coarse(annotations_in(dataset))


def last_fit(dataset: Dataset) -> Fit | None:
    """The newest fit, trained or not."""
    return Fit.objects.filter(dataset=dataset).order_by("-edition").first()


def before_of(fit: Fit | None) -> uncertainty.LastFit | None:
    """The values of a fit that the next one depends on."""
    return uncertainty.LastFit(fit.annotations, bool(fit.digest), fit.created_at) if fit else None


def learn_job(dataset: Dataset) -> Job | None:
    """The newest job of the dataset's built-in model."""
    return jobs.of_subject(dataset).filter(kind=LEARN).first()


# ── Page ────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Learning:
    """The state of a queue's built-in model. fit: the newest trained one. look: the newest, trained or not.

    base: name of the base model for embeddings; empty for TF-IDF. ready: labels with enough annotations.
    counts: (label, texts), rarest first. pairs: (label, other label, open texts between them), where it's
    least confident.
    """

    fit: Fit | None
    look: Fit | None
    annotations: int
    next_at: int
    base: str
    job: Job | None
    ready: int
    counts: list[tuple[str, int]]
    pairs: list[tuple[str, str, int]]

    @property
    def working(self) -> bool:
        """Whether it's queued or being trained."""
        return self.job is not None and not self.job.is_finished

    @property
    def few(self) -> bool:
        """Whether there were too few rows for an accuracy."""
        return self.fit is None or self.fit.rows < uncertainty.FEW

    @property
    def accuracy(self) -> float | None:
        """Cross-validated accuracy, 0 to 1; None with too few rows."""
        return None if self.few or self.fit is None else self.fit.figures["right"] / self.fit.rows

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % Wilson interval."""
        return wilson(self.fit.figures["right"], self.fit.rows) if self.fit else (0.0, 1.0)


def learning(queue: Queue, viewer: User) -> Learning:
    """The state of the built-in model of a queue's dataset, as shown to this person; a constant number of
    queries.
    """
    dataset = queue.dataset
    job = learn_job(dataset)
    look = last_fit(dataset)
    fit = (
        look
        if look is None or look.digest
        else Fit.objects.filter(dataset=dataset).exclude(digest="").order_by("-edition").first()
    )
    schema = latest_schema(dataset)
    names = {str(label.stable_id): label.name for label in schema.labels.all()} if schema else {}
    counts: dict[str, int] = defaultdict(int, look.figures["counts"] if look else {})
    ordered = sorted(((name, counts[key]) for key, name in names.items()), key=lambda pair: pair[1])
    ready = sum(count >= uncertainty.ANSWERS for _, count in ordered)
    named = fit.figures["pairs"] if fit else []
    pairs = [
        (names[one], names[other], rows) for one, other, rows in named if one in names and other in names
    ]
    next_at = uncertainty.next_fit_at(before_of(look))
    return Learning(
        fit, look, visible_annotations(dataset, viewer), next_at, base_name(), job, ready, ordered, pairs
    )
