"""What a change of labels touches: decisions, queues, and disputes that are still behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from datasets_app.datasets.models import Dataset
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.decisions import Decision, Dispute
from datasets_app.queues.models.queues import Queue
from datasets_app.queues.queries.decisions import standing
from datasets_app.schemas.models.schemas import Label, LabelChange
from datasets_app.schemas.queries.changes import classes_now, has_several, saying
from datasets_app.schemas.queries.labels import latest_schema
from datasets_app.schemas.relabeling import ChangeKind, Gone
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.task_types.values import labels_of

LOOK = 2_000
PAIR = 2  # classes that a dispute names; where there are more answers, any may have been merged
EXACT = 10_000  # up to which what is touched is counted
MOVE = "review.move_decisions"


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


def carrying(rows: QuerySet[Any], dataset: Dataset, stable_ids: Iterable[UUID | str], *, by: str) -> QuerySet[Any]:
    """Those of these answers, decisions or suggestions that name one of these classes. by: how a row finds its dataset."""
    if has_several(dataset):
        return saying(rows.filter(**{by: dataset}), stable_ids)
    labels = Label.objects.filter(schema__dataset=dataset, stable_id__in=list(stable_ids)).values_list("pk", flat=True)
    return rows.filter(label__in=list(labels))


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
    return "merged, split, or retired" if has_several(dataset) else "merged or split"


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
