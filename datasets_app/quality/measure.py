"""Measure annotators and confused labels from annotations. Pure; reads one item at a time.

Memory grows with people, labels and days, never with items.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Any, NamedTuple

from datasets_app.quality.agreement import FEWEST, Coefficient, Tally, cohen_interval, cohen_of, dawid_skene
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.task_types.task_type import TaskType

WEEK = timedelta(days=7)
DAYS_KEPT = 60
STEP = math.log(1.01)  # times are kept to within 1 %
MOST_PEOPLE = 60  # people, those with most annotations, whose pairwise agreement is kept
# items, spread over the queue, from which a consensus is estimated; at most twice as many
CONSENSUS_ITEMS = 5_000
CONSENSUS_CELLS = 5_000_000  # people × labels × labels up to which confusions are estimated
CONSENSUS_PEOPLE = 3  # fewer people can't be distinguished
SMOOTHING = 0.03  # annotations added to each annotator's row of a true label, in equal parts
MOST_CELLS = 2_000  # pairs of labels that are kept, most confused first
ALWAYS_SHOWN, ALWAYS_SHARE = 50, 0.98
ALWAYS_WRONG, ALWAYS_TAKEN = 5, 0.5
ALWAYS_RULE = (
    f"Accepted the first pre-label on {ALWAYS_SHARE * 100:.0f}\u00a0% or more of at least {ALWAYS_SHOWN}"
    f" items and, if {ALWAYS_WRONG} or more of these pre-labels were wrong, accepted more than half of the"
    " wrong ones too."
)


class Given(NamedTuple):
    """One current annotation. value, suggested: from `compared`; suggested is None if no pre-label was shown.
    seconds: 0 if unknown.
    """

    item: int
    user: int
    value: Any
    seconds: float
    at: datetime
    suggested: Any = None


@dataclass(slots=True)
class Worker:
    """Figures of one annotator. judged: annotations of items labeled by several people, an adjudicator, or an
    import.

    gold_…: gold annotations, not included in the others; gold_labels: by stable id of the gold label,
    [annotations, correct].
    """

    annotations: int = 0
    week: int = 0
    judged: int = 0
    right: int = 0
    sent_back: int = 0
    shown: int = 0
    accepted: int = 0
    wrong_shown: int = 0
    wrong_taken: int = 0
    gold_done: int = 0
    gold_right: int = 0
    gold_labels: dict[str, list[int]] = field(default_factory=dict)
    times: Counter[int] = field(default_factory=Counter)

    def add(self, answer: Given, decided: Any, *, recent: bool) -> None:
        """Count one annotation. decided: the item's resolved value; None if it's no evidence about this
        annotation.
        """
        self.annotations += 1
        self.week += recent
        if answer.seconds > 0:
            self.times[round(math.log(answer.seconds) / STEP)] += 1
        if decided is not None:
            self.judged += 1
            self.right += answer.value == decided
        if answer.suggested is None:
            return
        took = answer.value == answer.suggested
        self.shown += 1
        self.accepted += took
        if decided is not None and decided != answer.suggested:
            self.wrong_shown += 1
            self.wrong_taken += took

    def document(self) -> dict[str, Any]:
        """The figures as JSON, with the median time instead of all times."""
        names = [
            "annotations",
            "week",
            "judged",
            "right",
            "sent_back",
            "shown",
            "accepted",
            "wrong_shown",
            "wrong_taken",
        ]
        names += ["gold_done", "gold_right", "gold_labels"]
        return {name: getattr(self, name) for name in names} | {"median_seconds": median(self.times)}


def median(times: Counter[int]) -> float | None:
    """The median in seconds, to within 1 %, of times kept as rounded logarithms. None without any."""
    seen, half = 0, times.total() / 2
    for at in sorted(times):
        seen += times[at]
        if seen >= half:
            return round(math.exp(at * STEP), 2)
    return None


def always_accepts(worker: dict[str, Any]) -> bool:
    """Whether a person accepts pre-labels regardless of correctness: ALWAYS_RULE."""
    if worker["shown"] < ALWAYS_SHOWN or worker["accepted"] < ALWAYS_SHARE * worker["shown"]:
        return False
    return (
        worker["wrong_shown"] < ALWAYS_WRONG or worker["wrong_taken"] > ALWAYS_TAKEN * worker["wrong_shown"]
    )


class Apart(NamedTuple):
    """Two people's different annotations of one item. one < other; leads: whether it's the item's first with
    these two values.
    """

    item: int
    one: int
    other: int
    first: Any
    second: Any
    leads: bool


class Measure:
    """Measures a queue's annotations, item by item in any order. kind: the task's type. order: the values of
    single labels, from first to last.
    """

    def __init__(self, now: datetime, kind: TaskType, order: Sequence[Any] = ()) -> None:
        self.now, self.kind = now, kind
        self.tally = Tally(kind.answers.coefficients, order)
        self.workers: dict[int, Worker] = defaultdict(Worker)
        self.pairs: dict[tuple[int, int], Counter[tuple[Any, Any]]] = defaultdict(Counter)
        self.together: Counter[tuple[Any, Any]] = Counter()
        self.days: Counter[date] = Counter()
        self.gold: dict[str, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
        self.sample, self.every, self.shared = list[Sequence[Given]](), 1, 0
        self.first_at: datetime | None = None

    def add(self, answers: Sequence[Given], decided: Any = None) -> list[Apart]:
        """Add one item's annotations, each by another person. Returns the pairs that differ."""
        for answer in answers:
            self.workers[answer.user].add(answer, decided, recent=answer.at > self.now - WEEK)
            self.days[answer.at.date()] += 1
            self.first_at = min(self.first_at or answer.at, answer.at)
        self.tally.add([(answer.user, answer.value) for answer in answers])
        self.keep(answers)
        return list(self.compare(sorted(answers, key=lambda answer: answer.user)))

    def add_gold(self, items: Mapping[str, Mapping[int, bool]]) -> None:
        """Add one person's gold annotations: by stable id of the gold label, item → whether it's correct."""
        for key, answers in items.items():
            for item, right in answers.items():
                self.gold[key][item].append(right)

    def gold_items(self) -> dict[str, list[list[int]]]:
        """By stable id of the gold label: [correct annotations, annotations, items with these counts], for
        the clustering by item.
        """
        counted = {
            key: Counter((sum(each), len(each)) for each in items.values())
            for key, items in self.gold.items()
        }
        return {
            key: [[*cell, items] for cell, items in sorted(cells.items())]
            for key, cells in sorted(counted.items())
        }

    def keep(self, answers: Sequence[Given]) -> None:
        """Keep every n-th item with two or more annotations, so that there are never more than twice
        CONSENSUS_ITEMS.
        """
        if len(answers) < 2 or not self.kind.one_label:
            return
        if self.shared % self.every == 0:
            self.sample.append(answers)
        self.shared += 1
        if len(self.sample) >= 2 * CONSENSUS_ITEMS:
            self.sample, self.every = self.sample[::2], 2 * self.every

    def estimated_accuracy(self) -> tuple[dict[int, Interval], str]:
        """Estimated accuracy of each person, and the reason if it isn't measured.

        Not measured if fewer than three people share 20 items or more, since two who differ can't be
        distinguished, or with thousands of labels.
        """
        if not self.kind.one_label:
            return {}, "Not measured: for tasks with one label per text only."
        given = [(answer.item, answer.user, answer.value) for answers in self.sample for answer in answers]
        people = Counter(user for _, user, _ in given)
        known = {user for user, answers in people.items() if answers >= FEWEST}
        labels = len({value for *_, value in given})
        if len(known) < CONSENSUS_PEOPLE:
            return (
                {},
                (
                    f"Not measured: fewer than {CONSENSUS_PEOPLE} people have {FEWEST} annotations of shared"
                    " items."
                ),
            )
        if len(people) * labels**2 > CONSENSUS_CELLS:
            return {}, "Not measured: too many people and labels."
        found = dawid_skene(given, smoothing=SMOOTHING / labels).accuracy_intervals()
        needed = labels * (labels - 1) + FEWEST
        why = f"Not enough data: fewer than {needed:,} annotations of shared items."
        return {user: found[user] for user in known if user in found}, why

    def compare(self, answers: Sequence[Given]) -> Iterator[Apart]:
        """Count the pairs of annotations of one item, and yield those that differ."""
        known: set[tuple[Any, Any]] = set()
        for one, other in combinations(answers, 2):
            values = (one.value, other.value)
            if self.kind.one_label:
                self.pairs[one.user, other.user][values] += 1
                first, second = sorted(values)
                self.together[first, second] += (first, second) not in known
            else:  # too many different values to keep: only whether they are equal
                self.pairs[one.user, other.user][
                    (True, True) if one.value == other.value else (True, False)
                ] += 1
                first, second = None, None
            if one.value != other.value:
                yield Apart(one.item, one.user, other.user, first, second, (first, second) not in known)
            known.add((first, second))

    def figures(self) -> dict[str, Any]:
        """All figures as JSON. People are given by key, labels by place in the given order."""
        likely, why = self.estimated_accuracy()
        kept = [
            user
            for user, _ in sorted(self.workers.items(), key=lambda row: (-row[1].annotations, row[0]))[
                :MOST_PEOPLE
            ]
        ]
        return {
            "items": self.tally.items,
            "annotations": sum(each.annotations for each in self.workers.values()),
            "coefficients": [coefficient_data(each) for each in self.tally.coefficients()],
            "people": {
                str(user): worker.document() | likely_data(likely.get(user), why)
                for user, worker in sorted(self.workers.items())
            },
            "pairs": [
                self.pair(one, other)
                for one, other in combinations(sorted(kept), 2)
                if (one, other) in self.pairs
            ],
            "confusion": self.confusion(),
            "days": self.recent_days(),
            "week": sum(each.week for each in self.workers.values()),
            "first_at": self.first_at.isoformat() if self.first_at else None,
            "gold": self.gold_items(),
        }

    def pair(self, one: int, other: int) -> list[Any]:
        """[one, other, shared items, equal annotations, Cohen's kappa, low, high]; kappa from 20 shared items
        on, for single labels.
        """
        cells = self.pairs[one, other]
        n, equal = cells.total(), sum(count for (first, second), count in cells.items() if first == second)
        if n < FEWEST or not self.kind.one_label:
            return [one, other, n, equal, None, None, None]
        interval = cohen_interval(cells)
        low, high = interval if interval else (None, None)
        return [one, other, n, equal, rounded(cohen_of(cells)), rounded(low), rounded(high)]

    def confusion(self) -> list[list[int]]:
        """[first label, second label, items with both]: pairs of different labels by items, then labels given
        by two or more people.
        """
        ranked = sorted(self.together.items(), key=lambda cell: (cell[0][0] == cell[0][1], -cell[1], cell[0]))
        mixed = [[*labels, count] for labels, count in ranked if labels[0] != labels[1]][:MOST_CELLS]
        return mixed + [[*labels, count] for labels, count in ranked if labels[0] == labels[1]]

    def recent_days(self) -> list[list[Any]]:
        """[day, annotations] of the last 60 days since the first annotation, days without any included."""
        if self.first_at is None:
            return []
        last = self.now.date()
        first = max(self.first_at.date(), last - timedelta(days=DAYS_KEPT - 1))
        return [
            [day.isoformat(), self.days[day]]
            for at in range((last - first).days + 1)
            if (day := first + timedelta(days=at))
        ]


