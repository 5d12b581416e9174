"""Acting on answers only from a score on: precision, recall, what goes to a person, and what it all costs. numpy only.

Three questions share the arithmetic. One class: score is its probability, positive means that the row has that class; rows from `high` on
are called that class, rows below `low` are not, rows between go to a person. Any class: score is the confidence, positive means that the
answer is right; rows from `high` on are answered, all others go to a person, so `low` is 0. Marked parts: a row is a span that was found,
score is its confidence, positive means that it is right; or a true span that was not found, which is positive and UNSCORED.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lifecycle.statistics.calibration import THRESHOLD_ROWS
from lifecycle.statistics.intervals import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = float("inf")  # the threshold that no score reaches
UNSCORED = -NEVER  # in place of the score that a positive row has not: no threshold calls it, and nobody is handed it
RESAMPLES = 1000
PER = 1000  # rows for which a cost is told


class Scores(NamedTuple):
    """Rows for one question, all (N,). called: by the model's own answers."""

    score: Floats
    positive: Bools
    called: Bools


@dataclass(frozen=True)
class Curve:
    """What each threshold does. thresholds: scores that occur, ascending (T,); called: rows from each on; hits: positive ones of them;
    positives: all positive rows; rows: all that have a score."""

    thresholds: Floats
    called: Ints
    hits: Ints
    positives: int
    rows: int

    @property
    def precision(self) -> Floats:
        """Share of the called rows that are positive (T,)."""
        share: Floats = self.hits / self.called
        return share

    @property
    def recall(self) -> Floats:
        """Share of the positive rows that are called (T,); 1 without positive rows, as scikit-learn has it."""
        share: Floats = self.hits / self.positives if self.positives else np.ones(len(self.hits))
        return share

    @property
    def coverage(self) -> Floats:
        """Share of the rows with a score that are called (T,)."""
        share: Floats = self.called / self.rows
        return share


def curve(scores: Floats, positive: Bools) -> Curve:
    """The curve of N rows; it has no threshold where none of them has a score."""
    scored = scores != UNSCORED
    found, right = scores[scored], positive[scored]
    order = np.argsort(found, kind="stable")
    thresholds, starts = np.unique(found[order], return_index=True)
    before = np.concatenate(([0], np.cumsum(right[order])))  # positive rows below each place
    return Curve(thresholds, len(found) - starts, before[-1] - before[starts], int(positive.sum()), len(found))


# ── Choosing ────────────────────────────────────────────────────────────────
def for_precision(found: Curve, target: float) -> float | None:
    """The lowest threshold with at least this precision, so that most rows are called; None where none has it."""
    enough = np.flatnonzero(found.precision >= target)
    return float(found.thresholds[enough[0]]) if len(enough) else None


def for_recall(found: Curve, target: float) -> float | None:
    """The most precise threshold with at least this recall, of equals the highest; None where none has it, as some rows have no score, or
    where no row is positive."""
    enough = found.recall >= target
    return _most_precise(found, enough) if found.positives and enough.any() else None


def for_coverage(found: Curve, target: float) -> float:
    """The most precise threshold that calls at least this share of all rows; of equals the highest."""
    return _most_precise(found, found.coverage >= target)


def _most_precise(found: Curve, allowed: Bools) -> float:
    precision = np.where(allowed, found.precision, -1.0)
    return float(found.thresholds[np.flatnonzero(precision == precision.max())[-1]])


def choose_for(by: str, target: float, probabilities: Floats, truth: Bools, minimum: int = THRESHOLD_ROWS) -> list[tuple[float, bool]]:
    """For each class of probabilities and truth (N, C) a threshold with at least this precision or recall on these rows, and whether it is
    reached. by: "precision", then most rows are called; "recall", then the most precise. Where no threshold reaches a precision the most
    precise one is taken; where fewer than `minimum` rows have the class it is 0.5, and nothing is reached.

    Thresholds stand in the middle between two scores, so that a score that is computed a little otherwise falls on the same side.
    """
    return [choose_one(by, target, probabilities[:, at], truth[:, at], minimum) for at in range(truth.shape[1])]


def choose_one(by: str, target: float, scores: Floats, positive: Bools, minimum: int = THRESHOLD_ROWS) -> tuple[float, bool]:
    """As `choose_for`, of one class. scores: its probabilities (N,); positive: the rows that have it (N,)."""
    if int(positive.sum()) < minimum:
        return 0.5, False
    found = curve(scores, positive)
    chosen = for_precision(found, target) if by == "precision" else for_recall(found, target)
    threshold = chosen if chosen is not None else _most_precise(found, np.ones(len(found.hits), dtype=np.bool_))
    at = int(np.searchsorted(found.thresholds, threshold))
    below = float(found.thresholds[at - 1]) if at else 0.0
    return (below + threshold) / 2, chosen is not None


