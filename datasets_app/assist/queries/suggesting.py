"""Labeling functions: current versions, their matches in a sample, and how far they have read the dataset."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import combinations
from uuid import UUID

from django.db.models import Exists, Max, Min, OuterRef, QuerySet, Sum
from django.db.models.functions import Substr

from datasets_app.assist.matching import SPANS_SHOWN, TEXT_READ, Matcher, Piece, matcher, pieces
from datasets_app.assist.measuring import Measured, claim
from datasets_app.assist.models.functions import FunctionPass, LabelingFunction
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.prelabels.queries import FUNCTIONS_LIMIT
from datasets_app.queues.models.decisions import Decision
from datasets_app.queues.queries.decisions import standing
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.labels import chunks, latest_schema
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.answers import DROPPED, Value
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.values import labels_of, value_of, words
from registry.ground.access import policy
from registry.ground.access.models import User

APPLY = "assist.apply_functions"
SAMPLE = 2_000  # items of a sample
BLOCKS = 20  # blocks of a large dataset that make up a sample
DECIDED = 1_000  # labeled items read in addition to the sample, newest first
QUEUES = 5  # newest queues that they are from
EXAMPLES = 10
SECONDS = 1.5  # reading time per page
PAGE = 30


def functions_of(dataset: Dataset) -> list[LabelingFunction]:
    """The current labeling functions, oldest first."""
    return list(
        in_force().filter(dataset=dataset).select_related("created_by").order_by("id")[:FUNCTIONS_LIMIT]
    )


def retired_functions(dataset: Dataset) -> list[LabelingFunction]:
    """The newest retired labeling functions."""
    rows = LabelingFunction.objects.filter(dataset=dataset, replaced_by__isnull=True, retired=True)
    return list(rows.select_related("created_by").order_by("-id")[:PAGE])


def get_function(user: User, uuid: UUID) -> LabelingFunction:
    """One version of a labeling function that the user may see. Raises Http404."""
    return policy.get_visible(
        user,
        LabelingFunction.objects.select_related("dataset__project", "created_by"),
        "labeling.view",
        uuid=uuid,
    )


def versions_of(function: LabelingFunction) -> list[LabelingFunction]:
    """The versions of a labeling function, newest first; at most PAGE."""
    return list(
        LabelingFunction.objects.filter(stable_id=function.stable_id)
        .select_related("created_by")
        .order_by("-version")[:PAGE]
    )


def open_labels(dataset: Dataset) -> dict[UUID, Label]:
    """The labels of the newest schema by stable id, in their order: those that a labeling function can
    suggest.
    """
    schema = latest_schema(dataset)
    return {label.stable_id: label for label in schema.labels.all()} if schema else {}


def able(functions: Sequence[LabelingFunction], labels: dict[UUID, Label]) -> list[LabelingFunction]:
    """Those of these labeling functions whose label is in the newest schema. labels: as from
    `open_labels`.
    """
    return [function for function in functions if function.label in labels]


# ── A sample ────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class Sampled:
    """One item to try labeling functions on. resolved: its label, if any. drawn: whether it's in the sample
    itself.
    """

    key: int
    uuid: UUID
    digest: str
    text: str
    upload: int
    resolved: Value | None = None
    drawn: bool = True


def sample(dataset: Dataset) -> list[Sampled]:
    """All items of a small dataset, else 2,000 in 20 blocks spread over it; in addition up to 1,000 newly
    labeled ones.

    The same until items or decisions are added. No table is counted; texts are cut at TEXT_READ.
    """
    found = {row.key: row for row in drawn(dataset)}
    for ids in chunks(found):
        for item, value in decided_among(ids):
            found[item].resolved = value
    more = {item: value for item, value in newly_decided(dataset) if item not in found}
    for ids in chunks(more):
        rows = read(Item.objects.filter(dataset=dataset, pk__in=ids))
        found |= {row.key: replace(row, resolved=more[row.key], drawn=False) for row in rows}
    return list(found.values())


def drawn(dataset: Dataset) -> list[Sampled]:
    """The items of the sample itself, read by index; hidden ones are left out afterwards."""
    items = dataset.items.order_by("id")
    hidden = set(dataset.uploads.exclude(state=UploadState.IMPORTED).values_list("pk", flat=True))
    if dataset.items_total <= SAMPLE:
        return read(items.exclude(upload__in=hidden)[:SAMPLE])
    ends = dataset.items.aggregate(low=Min("id"), high=Max("id"))
    low, high = ends["low"] or 0, ends["high"] or 0
    found: list[Sampled] = []
    for block in range(BLOCKS):
        start = max(low + (high - low) * block // BLOCKS, found[-1].key + 1 if found else low)
        found += read(items.filter(pk__gte=start)[: SAMPLE // BLOCKS])
    return [row for row in found if row.upload not in hidden]


def read(items: QuerySet[Item]) -> list[Sampled]:
    """These items, with texts cut at TEXT_READ."""
    rows = items.annotate(head=Substr("text", 1, TEXT_READ)).values_list(
        "pk", "uuid", "digest", "head", "upload"
    )
    return [Sampled(*row) for row in rows]


def decided_among(ids: list[int]) -> list[tuple[int, Value]]:
    """(item, resolved value) of those of these items that are labeled."""
    rows = standing().filter(item_id__in=ids).values_list("item_id", "label__stable_id", "value")
    return [(item, value_of(label, value)) for item, label, value in rows]


def newly_decided(dataset: Dataset) -> list[tuple[int, Value]]:
    """(item, resolved value) of the newest current decisions in each of the newest queues."""
    found: list[tuple[int, Value]] = []
    for queue in dataset.queues.order_by("-id").values_list("pk", flat=True)[:QUEUES]:
        newest = Decision.objects.filter(queue=queue).exclude(how=Decision.How.WITHDRAWN).order_by("-id")
        rows = newest.values_list("item_id", "label__stable_id", "value", "superseded_by")[
            : DECIDED // QUEUES
        ]
        found += [
            (item, value_of(label, value)) for item, label, value, superseded in rows if superseded is None
        ]
    return found


# ── Matches ─────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Example:
    """One match. label: names of the resolved labels, empty without one. claims: number of spans, or 1 for a
    label; right: of these, equal to the resolved label; both 0 without one.
    """

    uuid: UUID
    digest: str
    pieces: list[Piece]
    label: str
    claims: int
    right: int

    @property
    def share(self) -> str:
        """Such as "2 of 3 correct"."""
        return f"{self.right} of {self.claims} correct"


@dataclass(slots=True)
class Preview:
    """The result of trying a pattern. stopped: whether time ran out before the whole sample was read."""

    measured: Measured = field(default_factory=Measured)
    examples: list[Example] = field(default_factory=list)
    stopped: bool = False


def preview(dataset: Dataset, find: Matcher, label: UUID | None, *, seconds: float = SECONDS) -> Preview:
    """Try one pattern on the sample. label: stable id of the label that it would suggest; without one no
    precision is measured.
    """
    found = Preview()
    names = {str(key): each.name for key, each in open_labels(dataset).items()}
    until = time.monotonic() + seconds
    for row in sample(dataset):
        if time.monotonic() > until:
            found.stopped = True
            break
        few = len(found.examples) < EXAMPLES and row.drawn
        hit = claim(dataset.task, find, row.text, label, row.resolved, closely=few)
        found.measured.add(hit, drawn=row.drawn)
        if few and hit.value is not None:
            shown = pieces(row.text, hit.marks[:SPANS_SHOWN])
            found.examples.append(
                Example(row.uuid, row.digest, shown, decided_names(row.resolved, names), hit.count, hit.right)
            )
    return found


def decided_names(value: Value | None, names: Mapping[str, str]) -> str:
    """The names of the labels in a resolved value, each once; empty without one."""
    if value is None:
        return ""
    return ", ".join(sorted({names.get(key, DROPPED) for key in labels_of(value)})) or words(value, names)


@dataclass(slots=True)
class Findings:
    """All labeling functions on one sample. conflicts: (one, other, items on which they contradict each
    other), most first.
    """

    measured: dict[int, Measured] = field(default_factory=dict)
    items: int = 0
    disputed: int = 0
    conflicts: list[tuple[LabelingFunction, LabelingFunction, int]] = field(default_factory=list)
    stopped: bool = False


def measure(dataset: Dataset, functions: Sequence[LabelingFunction], *, seconds: float = SECONDS) -> Findings:
    """Try all of these labeling functions on the sample at once."""
    ready = [(function, find) for function in functions if (find := compiled(function))]
    found = Findings({function.pk: Measured() for function, _ in ready})
    pairs: Counter[tuple[int, int]] = Counter()
    until = time.monotonic() + seconds
    for row in sample(dataset) if ready else []:
        if time.monotonic() > until:
            found.stopped = True
            break
        claims = [
            (function, claim(dataset.task, find, row.text, function.label, row.resolved))
            for function, find in ready
        ]
        for function, hit in claims:
            found.measured[function.pk].add(hit, drawn=row.drawn)
        found.items += row.drawn
        against = (
            contradictions(
                dataset.task, [(function, hit.value) for function, hit in claims if hit.value is not None]
            )
            if row.drawn
            else []
        )
        found.disputed += bool(against)
        pairs.update(against)
    by_key = {function.pk: function for function in functions}
    found.conflicts = [(by_key[a], by_key[b], count) for (a, b), count in pairs.most_common(EXAMPLES)]
    return found


def contradictions(task: str, claims: Sequence[tuple[LabelingFunction, Value]]) -> list[tuple[int, int]]:
    """Pairs of labeling functions, by key, that contradict each other on one text. claims: the suggested
    value of each match.
    """
    contradict = suggestions_of(task).contradict
    return [
        (one.pk, other.pk)
        for (one, value), (other, other_value) in combinations(claims, 2)
        if contradict(value, other_value)
    ]


def compiled(function: LabelingFunction) -> Matcher | None:
    """The compiled pattern of a labeling function; None if it's no longer valid in this version of the
    product.
    """
    try:
        return matcher(function.kind, function.pattern, function.mode)
    except Refused:
        return None


# ── Progress ────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Reach:
    """The results of applying one labeling function. items, hits: read and matched so far. at: when an upload
    was last finished; None before the first.
    """

    items: int = 0
    hits: int = 0
    at: datetime | None = None


def reach(functions: Sequence[LabelingFunction]) -> dict[int, Reach]:
    """The results of each of these labeling functions by key, from the counters of its passes."""
    rows = (
        FunctionPass.objects.filter(function__in=functions)
        .values("function")
        .annotate(read=Sum("items"), hit=Sum("hits"), at=Max("finished_at"))
    )
    found = {row["function"]: Reach(row["read"], row["hit"], row["at"]) for row in rows}
    return {function.pk: found.get(function.pk, Reach()) for function in functions}


def unread(dataset: Dataset, reached: dict[int, Reach]) -> int:
    """Items that the labeling function with the fewest items read hasn't read yet."""
    return max(
        0, dataset.items_total - min((each.items for each in reached.values()), default=dataset.items_total)
    )


def apply_job(dataset: Dataset) -> Job | None:
    """The newest job that applied the dataset's labeling functions."""
    return (
        Job.objects.filter(subject_type=dataset._meta.label_lower, subject_uuid=dataset.uuid, kind=APPLY)
        .order_by("-id")
        .first()
    )


def uploads_to_read(dataset: Dataset, function: LabelingFunction) -> QuerySet[Upload]:
    """The imported uploads that a labeling function hasn't fully read."""
    done = FunctionPass.objects.filter(function=function, upload=OuterRef("pk"), finished_at__isnull=False)
    return dataset.uploads.filter(~Exists(done), state=UploadState.IMPORTED).order_by("id")


def in_force() -> QuerySet[LabelingFunction]:
    """The newest versions of labeling functions that aren't retired."""
    return LabelingFunction.objects.filter(replaced_by__isnull=True, retired=False)
