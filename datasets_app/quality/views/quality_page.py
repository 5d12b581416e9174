"""The quality page of a queue: its report and seats as rows and cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from datasets_app.quality.agreement import FEWEST, leading, names
from datasets_app.quality.measure import Forecast
from datasets_app.quality.models import QualityReport
from datasets_app.quality.queries.quality import Standing
from datasets_app.queues import rules
from datasets_app.queues.models.queues import Queue, Seat
from datasets_app.schemas.models.schemas import Label
from lifecycle.runtime.statistics.intervals import Interval, wilson
from lifecycle.runtime.words import things
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count, decimals, duration, percent

PEOPLE, LABELS, WORST = 12, 10, 10  # initial size of each matrix, and size of a list
DEPTHS = (1, 2, 3, 5, 6)  # steps of the sequential color scale used for cells


@dataclass(frozen=True, slots=True)
class CoefficientRow:
    """One line of the table of coefficients."""

    name: str
    note: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str
    is_share: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a matrix. depth: 0 to 6, how much differs. title: its text for screen readers. url: the
    items behind it.
    """

    text: str = ""
    sub: str = ""
    title: str = ""
    url: str = ""
    depth: int = 0


BLANK = Cell()


@dataclass(frozen=True, slots=True)
class Matrix:
    """A square table. total: number of people or labels it could show."""

    heads: list[str]
    rows: list[MatrixRow]
    total: int


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One row. html: its rendered cells, not left to the template since there may be thousands."""

    head: str
    cells: list[Cell]
    html: SafeString


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two people or two labels as a line of a list."""

    name: str
    url: str
    n: int
    equal: float | None = None
    kappa: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person's figures for display; None if not measured.

    right: share, ends of its 95 % interval, items. gold: annotations, and gold accuracy, None with too few.
    accepted: share, pre-labels. estimated_accuracy: with the ends of its interval, or why it's missing.
    """

    name: str
    is_self: bool
    done: int
    skipped: int
    skip_rate: float | None
    median: float | None
    right: tuple[float, float, float, int] | None
    accepted: tuple[float, int] | None
    estimated_accuracy: float | None
    estimated_accuracy_interval: tuple[float, float] | None
    estimated_accuracy_why: str
    sent_back: int | None
    warned: bool
    gold: tuple[int, Interval | None] | None = None

    @property
    def why_not_estimated(self) -> str:
        """A short reason for a missing accuracy; a dash before the first report."""
        return self.estimated_accuracy_why.partition(":")[0].lower() or "–"


def coefficients(report: QualityReport, *, has_labels: bool = True) -> list[CoefficientRow]:
    """The table of coefficients. has_labels: whether the task has labels."""
    words = names(has_labels=has_labels)
    return [
        CoefficientRow(
            name=words[each["name"]][0],
            note=words[each["name"]][1],
            value=each["value"],
            low=each["low"],
            high=each["high"],
            n=each["n"],
            why=each["why"],
            is_share=each["name"] == "percent",
        )
        for each in report.figures["coefficients"]
    ]


def person_row(standing: Standing, *, is_self: bool) -> PersonRow:
    """The figures of one person."""
    seat, found = standing.seat, standing.figures
    right = accepted = None
    if found and found["judged"]:
        right = (found["right"] / found["judged"], *wilson(found["right"], found["judged"]), found["judged"])
    if found and found["shown"]:
        accepted = (found["accepted"] / found["shown"], found["shown"])
    golds = found["gold_done"] if found else 0
    gold = (golds, rules.gold_accuracy(found["gold_right"], golds)) if found and golds else None
    return PersonRow(
        name=standing.name,
        is_self=is_self,
        done=seat.labeled,
        skipped=seat.skipped,
        skip_rate=standing.skip_rate,
        median=found["median_seconds"] if found else None,
        right=right,
        accepted=accepted,
        estimated_accuracy=found["estimated_accuracy"] if found else None,
        estimated_accuracy_interval=found["estimated_accuracy_interval"] if found else None,
        estimated_accuracy_why=found["estimated_accuracy_why"] if found else "",
        sent_back=found["sent_back"] if found else None,
        warned=standing.warned,
        gold=gold,
    )


@dataclass(frozen=True, slots=True)
class Below:
    """An annotator significantly below the queue's minimum, or on hold. seat: theirs."""

    seat: Seat
    right: int
    done: int
    share: Interval | None


