"""What a label change affects: decisions, queues, and disputes that still have older labels."""

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
from datasets_app.schemas.queries.changes import classes_now, has_several, with_labels
from datasets_app.schemas.queries.labels import latest_schema
from datasets_app.schemas.relabeling import ChangeKind, Removed
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import State
from lifecycle.runtime.task_types.values import labels_of

LOOK = 2_000
PAIR = 2  # labels that a dispute names; with more different annotations, any may have been merged
EXACT = 10_000  # counts are exact up to this number
MOVE = "review.move_decisions"


@dataclass(frozen=True, slots=True)
class Touched:
    """How many rows use a label, each counted up to 10,001 (more than 10,000). queues: not closed, with the
    label in their version.

    withdrawn: of the resolved labels, those that the change withdraws; the others are moved.
    """

    resolved_labels: int
    withdrawn: int
    annotations: int
    prelabels: int
    queues: int


def touched(dataset: Dataset, removed: Removed, planned: Sequence[Removed]) -> Touched:
    """How many rows use one label. planned: all changes of the version, since a decision may use several of
    their labels.
    """
    queues = Queue.objects.filter(dataset=dataset, schema__labels__stable_id=removed.source).exclude(
        state=Queue.State.CLOSED
    )
    decisions = carrying(standing(), dataset, [removed.source], by="item__dataset")
    return Touched(
        resolved_labels=bounded(decisions),
        withdrawn=withdrawn_by(dataset, decisions, removed, planned),
        annotations=bounded(
            carrying(Annotation.objects.all(), dataset, [removed.source], by="queue__dataset")
        ),
        prelabels=bounded(carrying(Suggestion.objects.all(), dataset, [removed.source], by="item__dataset")),
        queues=queues.count(),
    )


def withdrawn_by(
    dataset: Dataset, decisions: QuerySet[Decision], removed: Removed, planned: Sequence[Removed]
) -> int:
    """How many of the decisions with a label its change withdraws; 10,001 for more than 10,000."""
    if removed.kind == ChangeKind.SPLIT:
        return bounded(decisions)
    if removed.kind != ChangeKind.RETIRE or not has_several(dataset):
        return 0
    retired = {str(each.source) for each in planned if each.kind == ChangeKind.RETIRE}
    values = decisions.order_by().values_list("value", flat=True)[: EXACT + 1]
    return sum(retired.issuperset(labels_of(value)) for value in values.iterator(chunk_size=LOOK) if value)


def carrying(
    rows: QuerySet[Any], dataset: Dataset, stable_ids: Iterable[UUID | str], *, by: str
) -> QuerySet[Any]:
    """Those of these annotations, decisions, or pre-labels that use one of these labels. by: lookup from a
    row to its dataset.
    """
    if has_several(dataset):
        return with_labels(rows.filter(**{by: dataset}), stable_ids)
    labels = Label.objects.filter(schema__dataset=dataset, stable_id__in=list(stable_ids)).values_list(
        "pk", flat=True
    )
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
    """The queues that aren't closed and have an older schema version than the newest, newest first."""
    newest = latest_schema(dataset)
    rows = (
        Queue.objects.filter(dataset=dataset)
        .exclude(state=Queue.State.CLOSED)
        .select_related("schema")
        .order_by("-id")
    )
    return rows.exclude(schema=newest) if newest else rows.none()


def moves(dataset: Dataset, kind: str) -> bool:
    """Whether this kind of change moves decisions: all do, except retirements for tasks with one label per
    text.
    """
    return kind != ChangeKind.RETIRE or has_several(dataset)


def ways(dataset: Dataset) -> str:
    """The kinds of changes that move decisions, as text."""
    return "merged, split, or retired" if has_several(dataset) else "merged or split"


def to_move(dataset: Dataset) -> dict[UUID, LabelChange]:
    """The label changes of a dataset that move decisions, by the label's stable id."""
    kinds = [kind for kind in ChangeKind if moves(dataset, kind)]
    rows = LabelChange.objects.filter(schema__dataset=dataset, kind__in=kinds)
    return {change.source: change for change in rows.select_related("schema").order_by("id")}


def decisions_behind(dataset: Dataset) -> QuerySet[Decision]:
    """Current decisions that use a merged or split label, or a retired one for tasks with several labels; by
    key.

    For tasks with several labels no index finds them, so those that a job has already read aren't read again.
    """
    moving = to_move(dataset)
    rows = carrying(standing(), dataset, moving, by="item__dataset").order_by("id")
    return rows.filter(pk__gt=looked_through(dataset, moving)) if moving and has_several(dataset) else rows


def looked_through(dataset: Dataset, moving: Mapping[UUID, LabelChange]) -> int:
    """The key of the newest decision when the last successful job for all these changes started; 0 without
    one.
    """
    ended = (
        jobs_that_move(dataset)
        .filter(state=State.SUCCEEDED)
        .order_by("-id")
        .values_list("checkpoint", flat=True)
        .first()
    )
    return int(ended["decision"]) if ended and ended.get("change") == newest_change(moving) else 0


def newest_change(moving: Mapping[UUID, LabelChange]) -> int:
    """The key of the newest of these changes; 0 without any."""
    return max((change.pk for change in moving.values()), default=0)


def begun(dataset: Dataset) -> dict[str, int]:
    """The first checkpoint of a job that moves decisions, for `looked_through`."""
    newest = Decision.objects.order_by("-id").values_list("pk", flat=True).first()
    return {"change": newest_change(to_move(dataset)), "decision": newest or 0}


def disputes_to_settle(dataset: Dataset) -> list[int]:
    """Keys of open disputes whose annotations may agree by now: those about a merged label; for tasks with
    several labels all of them, once a label was merged or retired.
    """
    now = classes_now(dataset.pk)
    if has_several(dataset):
        open_ = Dispute.objects.filter(queue__dataset=dataset, state=Dispute.State.OPEN).order_by("id")
        return list(open_.values_list("pk", flat=True)) if now.merged or now.retired else []
    merged = set(now.merged)
    rows = Dispute.objects.filter(queue__dataset=dataset, state=Dispute.State.OPEN).order_by("id")
    found = rows.values_list("pk", "pair", "answers").iterator(chunk_size=LOOK) if merged else []
    return [pk for pk, pair, answers in found if answers > PAIR or merged.intersection(pair.split("|"))]