@dataclass(frozen=True)
class Costs:
    """Of one row: called wrongly, missed, and handed to a person; None where nothing can be handed over."""

    false: float
    missed: float = 0.0
    person: float | None = None


def cheapest(found: Curve, costs: Costs) -> tuple[float, float]:
    """(low, high) of the least cost for one class against the others; of equals the one that hands the fewest rows over.

    Without a cost of handing over low is high. Rows that no threshold calls are those of NEVER.
    """
    thresholds, called, hits = np.append(found.thresholds, NEVER), np.append(found.called, 0), np.append(found.hits, 0)
    false, missed = called - hits, found.positives - hits
    if costs.person is None:
        at = int(np.argmin(costs.false * false + costs.missed * missed))
        return float(thresholds[at]), float(thresholds[at])
    from_low = costs.missed * missed + costs.person * called  # less what is called from high on
    best, places = np.inf, np.zeros(len(called), dtype=np.int64)
    for at, cost in enumerate(from_low):  # the best low at or below each high
        places[at] = at if cost <= best else places[at - 1]
        best = min(best, cost)
    at = int(np.argmin(costs.false * false - costs.person * called + from_low[places]))
    return float(thresholds[places[at]]), float(thresholds[at])


def cheapest_confidence(found: Curve, costs: Costs) -> float:
    """The confidence from which answering costs least, every other row being handed over; of equals the lowest."""
    called, hits = np.append(found.called, 0), np.append(found.hits, 0)
    at = int(np.argmin(costs.false * (called - hits) + (costs.person or 0.0) * (found.rows - called)))
    return float(np.append(found.thresholds, NEVER)[at])


# ── What a choice does ──────────────────────────────────────────────────────
@dataclass(frozen=True)
class Outcome:
    """Rows of each kind: hit and false are called, missed and passed are not, person: handed over. unscored: those of the missed that have
    no score, so that they could not be called."""

    hit: int
    false: int
    missed: int
    passed: int
    person: int
    positives: int
    unscored: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.hit + self.false + self.missed + self.passed + self.person

    def share(self, of: str) -> tuple[float | None, float, float]:
        """(share, low, high) with its 95 % Wilson interval; None where there is nothing below. of: precision; recall; called or person, of
        the rows with a score."""
        scored = self.rows - self.unscored
        above, below = {
            "precision": (self.hit, self.hit + self.false),
            "recall": (self.hit, self.positives),
            "called": (self.hit + self.false, scored),
            "person": (self.person, scored),
        }[of]
        return (above / below if below else None, *wilson(above, below))

    def cost(self, costs: Costs, *, seed: int = 1) -> tuple[float | None, float, float]:
        """(mean, low, high) of what 1,000 rows cost; None without a row.

        low, high: 95 %, of the chances of each kind of row by Dirichlet with half a row of each added (the prior of H. Jeffreys 1946, of
        which Brown, Cai and DasGupta 2001 show how it covers). From 30 rows on, also where a dear kind was never seen: resampled rows,
        which then cost nothing for sure, hold the true cost of 30 rows in 36 to 92 %. Rows are independent.
        """
        if not self.rows:
            return None, 0.0, 0.0
        kinds: dict[float, int] = {0.0: self.hit + self.passed}  # those of one price are one kind
        for price, count in ((costs.false, self.false), (costs.missed, self.missed), (costs.person, self.person)):
            if price is not None:
                kinds[price] = kinds.get(price, 0) + count
        prices, counts = (np.array(list(each), dtype=np.float64) for each in (kinds, kinds.values()))
        mean = float(counts @ prices / self.rows * PER)
        drawn = np.random.default_rng(seed).dirichlet(counts + 0.5, size=RESAMPLES) @ prices * PER
        low, high = np.percentile(drawn, (2.5, 97.5))
        return mean, min(mean, float(low)), max(mean, float(high))


def outcome(scores: Floats, positive: Bools, low: float, high: float) -> Outcome:
    """What calling from high on, not calling below low and handing over what lies between does to these rows."""
    return outcome_of(positive, scores >= high, (scores >= low) & (scores < high), unscored=count_unscored(scores))


def count_unscored(scores: Floats) -> int:
    """Rows without a score."""
    return int((scores == UNSCORED).sum())


def outcome_of(positive: Bools, called: Bools, person: Bools | None = None, *, unscored: int = 0) -> Outcome:
    """The same for rows that were called, and handed over, in any other way, such as by the likeliest class."""
    rest = ~called if person is None else ~called & ~person
    return Outcome(
        hit=int((called & positive).sum()),
        false=int((called & ~positive).sum()),
        missed=int((rest & positive).sum()),
        passed=int((rest & ~positive).sum()),
        person=0 if person is None else int(person.sum()),
        positives=int(positive.sum()),
        unscored=unscored,
    )
