"""Acting on answers only from a score on: precision, recall, what goes to a person, and what it all costs. numpy and scipy.

Three questions share the arithmetic. One class: score is its probability, positive means that the row has that class; rows from `high` on
are called that class, rows below `low` are not, rows between go to a person. Any class: score is the confidence, positive means that the
answer is right; rows from `high` on are answered, all others go to a person, so `low` is 0. Marked parts: a row is a span that was found,
score is its confidence, positive means that it is right; or a true span that was not found, which is positive and UNSCORED.

A threshold that has a precision on some rows seldom has it on others, as it is the lowest that chance lets through: of calibrated models
3 to 5 of ten do. So a threshold is *promised* where these rows show that others like them reach the target, and else *estimated*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.statistics.intervals import Z95

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = float("inf")  # the threshold that no score reaches
UNSCORED = -NEVER  # in place of the score that a positive row has not: no threshold calls it, and nobody is handed it
RESAMPLES = 1000
PER = 1000  # rows for which a cost is told
SURE = 0.95  # with which a target is promised
STARTS, ROWS_A_START = 3, 200  # places of the curve at which testing precision begins


class Scores(NamedTuple):
    """Rows for one question, all (N,). called: by the model's own answers. clusters: number of each row's cluster, such as near duplicates,
    or the spans of one text; None where nobody counted."""

    score: Floats
    positive: Bools
    called: Bools
    clusters: Ints | None = None


class Worth(NamedTuple):
    """As how many independent rows those count of which a share is taken, at each threshold (T,). known: as `clustered.effective` has it;
    least: if all rows of a cluster were alike."""

    known: Floats
    least: Floats


@dataclass(frozen=True)
class Curve:
    """What each threshold does. thresholds: scores that occur, ascending (T,); called: rows from each on; hits: positive ones of them;
    positives: all positive rows; rows: all that have a score. worth: of rows in clusters, what those below precision, recall and coverage
    count; None: rows are independent."""

    thresholds: Floats
    called: Ints
    hits: Ints
    positives: int
    rows: int
    worth: Mapping[str, Worth] | None = None

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


def curve(scores: Floats, positive: Bools, clusters: Ints | None = None) -> Curve:
    """The curve of N rows; it has no threshold where none of them has a score. clusters: number of each row's cluster (N,); None, as where
    each row is one of its own: independent."""
    scored = scores != UNSCORED
    found, right = scores[scored], positive[scored]
    order = np.argsort(found, kind="stable")
    thresholds, starts = np.unique(found[order], return_index=True)
    before = np.concatenate(([0], np.cumsum(right[order])))  # positive rows below each place
    called = len(found) - starts
    worth = None
    if clusters is not None and len(np.unique(clusters)) < len(clusters):
        worth = _worth(clusters, scored, positive, np.flatnonzero(scored)[order][::-1], called)
    return Curve(thresholds, called, before[-1] - before[starts], int(positive.sum()), len(found), worth)


def _worth(clusters: Ints, scored: Bools, positive: Bools, down: Ints, called: Ints) -> dict[str, Worth]:
    """Of each share what the rows below it count where `called` rows are called (T,). down: rows from the highest score on."""
    _, number = np.unique(clusters, return_inverse=True)
    codes, hit, every = number[down], positive[down].astype(np.int64), np.ones(len(down), dtype=np.int64)
    none = np.zeros(int(number.max()) + 1, dtype=np.int64)
    parts = {
        "precision": (hit, every, none),
        "recall": (hit, 0 * every, np.bincount(number[positive], minlength=len(none))),
        "coverage": (every, 0 * every, np.bincount(codes, minlength=len(none))),
    }
    return {by: Worth(*(each[called - 1] for each in clustered.effective_so_far(codes, *part))) for by, part in parts.items()}


# ── Choosing ────────────────────────────────────────────────────────────────
class Choice(NamedTuple):
    """A threshold for a target. is_met: these rows reach it; promised: other rows like them do too, with SURE."""

    threshold: float
    is_met: bool = True
    promised: bool = False


def choose(found: Curve, by: str, target: float) -> Choice | None:
    """The threshold for at least this precision, recall or coverage (`by`): of those that are promised, else of those that reach it here.

    Of a precision it is the lowest, so that most rows are called; of the others the most precise, of equals the highest. None where none
    reaches the target here, as where some positive rows have no score, or where no row is positive.
    """
    for allowed, sure in ((promised(found, by, target), True), (reached(found, by, target), False)):
        if allowed.any():
            lowest = float(found.thresholds[np.flatnonzero(allowed)[0]])
            return Choice(lowest if by == "precision" else _most_precise(found, allowed), promised=sure)
    return None


def reached(found: Curve, by: str, target: float) -> Bools:
    """The thresholds at which these rows have at least this precision, recall or coverage (T,)."""
    share: Floats = getattr(found, by)
    return (share >= target) & (found.positives > 0 if by == "recall" else True)


def promised(found: Curve, by: str, target: float, sure: float = SURE) -> Bools:
    """The thresholds at which other rows reach the target (0 to 1) too (T,): with `sure` that holds of all of them at once.

    Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: calibrating predictive algorithms to achieve risk
    control", 2021): of each threshold the exact binomial p-value that the target is missed there, in an order that looks at no truth.
    Recall and coverage fall as the threshold rises, so they are tested from the lowest up until one is not told. Precision need not
    fall step by step and is told by few rows at the strictest thresholds: testing begins at up to STARTS places, one for each ROWS_A_START
    rows, spaced by their number of called rows from the fewest on that could tell; each has its part of 1 − sure, and hands on what it has
    while thresholds below are told (the fallback procedure: Wiens and Dmitrienko, Journal of Biopharmaceutical Statistics 15, 2005).

    Of rows in clusters the tests take the effective number of rows: the rows divided by the design effect at that threshold, and where
    all are right the number if a cluster is all alike (E. Korn and B. Graubard, "Confidence intervals for proportions with small expected
    number of positive counts estimated from survey data", Survey Methodology 24(2), 1998). Where testing begins looks at that last alone.

    Assumes independent rows, or clusters, of the kind that is asked about, which chose neither weights nor scores, and a precision that
    does not fall as the threshold rises. With too few rows nothing is promised: a precision or recall of 0.9 takes 29 rows, all of them
    right; 1 is never promised.
    """
    alpha, none = 1 - sure, np.zeros(len(found.thresholds), dtype=np.bool_)
    if not 0 < target < 1:
        return none
    successes, trials, counted = _tried(found, by)
    chances = _at_least(successes, trials, target)
    if by != "precision":
        return chances <= alpha
    if not len(none):
        return none
    strictest_first = slice(None, None, -1)
    called = np.maximum.accumulate(counted[strictest_first])
    rows = called[-1]
    starts = min(STARTS, max(1, int(rows) // ROWS_A_START))
    fewest = np.ceil(np.log(alpha / starts) / np.log(target))
    if fewest > rows:
        return none
    levels = np.zeros(len(none))
    np.add.at(levels, np.searchsorted(called, np.geomspace(fewest, rows, starts + 1)[:-1] - 1e-9), alpha / starts)
    told, handed = [], 0.0
    for own, p in zip(levels.tolist(), chances[strictest_first].tolist(), strict=True):
        level = own + handed
        told.append(0 < level >= p)
        handed = level if told[-1] else 0.0
    return np.array(told, dtype=np.bool_)[strictest_first]


def _tried(found: Curve, by: str) -> tuple[Any, Any, Any]:
    """Successes and trials of which the share is tested at each threshold, and the trials as they count whatever is true (T,)."""
    if found.worth is not None:
        worth: Worth = found.worth[by]
        return getattr(found, by) * worth.known, worth.known, worth.least
    successes, trials = {
        "precision": (found.hits, found.called),
        "recall": (found.hits, np.full(len(found.hits), found.positives)),
        "coverage": (found.called, np.full(len(found.hits), found.rows)),
    }[by]
    return successes, trials, trials


def _at_least(successes: Any, trials: Any, share: float) -> Floats:
    """The chance of so many successes or more, as `significance.at_least` has it (T,)."""
    some = np.where(successes > 0, successes, 1)
    return np.where(successes > 0, scipy.special.betainc(some, np.maximum(trials - some, 0) + 1, share), 1.0)


def _most_precise(found: Curve, allowed: Bools) -> float:
    precision = np.where(allowed, found.precision, -1.0)
    return float(found.thresholds[np.flatnonzero(precision == precision.max())[-1]])


def choose_for(
    by: str, target: float, probabilities: Floats, truth: Bools, minimum: int = THRESHOLD_ROWS, clusters: Ints | None = None
) -> list[Choice]:
    """For each class of probabilities and truth (N, C) a threshold for at least this precision or recall, by itself. by: "precision", then
    most rows are called; "recall", then the most precise. Where no threshold reaches a precision the most precise one is taken; where fewer
    than `minimum` rows have the class it is 0.5, and nothing is reached. clusters: as of `curve`.

    Thresholds stand in the middle between two scores, so that a score that is computed a little otherwise falls on the same side.
    """
    return [choose_one(by, target, probabilities[:, at], truth[:, at], minimum, clusters) for at in range(truth.shape[1])]


def choose_one(
    by: str, target: float, scores: Floats, positive: Bools, minimum: int = THRESHOLD_ROWS, clusters: Ints | None = None
) -> Choice:
    """As `choose_for`, of one class. scores: its probabilities (N,); positive: the rows that have it (N,)."""
    if int(positive.sum()) < minimum:
        return Choice(0.5, is_met=False)
    found = curve(scores, positive, clusters)
    chosen = choose(found, by, target) or Choice(_most_precise(found, np.ones(len(found.hits), dtype=np.bool_)), is_met=False)
    at = int(np.searchsorted(found.thresholds, chosen.threshold))
    below = float(found.thresholds[at - 1]) if at else 0.0
    return chosen._replace(threshold=(below + chosen.threshold) / 2)


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
KINDS = ("hit", "false", "missed", "passed", "person", "positives", "unscored")  # of rows, as Outcome counts them


@dataclass(frozen=True)
class Outcome:
    """Rows of each kind: hit and false are called, missed and passed are not, person: handed over. unscored: those of the missed that have
    no score, so that they could not be called. clusters: the same of each cluster of rows (G, 7); None where rows are independent."""

    hit: int
    false: int
    missed: int
    passed: int
    person: int
    positives: int
    unscored: int = 0
    clusters: Ints | None = field(default=None, repr=False, compare=False)

    @property
    def rows(self) -> int:
        """All of them."""
        return self.hit + self.false + self.missed + self.passed + self.person

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {name: getattr(self, name) for name in KINDS}

    def share(self, of: str) -> tuple[float | None, float, float]:
        """(share, low, high) with its 95 % Wilson interval, at the effective number of rows where they come in clusters; None where there
        is nothing below. of: precision; recall; called or person, of the rows with a score."""
        parts = self.counts if self.clusters is None else dict(zip(KINDS, self.clusters.T, strict=True))
        called = parts["hit"] + parts["false"]
        scored = called + parts["missed"] + parts["passed"] + parts["person"] - parts["unscored"]
        above, below = {
            "precision": (parts["hit"], called),
            "recall": (parts["hit"], parts["positives"]),
            "called": (called, scored),
            "person": (parts["person"], scored),
        }[of]
        found = clustered.alone(above, below) if self.clusters is None else clustered.sums(above, below)
        told = clustered.share(found)
        return (told.value if found.below else None, told.low, told.high)

    def cost(self, costs: Costs, *, seed: int = 1) -> tuple[float | None, float, float]:
        """(mean, low, high) of what 1,000 rows cost; None without a row.

        low, high: 95 %, of the chances of each kind of row by Dirichlet with half a row of each added (the prior of H. Jeffreys 1946, of
        which Brown, Cai and DasGupta 2001 show how it covers). From 30 rows on, also where a dear kind was never seen: resampled rows,
        which then cost nothing for sure, hold the true cost of 30 rows in 36 to 92 %. Rows in clusters count as `_worth` of them says.
        """
        if not self.rows:
            return None, 0.0, 0.0
        kinds: dict[float, int] = {0.0: self.hit + self.passed}  # those of one price are one kind
        for price, count in ((costs.false, self.false), (costs.missed, self.missed), (costs.person, self.person)):
            if price is not None:
                kinds[price] = kinds.get(price, 0) + count
        prices, counts = (np.array(list(each), dtype=np.float64) for each in (kinds, kinds.values()))
        mean = float(counts @ prices / self.rows * PER)
        spread = float(counts @ prices**2 / self.rows - (mean / PER) ** 2)
        drawn = np.random.default_rng(seed).dirichlet(counts * self._worth(costs, spread) + 0.5, size=RESAMPLES) @ prices * PER
        low, high = np.percentile(drawn, (2.5, 97.5))
        return mean, min(mean, float(low)), max(mean, float(high))

    def _worth(self, costs: Costs, spread: float) -> float:
        """How much of an independent row each counts for the mean cost, 0 to 1: by the larger of two design effects, shortened for how few
        clusters they come from; at least if all rows of a cluster were alike. spread: variance of one row's cost.

        One is the variance of the mean over clusters. Where dear rows are rare it tells little, so the other is 1 + (m − 1) ρ, as of
        `clustered.design_effect`, with ρ by the kinds of rows: how much more often two rows of a cluster are of one kind than by chance.
        """
        if self.clusters is None:
            return 1.0
        kinds = self.clusters[:, :5].astype(np.float64)
        sizes, shares = kinds.sum(axis=1), kinds.sum(axis=0) / self.rows
        found = clustered.sums(kinds @ [0.0, costs.false, costs.missed, 0.0, costs.person or 0.0], sizes)
        least = found.equal / found.below
        if found.equal <= 1 or spread <= clustered.ROUNDING:
            return least
        within = (kinds * (sizes[:, None] - kinds) / sizes[:, None]).sum()
        rho = 1 - float(within / (shares * (1 - shares)).sum()) / (found.below - found.clusters)
        effect = max(1.0, found.variance / spread * found.below, 1 + (found.squares[2] / found.below - 1) * rho)
        return max(least, (Z95 / clustered.quantile(found.equal - 1)) ** 2 / effect)


def outcome(scores: Floats, positive: Bools, low: float, high: float, clusters: Ints | None = None) -> Outcome:
    """What calling from high on, not calling below low and handing over what lies between does to these rows. clusters: as of `curve`."""
    called, person = scores >= high, (scores >= low) & (scores < high)
    return outcome_of(positive, called, person, unscored=scores == UNSCORED, clusters=clusters)


def outcome_of(
    positive: Bools, called: Bools, person: Bools | None = None, *, unscored: Bools | None = None, clusters: Ints | None = None
) -> Outcome:
    """The same for rows that were called, and handed over, in any other way, such as by the likeliest class."""
    none = np.zeros(len(positive), dtype=np.bool_)
    person, unscored = none if person is None else person, none if unscored is None else unscored
    rest = ~called & ~person
    kinds = (called & positive, called & ~positive, rest & positive, rest & ~positive, person, positive, unscored)
    parts = None
    if clusters is not None and len(np.unique(clusters)) < len(clusters):
        _, codes = np.unique(clusters, return_inverse=True)
        parts = np.stack([np.bincount(codes, weights=kind) for kind in kinds], axis=1).astype(np.int64)
    hit, false, missed, passed, handed, positives, without = (int(kind.sum()) for kind in kinds)
    return Outcome(hit, false, missed, passed, handed, positives, without, parts)