def below(seats: Sequence[Seat]) -> list[Below]:
    """The annotators below the minimum, with their gold results since a lead last reinstated them."""
    return [Below(seat, *seat.gold_looked_at, rules.gold_accuracy(*seat.gold_looked_at)) for seat in seats]


def items_url(queue: Queue) -> str:
    """URL of the items behind cells, without the cell's parameters."""
    return reverse("quality:quality_items", args=[queue.uuid])


def row_of(head: str, cells: list[Cell]) -> MatrixRow:
    """A row with its rendered cells."""
    return MatrixRow(head, cells, mark_safe("".join(drawn(cell) for cell in cells)))  # noqa: S308  `drawn` escapes


def drawn(cell: Cell) -> str:
    """One cell of a matrix as HTML. URLs consist of keys and uuids; everything else is escaped."""
    if not cell.text:
        return "<td></td>"
    kind, title = f' class="d{cell.depth}"' if cell.depth else "", escape(cell.title)
    text = f"{cell.text}<br><small>{cell.sub}</small>" if cell.sub else cell.text
    if not cell.url:
        return f'<td{kind}><span title="{title}">{text}</span></td>'
    return f'<td{kind}><a href="{cell.url}" title="{title}" aria-label="{title}"><span>{text}</span></a></td>'


def depth(value: float, top: float) -> int:
    """The color step of a cell; 0 for none."""
    return DEPTHS[min(len(DEPTHS) - 1, int(value / top * len(DEPTHS)))] if value and top else 0


# ── Annotator × annotator (items: URL of the lists behind the cells)
# ────────────────────────────────────────────────────────────
def of_people(report: QualityReport, standings: Sequence[Standing]) -> dict[int, Standing]:
    """The people whose pairs were kept, by key, those with most annotations first."""
    paired = {user for row in report.figures["pairs"] for user in row[:2]}
    found = [each for each in standings if each.seat.user_id in paired]
    ranked = sorted(found, key=lambda each: -(each.figures["annotations"] if each.figures else 0))
    return {each.seat.user_id: each for each in ranked}


def people_matrix(
    items: str, report: QualityReport, people: dict[int, Standing], *, limit: int | None
) -> Matrix:
    """Pairwise agreement on shared items; a stronger color means more disagreement."""
    shown = list(people)[:limit]
    pairs = {(row[0], row[1]): row for row in report.figures["pairs"]}
    rows = []
    for one in shown:
        cells = [people_cell(items, people, pairs.get((min(one, other), max(one, other)))) for other in shown]
        rows.append(row_of(people[one].name, cells))
    return Matrix([people[user].name for user in shown], rows, len(people))


def people_cell(items: str, people: dict[int, Standing], row: list[Any] | None) -> Cell:
    """The cell of a pair of people; blank for a person with themselves, and without shared items."""
    if row is None:
        return BLANK
    one, other, n, equal, *_ = row
    names = f"{people[one].name} and {people[other].name}"
    url = people_url(items, people, row) if equal < n else ""
    if n < FEWEST:
        return Cell("few", count(n), f"{names}: too few, {count(n)} shared items", url)
    share = equal / n
    return Cell(
        f"{100 * share:.0f}",
        count(n),
        f"{names}: {percent(share)} equal on {count(n)} shared items",
        url,
        depth(1 - share, 0.5),
    )


def people_url(items: str, people: dict[int, Standing], row: list[Any]) -> str:
    """URL of the items on which two people differ."""
    return f"{items}?people={people[row[0]].seat.pk}%7C{people[row[1]].seat.pk}"


