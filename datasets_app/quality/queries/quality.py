"""The newest report of a queue, and the items behind its matrix cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from datasets_app.datasets.models import Dataset, Item
from datasets_app.quality import agreement, measure
from datasets_app.quality.agreement import FEWEST
from datasets_app.quality.models import Difference, QualityReport
from datasets_app.queues import rules
from datasets_app.queues.models.answers import Annotation
from datasets_app.queues.models.queues import ARRIVING, Queue, Seat, Slot
from datasets_app.queues.queries.decisions import put_in_words
from datasets_app.schemas.models.schemas import Label
from datasets_app.schemas.queries.changes import classes_now
from datasets_app.schemas.queries.labels import names_in
from datasets_app.schemas.rules import through
from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.task_types.answers import DROPPED, canonical
from lifecycle.runtime.task_types.values import value_of
from registry.ground.access import policy
from registry.ground.access.models import User

SAMPLE = 5_000  # newest annotations from which agreement is computed


ITEMS = 30
OLD = timedelta(days=1)  # a report of a queue that has changed since is updated after this time
AT_ONCE = 20


def report_of(queue: Queue) -> QualityReport | None:
    """The newest report of a queue."""
    return QualityReport.objects.filter(queue=queue).select_related("created_by").order_by("-edition").first()


def measure_of(queue: Queue) -> Job | None:
    """The newest job that measures the queue, in any state."""
    return jobs.of_subject(queue).filter(kind="quality.measure").first()


def due(now: datetime) -> list[Queue]:
    """Queues with 20 annotations or more that have no report, or changed since their last one, if that is a
    day old.
    """
    newest = QualityReport.objects.filter(queue=OuterRef("pk")).order_by("-edition")
    rows = (
        Queue.objects.filter(slots_done__gte=FEWEST)
        .exclude(ARRIVING)
        .annotate(
            as_of=Subquery(newest.values("as_of")[:1]),
            was_done=Subquery(newest.values("slots_done")[:1]),
            was_decided=Subquery(newest.values("items_labeled")[:1]),
            worked=Exists(Seat.objects.filter(queue=OuterRef("pk"), last_at__gt=OuterRef("as_of"))),
        )
    )
    changed = ~Q(was_done=F("slots_done")) | ~Q(was_decided=F("items_labeled")) | Q(worked=True)
    waiting = rows.filter(Q(as_of__isnull=True) | (Q(as_of__lt=now - OLD) & changed))
    return list(
        waiting.select_related("dataset__project").order_by(F("as_of").asc(nulls_first=True), "pk")[:AT_ONCE]
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """One person's row. name: as shown to the viewer. figures: from `measure.Worker.document`; None before a
    report.
    """

    seat: Seat
    name: str
    figures: dict[str, Any] | None

    @property
    def skip_rate(self) -> float | None:
        """The share of items that were skipped, from 0 to 1."""
        seen = self.seat.labeled + self.seat.skipped
        return self.seat.skipped / seen if seen else None

    @property
    def warned(self) -> bool:
        """Whether they nearly always accept pre-labels."""
        return self.figures is not None and measure.always_accepts(self.figures)


def letter(at: int) -> str:
    """A, B, … Z, AA, AB, …: letters for people whose names aren't shown."""
    return (letter(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)


def standings(queue: Queue, report: QualityReport | None, viewer: User, *, named: bool) -> list[Standing]:
    """Everyone who worked in the queue, in order of their start. named: whether names are shown; otherwise
    letters, except the viewer's.
    """
    people = report.figures["people"] if report else {}
    seats = queue.seats.select_related("user").order_by("id")
    found = []
    for at, seat in enumerate(seats):
        name = str(seat.user) if named or seat.user_id == viewer.pk else letter(at)
        found.append(Standing(seat, name, people.get(str(seat.user_id))))
    return found


def own_standing(queue: Queue, report: QualityReport | None, user: User) -> Standing | None:
    """The viewer's own row; None before they worked in the queue."""
    seat = queue.seats.select_related("user").filter(user=user).first()
    if seat is None:
        return None
    return Standing(seat, str(user), report.figures["people"].get(str(user.pk)) if report else None)


def forecast_of(queue: Queue, report: QualityReport) -> measure.Forecast:
    """When the queue will be done, at the pace in the report."""
    first = report.figures["first_at"]
    return measure.forecast(
        left=max(0, queue.slots_total - queue.slots_done),
        state=queue.state,
        week=report.figures["week"],
        first_at=datetime.fromisoformat(first) if first else None,
        as_of=report.as_of,
    )


def quality_document(queue: Queue, viewer: User) -> dict[str, Any]:
    """The newest report as JSON for the API. People: everyone for those who may assess them, else only the
    viewer.
    """
    report = report_of(queue)
    left = max(0, queue.slots_total - queue.slots_done)
    if report is None:
        why = "Not measured yet."
        empty: dict[str, Any] = {name: [] for name in ("coefficients", "confusion", "people", "days", "gold")}
        head = {"uuid": None, "edition": None, "as_of": None, "items": 0, "annotations": 0}
        return empty | head | {"left": left, "days_left": None, "days_left_why": why}
    found, ahead = report.figures, forecast_of(queue, report)
    named = policy.can(viewer, "labeling.assess", queue)
    rows = [
        row
        for row in standings(queue, report, viewer, named=named)
        if row.figures and (named or row.seat.user_id == viewer.pk)
    ]
    labels = found["labels"]
    return {
        "uuid": report.uuid,
        "edition": report.edition,
        "as_of": report.as_of,
        "items": found["items"],
        "annotations": found["annotations"],
        "coefficients": found["coefficients"],
        "days": found["days"],
        "left": ahead.left,
        "days_left": ahead.days,
        "days_left_why": ahead.why,
        "people": [person_document(row) for row in rows],
        "confusion": [
            {"first": labels[one], "second": labels[other], "items": items}
            for one, other, items in found["confusion"]
        ],
        "gold": gold_labels(report, list(queue.schema.labels.all())),
    }


def person_document(row: Standing) -> dict[str, Any]:
    """One person's figures as JSON for the API."""
    seat, found = row.seat, row.figures or {}
    gold = rules.gold_accuracy(found["gold_right"], found["gold_done"])
    return found | {
        "gold_interval": [gold.low, gold.high] if gold else None,
        "user": seat.user.uuid,
        "name": row.name,
        "done": seat.labeled,
        "skipped": seat.skipped,
        "nearly_always_accepts": row.warned,
    }


@dataclass(frozen=True, slots=True)
class GoldClass:
    """Gold accuracy of one label over all annotators; share is None with too few annotations."""

    stable_id: str
    name: str
    done: int
    right: int
    share: Interval | None


def gold_labels(report: QualityReport, labels: Sequence[Label]) -> list[GoldClass]:
    """Gold accuracy by label, lowest first."""
    cells: dict[str, list[list[int]]] = report.figures["gold"]
    names = {str(label.stable_id): label.name for label in labels}
    rows = [
        GoldClass(key, names.get(key, DROPPED), *rules.gold_of_class(each)) for key, each in cells.items()
    ]
    return sorted(
        rows, key=lambda row: (row.share is None, row.share.value if row.share else 0, -row.done, row.name)
    )


# ── Items behind a cell ─────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Cell:
    """The differences to show: between two labels, or between two people (their seats)."""

    labels: tuple[Label, Label] | None = None
    seats: tuple[Seat, Seat] | None = None


def behind(report: QualityReport, cell: Cell) -> QuerySet[Difference]:
    """The differences of a cell, one for each item, oldest item first. Page it with
    `.filter(pk__gt=last)[:n]`.
    """
    rows = (
        Difference.objects.filter(queue=report.queue_id, edition=report.edition)
        .select_related("item")
        .order_by("id")
    )
    if cell.labels:
        first, second = sorted(cell.labels, key=lambda label: label.position)
        return rows.filter(first=first, second=second, leads=True)
    if cell.seats:
        one, other = sorted(seat.user_id for seat in cell.seats)
        return rows.filter(one=one, other=other)
    raise ValueError("A cell has two labels or two people.")


def side_by_side(
    queue: Queue, item_ids: Sequence[int], viewer: User, *, reads: bool
) -> dict[int, list[Annotation] | None]:
    """The current annotations of each of these items, oldest first, with `words` filled.

    None if the viewer may still annotate the item: annotators are blind. reads: whether the viewer reads
    texts.
    """
    slots = Slot.objects.filter(queue=queue, item_id__in=item_ids, is_gold=False).select_related(
        "annotation__label", "annotation__user"
    )
    given: dict[int, list[Annotation]] = {item: [] for item in item_ids}
    waiting: set[int] = set()
    for slot in slots.order_by("annotation_id"):
        if slot.state == Slot.State.DONE and slot.annotation is not None:
            given[slot.item_id].append(slot.annotation)
        elif slot.state != Slot.State.CLOSED:
            waiting.add(slot.item_id)
    names = names_in(queue.schema)
    for item in Item.objects.filter(pk__in=item_ids):
        put_in_words(item, given[item.pk], reads=reads, names=names)
    if not policy.can(viewer, "labeling.annotate", queue):
        return dict(given)
    return {item: None if item in waiting else rows for item, rows in given.items()}


def two_labels(queue: Queue, given: str) -> tuple[Label, Label] | None:
    """The two different labels of the queue in a query parameter: their stable ids, joined by a bar."""
    parts = given.split("|")
    known = {str(label.stable_id): label for label in queue.schema.labels.all()} if len(parts) == 2 else {}
    found = [known[part] for part in parts if part in known]
    return (found[0], found[1]) if len(found) == 2 and found[0] != found[1] else None


def two_seats(queue: Queue, given: str) -> tuple[Seat, Seat] | None:
    """The two people of the queue in a query parameter: the keys of their seats, joined by a bar."""
    parts = [int(part) for part in given.split("|") if part.isdecimal() and len(part) < 19]
    found = list(queue.seats.filter(pk__in=parts).select_related("user").order_by("id"))
    return (found[0], found[1]) if len(found) == 2 else None


def queue_agreement(queue: Queue, report: QualityReport | None = None) -> agreement.Agreement:
    """Agreement from the newest report, else over the newest annotations; empty for queues with an overlap of
    1.
    """
    if queue.overlap < 2:
        return agreement.summarise([])
    report = report or report_of(queue)
    if report is not None:
        return as_measured(queue.dataset, report)
    rows = Slot.objects.filter(
        queue=queue, state=Slot.State.DONE, is_gold=False, annotation__isnull=False
    ).order_by("-annotation_id")
    now = classes_now(queue.dataset_id)
    units: dict[int, list[agreement.Answer]] = defaultdict(list)
    columns = ("item_id", "user_id", "annotation__label__stable_id", "annotation__value")
    for item, user, label, value in rows.values_list(*columns)[:SAMPLE]:
        units[item].append((user, canonical(through(value_of(label, value), now))))
    return agreement.summarise([unit for unit in units.values() if len(unit) >= 2])


def as_measured(dataset: Dataset, report: QualityReport) -> agreement.Agreement:
    """The coefficients of a report. Cohen's kappa compares two people, so it's set only if exactly two worked
    in the queue.
    """
    found = {each["name"]: each["value"] for each in report.figures["coefficients"]}
    main, pairs = agreement.leading(report.figures["coefficients"]), report.figures["pairs"]
    cohen = pairs[0][4] if len(pairs) == 1 else None
    name, _ = agreement.names(has_labels=dataset.task_type.has_labels)[main["name"]]
    return agreement.Agreement(
        report.figures["items"],
        found["percent"],
        main["value"],
        found.get("fleiss"),
        cohen,
        report.as_of,
        name,
    )
