"""What classes became in later versions, and what a change of classes touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast

from datasets_app.datasets.models import Dataset
from datasets_app.labeling.models import Annotation, Decision, Dispute, Label, LabelChange, LabelSchema, Queue, Suggestion
from datasets_app.labeling.queries.decisions import is_uuid, labels_by_id, latest_schema, standing
from datasets_app.labeling.relabelling import ChangeKind, Gone, follow
from datasets_app.labeling.rules.schemas import ClassesNow, through
from lifecycle.jobs.models import Job
from lifecycle.jobs.rules import State
from lifecycle.task_types.answers import Labels, Value
from lifecycle.task_types.values import labels_of, named_in

LOOK = 2_000
PAIR = 2  # classes that a dispute names; where there are more answers, any may have been merged
EXACT = 10_000  # up to which what is touched is counted
MOVE = "labeling.move_decisions"
READ = (ChangeKind.MERGE, ChangeKind.RETIRE)  # through which values are read


def merges_of(dataset_id: int) -> dict[UUID, UUID]:
    """Each merged class of a dataset with the class that it went into: stable ids."""
    rows = LabelChange.objects.filter(schema__dataset=dataset_id, kind=ChangeKind.MERGE).values_list("source", "targets")
    return {source: UUID(targets[0]) for source, targets in rows}


def classes_now(dataset_id: int) -> ClassesNow:
    """What became of the classes of a dataset, as values name them."""
    return became(LabelChange.objects.filter(schema__dataset=dataset_id))


def classes_since(asked: Iterable[str]) -> ClassesNow:
    """The same for the dataset of which these classes are, where one of them was merged or retired."""
    changed = LabelChange.objects.filter(source__in=set(asked), kind__in=READ)
    return became(LabelChange.objects.filter(schema__dataset__in=changed.values("schema__dataset")))


def became(changes: QuerySet[LabelChange]) -> ClassesNow:
    """What these changes, all of one dataset, did to classes."""
    rows = list(changes.filter(kind__in=READ).values_list("kind", "source", "targets"))
    merges = {source: UUID(targets[0]) for kind, source, targets in rows if kind == ChangeKind.MERGE}
    retired = frozenset(str(source) for kind, source, _ in rows if kind == ChangeKind.RETIRE)
    return ClassesNow({str(source): str(follow(source, merges)) for source in merges}, retired)


def present_labels(labels: Iterable[Label]) -> dict[UUID, Label]:
    """What each of these classes is called since it was merged, by stable id, as its newest version writes it; the others are left out."""
    asked = {label.stable_id for label in labels}
    schemas = LabelChange.objects.filter(source__in=asked, kind=ChangeKind.MERGE).values("schema__dataset")
    rows = LabelChange.objects.filter(schema__dataset__in=schemas, kind=ChangeKind.MERGE).values_list("source", "targets")
    merges = {source: UUID(targets[0]) for source, targets in rows}
    ends = {source: follow(source, merges) for source in asked if source in merges}
    newest = newest_labels(ends.values())
    return {source: newest[end] for source, end in ends.items()}


def newest_labels(stable_ids: Iterable[UUID]) -> dict[UUID, Label]:
    """The newest row of each of these classes."""
    wanted = set(stable_ids)
    if not wanted:
        return {}
    return {label.stable_id: label for label in Label.objects.filter(stable_id__in=wanted).order_by("schema__version", "id")}


def labels_now(queue: Queue) -> dict[str, Label]:
    """The classes of the queue's version by stable id, and those into which any of them was merged since."""
    labels = labels_by_id(queue.schema)
    return labels | {str(label.stable_id): label for label in present_labels(labels.values()).values()}


def accepted_labels(dataset_id: int, value: Value, labels: Mapping[str, Label]) -> Labels:
    """What a value that somebody gave may name these labels by: name, uuid, stable id, and what older versions call them, also where they
    were merged. labels: by stable id. A name that looks like an id is none here: it could be that of another label.
    """
    known = {str(key): stable for stable, label in labels.items() for key in (label.uuid, stable)}
    known |= {label.name: stable for stable, label in labels.items() if not is_uuid(label.name)}
    if unknown := named_in(value) - known.keys():
        uuids = [key for key in unknown if is_uuid(key)]
        older = list(Label.objects.filter(schema__dataset=dataset_id, uuid__in=uuids)) if uuids else []
        present = present_labels(older) if older else {}
        now = {**classes_now(dataset_id).merged, **{str(each.uuid): str(present.get(each.stable_id, each).stable_id) for each in older}}
        known |= {key: now[key] for key in unknown if now.get(key) in labels}
    return Labels(known)