def least_agreeing(items: str, report: QualityReport, people: dict[int, Standing]) -> list[PairRow]:
    """The pairs of people with the lowest Cohen's kappa."""
    known = [
        row for row in report.figures["pairs"] if row[4] is not None and row[0] in people and row[1] in people
    ]
    return [
        PairRow(
            f"{people[row[0]].name} and {people[row[1]].name}",
            people_url(items, people, row) if row[3] < row[2] else "",
            row[2],
            row[3] / row[2],
            *row[4:7],
        )
        for row in sorted(known, key=lambda row: row[4])[:WORST]
    ]


# ── Label × label ───────────────────────────────────────────────────────────
def label_url(items: str, one: Label, other: Label) -> str:
    """URL of the items with both labels."""
    return f"{items}?labels={one.stable_id}%7C{other.stable_id}"


def label_matrix(items: str, report: QualityReport, labels: Sequence[Label], *, limit: int | None) -> Matrix:
    """The number of items with each pair of labels; most confused labels first, so that pairs are
    adjacent.
    """
    met = {(first, second): number for first, second, number in report.figures["confusion"]}
    order = list(
        dict.fromkeys(
            at
            for first, second, _ in report.figures["confusion"]
            if first != second
            for at in (first, second)
        )
    )
    shown = order[:limit]
    top = max((number for (first, second), number in met.items() if first != second), default=0)
    rows = []
    for one in shown:
        cells = [
            label_cell(items, labels, one, other, met.get((min(one, other), max(one, other)), 0), top)
            for other in shown
        ]
        rows.append(row_of(labels[one].name, cells))
    return Matrix([labels[at].name for at in shown], rows, len(order))


def label_cell(items: str, labels: Sequence[Label], one: int, other: int, met: int, top: int) -> Cell:
    """The cell of a pair of labels. The diagonal counts items with the label from two or more people; it has
    no link and no color.
    """
    if not met:
        return BLANK
    first, second = labels[one], labels[other]
    if one == other:
        return Cell(count(met), title=f"{first.name}, given by two or more: {things(met, 'item')}")
    return Cell(
        count(met),
        "",
        f"{first.name} and {second.name}: {things(met, 'item')}",
        label_url(items, first, second),
        depth(met, top),
    )


def most_confused(items: str, report: QualityReport, labels: Sequence[Label]) -> list[PairRow]:
    """The most confused pairs of labels."""
    mixed = [row for row in report.figures["confusion"] if row[0] != row[1]]
    return [
        PairRow(
            f"{labels[first].name} / {labels[second].name}",
            label_url(items, labels[first], labels[second]),
            met,
        )
        for first, second, met in mixed[:WORST]
    ]


# ── Head ────────────────────────────────────────────────────────────────────
def figures(queue: Queue, report: QualityReport, ahead: Forecast) -> list[Figure]:
    """The head numbers of the page."""
    known = {each["name"]: each for each in report.figures["coefficients"]}
    main = leading(report.figures["coefficients"])
    name, _ = names(has_labels=queue.dataset.task_type.has_labels)[main["name"]]
    sub = main["why"] or "95\u00a0% " + between(main["low"], main["high"])
    pace = (
        f"{decimals(ahead.per_day, 1 if ahead.per_day < 10 else 0)} a day" if ahead.per_day else "no pace yet"
    )
    done = duration(ahead.days * 86_400) if ahead.days else "Done" if ahead.days == 0 else "Unknown"
    return [
        Figure(name.split(",")[0], decimals(main["value"], 2), sub=sub),
        Figure(
            "Pairwise agreement",
            percent(known["percent"]["value"]),
            sub=f"on {count(known['percent']['n'])} items",
        ),
        Figure("Annotations", count(report.figures["annotations"]), sub="currently counted"),
        Figure("Left", count(ahead.left), sub="annotations, now"),
        Figure("Done in", done, sub=ahead.why or f"at the pace of the last 7 days, {pace}"),
    ]


def between(low: float | None, high: float | None) -> str:
    """The ends of an interval as text."""
    return (
        "interval not measured"
        if low is None or high is None
        else f"interval {decimals(low, 2)} to {decimals(high, 2)}"
    )
