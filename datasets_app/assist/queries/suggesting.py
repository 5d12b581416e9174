"""Rules that suggest classes: which are in force, what they hit in a sample, and how far they have read the dataset."""

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
from datasets_app.assist.models.rules import Rule, RulePass
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.prelabels.queries import RULES_LIMIT
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

APPLY = "assist.apply_rules"
SAMPLE = 2_000  # items of a sample
BLOCKS = 20  # places of a large dataset from which a sample is drawn
DECIDED = 1_000  # decided items read beside the sample, newest first
QUEUES = 5  # newest queues that they come from
EXAMPLES = 10
SECONDS = 1.5  # that a page spends on reading
PAGE = 30


def rules_of(dataset: Dataset) -> list[Rule]:
    """The rules in force, oldest first."""
    return list(in_force().filter(dataset=dataset).select_related("created_by").order_by("id")[:RULES_LIMIT])


def retired_rules(dataset: Dataset) -> list[Rule]:
    """The newest retired ones."""
    rows = Rule.objects.filter(dataset=dataset, replaced_by__isnull=True, retired=True)
    return list(rows.select_related("created_by").order_by("-id")[:PAGE])


def get_rule(user: User, uuid: UUID) -> Rule:
    """One version of a rule that the user may see. Raises Http404."""
    return policy.get_visible(user, Rule.objects.select_related("dataset__project", "created_by"), "labeling.view", uuid=uuid)


def versions_of(rule: Rule) -> list[Rule]:
    """All versions of a rule, newest first."""
    return list(Rule.objects.filter(stable_id=rule.stable_id).select_related("created_by").order_by("-version")[:PAGE])


def open_labels(dataset: Dataset) -> dict[UUID, Label]:
    """The classes of the newest version by stable id, in their order: those that a rule can suggest."""
    schema = latest_schema(dataset)
    return {label.stable_id: label for label in schema.labels.all()} if schema else {}


def able(rules: Sequence[Rule], labels: dict[UUID, Label]) -> list[Rule]:
    """Those of these rules whose class the newest version still has. labels: as `open_labels` gives them."""
    return [rule for rule in rules if rule.label in labels]


# ── A sample ────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class Sampled:
    """One item that rules are tried on. said: its label, if any. drawn: from the sample itself."""

    key: int
    uuid: UUID
    digest: str
    text: str
    upload: int
    said: Value | None = None
    drawn: bool = True


def sample(dataset: Dataset) -> list[Sampled]:
    """All items of a small dataset, else 2,000 from 20 places spread over it; and beside them up to 1,000 newly decided ones.

    The same until items or decisions are added. No table is counted; each text is cut at what a rule reads.
    """
    found = {row.key: row for row in drawn(dataset)}
    for ids in chunks(found):
        for item, said in decided_among(ids):
            found[item].said = said
    more = {item: said for item, said in newly_decided(dataset) if item not in found}
    for ids in chunks(more):
        rows = read(Item.objects.filter(dataset=dataset, pk__in=ids))
        found |= {row.key: replace(row, said=more[row.key], drawn=False) for row in rows}
    return list(found.values())


def drawn(dataset: Dataset) -> list[Sampled]:
    """The items of the sample itself, along the index of the dataset's items; hidden ones are left out afterwards."""
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
    """These items as rules read them."""
    rows = items.annotate(head=Substr("text", 1, TEXT_READ)).values_list("pk", "uuid", "digest", "head", "upload")
    return [Sampled(*row) for row in rows]


def decided_among(ids: list[int]) -> list[tuple[int, Value]]:
    """(item, what holds) of those of these items that are decided."""
    rows = standing().filter(item_id__in=ids).values_list("item_id", "label__stable_id", "value")
    return [(item, value_of(label, value)) for item, label, value in rows]