def coefficient_data(each: Coefficient) -> dict[str, Any]:
    """A coefficient as JSON."""
    ends = {"value": rounded(each.value), "low": rounded(each.low), "high": rounded(each.high)}
    return {"name": each.name, **ends, "n": each.n, "why": each.why}


def likely_data(share: Interval | None, why: str) -> dict[str, Any]:
    """Estimated accuracy by person, as JSON. why: the reason if it isn't measured."""
    if share is None:
        return {
            "estimated_accuracy": None,
            "estimated_accuracy_interval": None,
            "estimated_accuracy_why": why,
        }
    return {
        "estimated_accuracy": rounded(share.value),
        "estimated_accuracy_interval": [rounded(share.low), rounded(share.high)],
        "estimated_accuracy_why": "",
    }


def rounded(value: float | None) -> float | None:
    """The value with two more digits than any page shows."""
    return None if value is None else round(value, 5)


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a queue will be done. left: annotations. per_day: in the last 7 days. days: None if unknown; why
    has the reason.
    """

    left: int
    per_day: float | None
    days: float | None
    why: str = ""


def forecast(*, left: int, state: str, week: int, first_at: datetime | None, as_of: datetime) -> Forecast:
    """Extrapolate the pace of the 7 days before `as_of`, or since the first annotation if that is later, but
    at least a day.
    """
    if not left:
        return Forecast(0, None, 0.0, "All annotations are done.")
    span = min(WEEK, max(timedelta(days=1), as_of - first_at)) if first_at else WEEK
    per_day = week / (span / timedelta(days=1))
    if state == "paused":
        return Forecast(left, per_day, None, "Unknown: the queue is paused.")
    if not week:
        return Forecast(left, None, None, "Unknown: no annotations in the 7 days before the report.")
    return Forecast(left, per_day, left / per_day)