def read_through(answers: list[Annotation]) -> list[Annotation]:
    """The same answers, each with what its classes are now; in memory alone, for an answer never changes.

    One class is read as what it was merged into; sets and spans as `rules.through` says, without those that were retired.
    """
    present = present_labels([answer.label for answer in answers if answer.label]) if answers else {}
    named = {key for answer in answers if answer.value for key in labels_of(answer.value)}
    now = classes_since(named) if named else ClassesNow()
    for answer in answers:
        if answer.label and answer.label.stable_id in present:
            answer.label = present[answer.label.stable_id]
        elif answer.value:
            answer.value = through(answer.value, now)
    return answers


def with_merged(queue: Queue, known: dict[str, str]) -> dict[str, str]:
    """known, by stable id, and beside it each class that was merged into one of them."""
    merges = merges_of(queue.dataset_id) if known else {}
    return known | {str(source): known[end] for source in merges if (end := str(follow(source, merges))) in known}


# ── What a change touches ───────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Touched:
    """How much carries a class, each counted up to 10,001: more than 10,000 then. queues: not closed, with the class in their version.

    withdrawn: of the decisions, those that no longer hold after the change; the others follow it.
    """

    decisions: int
    withdrawn: int
    answers: int
    suggestions: int
    queues: int


def touched(dataset: Dataset, gone: Gone, planned: Sequence[Gone]) -> Touched:
    """What carries one class, in bounded counts. planned: all changes of the version, for a decision may name several of their classes."""
    queues = Queue.objects.filter(dataset=dataset, schema__labels__stable_id=gone.source).exclude(state=Queue.State.CLOSED)
    decisions = carrying(standing(), dataset, [gone.source], by="item__dataset")
    return Touched(
        decisions=bounded(decisions),
        withdrawn=withdrawn_by(dataset, decisions, gone, planned),
        answers=bounded(carrying(Annotation.objects.all(), dataset, [gone.source], by="queue__dataset")),
        suggestions=bounded(carrying(Suggestion.objects.all(), dataset, [gone.source], by="item__dataset")),
        queues=queues.count(),
    )


def withdrawn_by(dataset: Dataset, decisions: QuerySet[Decision], gone: Gone, planned: Sequence[Gone]) -> int:
    """How many of the decisions that carry a class no longer hold after its change, 10,001 for more than 10,000."""
    if gone.kind == ChangeKind.SPLIT:
        return bounded(decisions)
    if gone.kind != ChangeKind.RETIRE or not has_several(dataset):
        return 0
    retired = {str(each.source) for each in planned if each.kind == ChangeKind.RETIRE}
    values = decisions.order_by().values_list("value", flat=True)[: EXACT + 1]
    return sum(retired.issuperset(labels_of(value)) for value in values.iterator(chunk_size=LOOK) if value)


def has_several(dataset: Dataset) -> bool:
    """Whether an answer may name several classes: then one that is retired is taken out of what was decided."""
    return not dataset.task_type.one_label


def carrying(rows: QuerySet[Any], dataset: Dataset, stable_ids: Iterable[UUID | str], *, by: str) -> QuerySet[Any]:
    """Those of these answers, decisions or suggestions that name one of these classes. by: how a row finds its dataset."""
    if has_several(dataset):
        return saying(rows.filter(**{by: dataset}), stable_ids)
    labels = Label.objects.filter(schema__dataset=dataset, stable_id__in=list(stable_ids)).values_list("pk", flat=True)
    return rows.filter(label__in=list(labels))


def saying(rows: QuerySet[Any], stable_ids: Iterable[UUID | str]) -> QuerySet[Any]:
    """Those of these rows that name one of these classes where a text may have several: as their class, or within their value."""
    names = [str(key) for key in stable_ids]
    said = Q(label__stable_id__in=names)  # a suggestion of several classes has a row for each
    for name in names:
        said |= Q(said__contains=f'"{name}"')
    return rows.alias(said=Cast("value", TextField())).filter(said) if names else rows.none()


def bounded(rows: QuerySet[Any]) -> int:
    """How many rows, 10,001 for more than 10,000."""
    return rows.order_by()[: EXACT + 1].count()


def queues_open(dataset: Dataset) -> QuerySet[Queue]:
    """The queues that are not closed, newest first; at most 100."""
    return Queue.objects.filter(dataset=dataset).exclude(state=Queue.State.CLOSED).order_by("-id")[:100]


def move_job(dataset: Dataset) -> Job | None:
    """The newest job that moved the dataset's decisions."""
    return jobs_that_move(dataset).order_by("-id").first()