def newly_decided(dataset: Dataset) -> list[tuple[int, Value]]:
    """(item, what holds) of the newest decisions that hold, along the index of each of the newest queues."""
    found: list[tuple[int, Value]] = []
    for queue in dataset.queues.order_by("-id").values_list("pk", flat=True)[:QUEUES]:
        newest = Decision.objects.filter(queue=queue).exclude(how=Decision.How.WITHDRAWN).order_by("-id")
        rows = newest.values_list("item_id", "label__stable_id", "value", "superseded_by")[: DECIDED // QUEUES]
        found += [(item, value_of(label, value)) for item, label, value, superseded in rows if superseded is None]
    return found


# ── What a rule does to it ──────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Example:
    """One hit. label: the names of the classes decided for it, empty where it is not decided. claims: how many parts the rule marks, or 1
    for its class; right: of these, as decided; both 0 where it is not decided."""

    uuid: UUID
    digest: str
    pieces: list[Piece]
    label: str
    claims: int
    right: int

    @property
    def share(self) -> str:
        """Such as "2 of 3 right"."""
        return f"{self.right} of {self.claims} correct"


@dataclass(slots=True)
class Preview:
    """What a pattern would do. stopped: time ran out before the whole sample was read."""

    measured: Measured = field(default_factory=Measured)
    examples: list[Example] = field(default_factory=list)
    stopped: bool = False


def preview(dataset: Dataset, find: Matcher, label: UUID | None, *, seconds: float = SECONDS) -> Preview:
    """Try one pattern on the sample. label: stable id of the class that it would suggest; without one no precision is measured."""
    found = Preview()
    names = {str(key): each.name for key, each in open_labels(dataset).items()}
    until = time.monotonic() + seconds
    for row in sample(dataset):
        if time.monotonic() > until:
            found.stopped = True
            break
        few = len(found.examples) < EXAMPLES and row.drawn
        says = claim(dataset.task, find, row.text, label, row.said, closely=few)
        found.measured.add(says, drawn=row.drawn)
        if few and says.value is not None:
            shown = pieces(row.text, says.marks[:SPANS_SHOWN])
            found.examples.append(Example(row.uuid, row.digest, shown, decided_names(row.said, names), says.count, says.right))
    return found


def decided_names(said: Value | None, names: Mapping[str, str]) -> str:
    """The names of the classes that were decided, each once; empty where nothing is."""
    if said is None:
        return ""
    return ", ".join(sorted({names.get(key, DROPPED) for key in labels_of(said)})) or words(said, names)


@dataclass(slots=True)
class Findings:
    """All rules in force on one sample. conflicts: of how many items two rules say what cannot both be meant, most first."""

    measured: dict[int, Measured] = field(default_factory=dict)
    items: int = 0
    disputed: int = 0
    conflicts: list[tuple[Rule, Rule, int]] = field(default_factory=list)
    stopped: bool = False


def measure(dataset: Dataset, rules: Sequence[Rule], *, seconds: float = SECONDS) -> Findings:
    """Try all of these rules on the sample at once."""
    ready = [(rule, find) for rule in rules if (find := compiled(rule))]
    found = Findings({rule.pk: Measured() for rule, _ in ready})
    pairs: Counter[tuple[int, int]] = Counter()
    until = time.monotonic() + seconds
    for row in sample(dataset) if ready else []:
        if time.monotonic() > until:
            found.stopped = True
            break
        said = [(rule, claim(dataset.task, find, row.text, rule.label, row.said)) for rule, find in ready]
        for rule, says in said:
            found.measured[rule.pk].add(says, drawn=row.drawn)
        found.items += row.drawn
        against = contradictions(dataset.task, [(rule, says.value) for rule, says in said if says.value is not None]) if row.drawn else []
        found.disputed += bool(against)
        pairs.update(against)
    by_key = {rule.pk: rule for rule in rules}
    found.conflicts = [(by_key[a], by_key[b], count) for (a, b), count in pairs.most_common(EXAMPLES)]
    return found


def contradictions(task: str, claims: Sequence[tuple[Rule, Value]]) -> list[tuple[int, int]]:
    """The keys of the rules, two by two, that contradict each other about a text that they hit. claims: what each says of it."""
    contradict = suggestions_of(task).contradict
    return [(one.pk, other.pk) for (one, says), (other, too) in combinations(claims, 2) if contradict(says, too)]


def compiled(rule: Rule) -> Matcher | None:
    """The rule's pattern, ready; None where a newer program reads it no more."""
    try:
        return matcher(rule.kind, rule.pattern, rule.mode)
    except Refused:
        return None


# ── How far rules have read ─────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Reach:
    """The results of applying one labeling function. items, hits: read and hit so far. at: when an upload was last finished, None
    before.
    """

    items: int = 0
    hits: int = 0
    at: datetime | None = None


def reach(rules: Sequence[Rule]) -> dict[int, Reach]:
    """How far each of these rules has read, from the counters of its passes."""
    rows = RulePass.objects.filter(rule__in=rules).values("rule").annotate(read=Sum("items"), hit=Sum("hits"), at=Max("finished_at"))
    found = {row["rule"]: Reach(row["read"], row["hit"], row["at"]) for row in rows}
    return {rule.pk: found.get(rule.pk, Reach()) for rule in rules}


def unread(dataset: Dataset, reached: dict[int, Reach]) -> int:
    """Items that at least one rule has not read yet: of the rule that has read least."""
    return max(0, dataset.items_total - min((each.items for each in reached.values()), default=dataset.items_total))


def apply_job(dataset: Dataset) -> Job | None:
    """The newest job that applied the dataset's rules."""
    return Job.objects.filter(subject_type=dataset._meta.label_lower, subject_uuid=dataset.uuid, kind=APPLY).order_by("-id").first()


def uploads_to_read(dataset: Dataset, rule: Rule) -> QuerySet[Upload]:
    """The imported uploads that a rule has not read to their end."""
    done = RulePass.objects.filter(rule=rule, upload=OuterRef("pk"), finished_at__isnull=False)
    return dataset.uploads.filter(~Exists(done), state=UploadState.IMPORTED).order_by("id")


def in_force() -> QuerySet[Rule]:
    """Newest versions that are not retired."""
    return Rule.objects.filter(replaced_by__isnull=True, retired=False)
