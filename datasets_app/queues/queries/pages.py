"""Queues as their pages show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.queues import rules
from datasets_app.queues.models.queues import ARRIVING, Queue, Seat
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.schemas.queries.labels import is_uuid
from registry.ground.access import policy
from registry.ground.access.models import User

PAGE = 30


def queues(user: User) -> QuerySet[Queue]:
    """The queues that the user may see, newest first, with their datasets; without imports in progress."""
    return (
        policy.visible_to(user, Queue.objects.exclude(ARRIVING), "labeling.view")
        .select_related("dataset__project", "schema")
        .order_by("-id")
    )


def allowed(user: User, rows: Sequence[Queue] | Sequence[Dataset], action: str) -> set[int]:
    """Keys of those of these queues or datasets in which the user may do `action`."""
    model: type[Queue] | type[Dataset] = Queue if rows and isinstance(rows[0], Queue) else Dataset
    return set(
        policy.visible_to(
            user, model._default_manager.filter(pk__in=[row.pk for row in rows]), action
        ).values_list("pk", flat=True)
    )


def as_seen_by(user: User, rows: Sequence[Queue]) -> list[Queue]:
    """These queues with the counts this person may see, in memory only.

    With gold mixed in, people who don't manage the queue see counts that include gold annotations, with
    resolved, agreed, and disputed items rounded down to tens: a count that rises with each annotation would
    reveal gold.
    """
    mixing = [queue for queue in rows if queue.mixes_gold]
    exact = allowed(user, mixing, "labeling.manage") if mixing else set()
    for queue in mixing:
        if queue.pk not in exact:
            queue.slots_total = rules.shown_total(
                queue.slots_total, queue.slots_done, queue.gold_done, queue.gold_rate
            )
            queue.slots_done += queue.gold_done
            for name in ("items_labeled", "items_agreed", "items_disputed", "disputes_total"):
                setattr(queue, name, rules.coarse(getattr(queue, name)))
    return list(rows)


def is_for_others(queue: Queue, user: User) -> bool:
    """Whether the queue is assigned to other people only."""
    named = Queue.people.through.objects.filter(queue=queue).values_list("user_id", flat=True)
    return bool(named) and user.pk not in named


def for_them(user: User, rows: Iterable[Queue]) -> set[int]:
    """Keys of those of these queues that are open to this person, by assignment."""
    keys = [row.pk for row in rows]
    named = Queue.people.through.objects.filter(queue_id__in=keys).values_list("queue_id", "user_id")
    closed = {queue for queue, _ in named} - {queue for queue, person in named if person == user.pk}
    return set(keys) - closed


def annotators(dataset: Dataset) -> QuerySet[User]:
    """People who may annotate in a dataset, by name."""
    return policy.who_can("labeling.annotate", dataset).order_by("display_name", "username")


def get_queue(user: User, uuid: UUID) -> Queue:
    """One queue that the user may see. Raises Http404."""
    rows = Queue.objects.exclude(ARRIVING).select_related(
        "dataset__project", "schema", "created_by", "upload"
    )
    return policy.get_visible(user, rows, "labeling.view", uuid=uuid)


def chosen_items(dataset: Dataset, asked: Sequence[str]) -> list[Item]:
    """The visible items of the dataset with these uuids, in import order; keys and uuids only. Invalid uuids
    are ignored.
    """
    wanted = [text for text in asked if is_uuid(text)]
    return list(datasets.items(dataset).filter(uuid__in=wanted).only("uuid")) if wanted else []


def uploads_to_label(dataset: Dataset) -> QuerySet[Upload]:
    """The imported uploads of a dataset, newest first."""
    return dataset.uploads.filter(state=UploadState.IMPORTED).order_by("-id")


@dataclass(frozen=True, slots=True)
class Person:
    """One person's work in a queue. pace: mean seconds per annotation, None without timing data (a median
    would need every row).
    """

    seat: Seat
    pace: float | None
    is_self: bool


def people(queue: Queue, viewer: User, *, everybody: bool) -> list[Person]:
    """People who worked in the queue: all for those who manage it, else only the viewer."""
    seats = queue.seats.select_related("user").order_by("-labeled", "id")
    if not everybody:
        seats = seats.filter(user=viewer)
    return [
        Person(seat, seat.seconds / seat.labeled if seat.labeled else None, seat.user_id == viewer.pk)
        for seat in seats[:PAGE]
    ]


@dataclass(frozen=True, slots=True)
class Forecast:
    """How much work is left. work: time for one person at the mean pace; None without timing data."""

    answers: int
    pace: float | None
    work: timedelta | None
    active: int


def forecast(queue: Queue) -> Forecast:
    """Estimate what is left of a queue from the work so far. active: people with an annotation in the last
    hour.
    """
    seats = list(queue.seats.values_list("labeled", "seconds", "last_at"))
    labeled, seconds = sum(row[0] for row in seats), sum(row[1] for row in seats)
    left = max(0, queue.slots_total - queue.slots_done)
    pace = seconds / labeled if labeled and seconds else None
    recent = timezone.now() - timedelta(hours=1)
    active = sum(1 for row in seats if row[2] and row[2] > recent)
    return Forecast(left, pace, timedelta(seconds=pace * left) if pace else None, active)


def known_before(queue: Queue, user: User) -> LabelSchema | None:
    """The schema version that this person last read in the queue, if the queue has another one by now; else
    None.
    """
    seat = (
        Seat.objects.filter(queue=queue, user=user)
        .exclude(seen_schema=queue.schema_id)
        .select_related("seen_schema")
        .first()
    )
    return seat.seen_schema if seat else None