def jobs_that_move(dataset: Dataset) -> QuerySet[Job]:
    """The jobs that moved the dataset's decisions."""
    return Job.objects.filter(subject_type=dataset._meta.label_lower, subject_uuid=dataset.uuid, kind=MOVE)


def queues_behind(dataset: Dataset) -> QuerySet[Queue]:
    """The queues that are not closed and have an older version of the classes than the newest, newest first."""
    newest = latest_schema(dataset)
    rows = Queue.objects.filter(dataset=dataset).exclude(state=Queue.State.CLOSED).select_related("schema").order_by("-id")
    return rows.exclude(schema=newest) if newest else rows.none()


def moves(dataset: Dataset, kind: str) -> bool:
    """Whether decisions of a class to which this is done do not stay as they are: all but retirements where a text has one class."""
    return kind != ChangeKind.RETIRE or has_several(dataset)


def ways(dataset: Dataset) -> str:
    """What was done to classes whose decisions move, in words."""
    return "merged, split or retired" if has_several(dataset) else "merged or split"


def to_move(dataset: Dataset) -> dict[UUID, LabelChange]:
    """The classes of a dataset whose decisions move, with what was done to them, by stable id."""
    kinds = [kind for kind in ChangeKind if moves(dataset, kind)]
    rows = LabelChange.objects.filter(schema__dataset=dataset, kind__in=kinds)
    return {change.source: change for change in rows.select_related("schema").order_by("id")}


def decisions_behind(dataset: Dataset) -> QuerySet[Decision]:
    """The decisions that hold and carry a class that was merged or split, or retired where others may stand beside it; by key.

    Where an answer may name several classes no index finds them, so those that a job has looked through are not looked at again.
    """
    moving = to_move(dataset)
    rows = carrying(standing(), dataset, moving, by="item__dataset").order_by("id")
    return rows.filter(pk__gt=looked_through(dataset, moving)) if moving and has_several(dataset) else rows


def looked_through(dataset: Dataset, moving: Mapping[UUID, LabelChange]) -> int:
    """The key of the last decision that there was when a job began that moved all these classes to its end; 0 without one."""
    ended = jobs_that_move(dataset).filter(state=State.SUCCEEDED).order_by("-id").values_list("checkpoint", flat=True).first()
    return int(ended["decision"]) if ended and ended.get("change") == newest_change(moving) else 0


def newest_change(moving: Mapping[UUID, LabelChange]) -> int:
    """The key of the newest of these changes; 0 where there is none."""
    return max((change.pk for change in moving.values()), default=0)


def begun(dataset: Dataset) -> dict[str, int]:
    """What a job that moves decisions notes when it begins, for `looked_through`."""
    newest = Decision.objects.order_by("-id").values_list("pk", flat=True).first()
    return {"change": newest_change(to_move(dataset)), "decision": newest or 0}


def disputes_to_settle(dataset: Dataset) -> list[int]:
    """The keys of the open disputes whose answers may agree by now: those about a class that was merged; all of them, once a class was
    merged or retired, where an answer may name several."""
    now = classes_now(dataset.pk)
    if has_several(dataset):
        open_ = Dispute.objects.filter(queue__dataset=dataset, state=Dispute.State.OPEN).order_by("id")
        return list(open_.values_list("pk", flat=True)) if now.merged or now.retired else []
    merged = set(now.merged)
    rows = Dispute.objects.filter(queue__dataset=dataset, state=Dispute.State.OPEN).order_by("id")
    found = rows.values_list("pk", "pair", "answers").iterator(chunk_size=LOOK) if merged else []
    return [pk for pk, pair, answers in found if answers > PAIR or merged.intersection(pair.split("|"))]


def changes_of(schema: LabelSchema) -> list[tuple[LabelChange, list[str]]]:
    """What a version did to classes that it no longer has, with the names into which they went."""
    rows = list(schema.changes.order_by("id"))
    names = {str(label.stable_id): label.name for label in schema.labels.all()}
    return [(row, [names.get(target, "a dropped class") for target in row.targets]) for row in rows]


def present_ids(dataset_id: int) -> dict[UUID, UUID]:
    """Each merged class with where it leads through all merges: stable ids."""
    merges = merges_of(dataset_id)
    return {source: follow(source, merges) for source in merges}


def renamed(before: LabelSchema | None, schema: LabelSchema) -> list[tuple[str, str]]:
    """(old, new) names of the classes that a version calls otherwise than the one before."""
    old = dict(before.labels.values_list("stable_id", "name")) if before else {}
    rows = schema.labels.filter(stable_id__in=list(old)).order_by(F("position"))
    return [(old[label.stable_id], label.name) for label in rows if old[label.stable_id] != label.name]
