"""Operating points: score thresholds with their precision, recall, share handed to a person, and cost. numpy
and scipy.

Three cases share the arithmetic. One class: score is its probability, positive means that the row has that
class; rows from `high` on are called that class, rows below `low` aren't, rows between go to a person. Any
class: score is the confidence, positive means that the prediction is right; rows from `high` on are
predicted, all others go to a person, so `low` is 0. Spans: a row is a predicted span, score is its
confidence, positive means that it is right; or a true span that was missed, which is positive and UNSCORED.

A threshold chosen for a precision on some rows seldom reaches it on others, since the choice overfits: with
calibrated models 3 to 5 in ten do. So a threshold is *promised* where these rows show that others like them
reach the target, and else *estimated*.
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
# the score of a positive row without one: no threshold calls it, and it isn't handed to a person
UNSCORED = -NEVER
RESAMPLES = 1000
PER = 1000  # rows that a cost refers to
SURE = 0.95  # confidence of a promised target
STARTS, ROWS_A_START = 3, 200  # starting points on the curve for testing precision


class Scores(NamedTuple):
    """Rows of one case, all (N,). called: by the model's own predictions. clusters: number of each row's
    cluster, such as near duplicates, or the spans of one text; None where unknown.
    """

    score: Floats
    positive: Bools
    called: Bools
    clusters: Ints | None = None


class Worth(NamedTuple):
    """Effective number of rows in the denominator of a share, at each threshold (T,). known: by
    `clustered.effective`; least: if all rows of a cluster are alike.
    """

    known: Floats
    least: Floats


@dataclass(frozen=True)
class Curve:
    """Counts at each threshold. thresholds: scores that occur, ascending (T,); called: rows at or above each;
    hits: positive ones of them; positives: all positive rows; rows: all with a score. worth: for rows in
    clusters, the effective denominators of precision, recall and coverage; None: rows are independent.
    """

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
        """Share of the positive rows that are called (T,); 1 without positive rows, as in scikit-learn."""
        share: Floats = self.hits / self.positives if self.positives else np.ones(len(self.hits))
        return share

    @property
    def coverage(self) -> Floats:
        """Share of the rows with a score that are called (T,)."""
        share: Floats = self.called / self.rows
        return share


def curve(scores: Floats, positive: Bools, clusters: Ints | None = None) -> Curve:
    """The curve of N rows; without thresholds where none of them has a score. clusters: number of each row's
    cluster (N,); None: rows are independent.
    """
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
    """The effective denominator of each share where `called` rows are called (T,). down: rows from the
    highest score on.
    """
    _, number = np.unique(clusters, return_inverse=True)
    codes, hit, every = number[down], positive[down].astype(np.int64), np.ones(len(down), dtype=np.int64)
    none = np.zeros(int(number.max()) + 1, dtype=np.int64)
    parts = {
        "precision": (hit, every, none),
        "recall": (hit, 0 * every, np.bincount(number[positive], minlength=len(none))),
        "coverage": (every, 0 * every, np.bincount(codes, minlength=len(none))),
    }
    return {
        by: Worth(*(each[called - 1] for each in clustered.effective_so_far(codes, *part)))
        for by, part in parts.items()
    }


# ── Choosing ────────────────────────────────────────────────────────────────
class Choice(NamedTuple):
    """A threshold for a target. is_met: these rows reach it; promised: other rows like them do too, with
    confidence SURE.
    """

    threshold: float
    is_met: bool = True
    promised: bool = False


def choose(found: Curve, by: str, target: float) -> Choice | None:
    """The threshold for at least this precision, recall or coverage (`by`): among those that promise it, else
    those that reach it here.

    For a precision it is the lowest, so that most rows are called; for the others the most precise, the
    highest among equals. None where none reaches the target here, for example where some positive rows have
    no score, or where no row is positive.
    """
    for allowed, sure in ((promised(found, by, target), True), (reached(found, by, target), False)):
        if allowed.any():
            lowest = float(found.thresholds[np.flatnonzero(allowed)[0]])
            return Choice(lowest if by == "precision" else _most_precise(found, allowed), promised=sure)
    return None


def reached(found: Curve, by: str, target: float) -> Bools:
    """Which thresholds reach this precision, recall or coverage on these rows (T,)."""
    share: Floats = getattr(found, by)
    return (share >= target) & (found.positives > 0 if by == "recall" else True)


def promised(found: Curve, by: str, target: float, sure: float = SURE) -> Bools:
    """The thresholds at which other rows reach the target (0 to 1) too (T,): simultaneously for all of them,
    with confidence `sure`.

    Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: calibrating predictive
    algorithms to achieve risk control", 2021): for each threshold the exact binomial p-value that the target
    is missed there, in an order independent of the truth. Recall and coverage fall as the threshold rises, so
    they are tested from the lowest up until one fails. Precision needn't be monotonic and rests on few rows
    at the strictest thresholds: testing starts at up to STARTS points, one per ROWS_A_START rows, spaced by
    their number of called rows from the smallest sufficient one on; each gets its part of 1 − sure, and
    passes it on while lower thresholds succeed (the fallback procedure: Wiens and Dmitrienko, Journal of
    Biopharmaceutical Statistics 15, 2005).

    For rows in clusters the tests use the effective number of rows: the rows divided by the design effect at
    that threshold, or, where all are right, the number if rows of a cluster are all alike (E. Korn and B.
    Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data", Survey Methodology 24(2), 1998). Starting points use only the latter.

    Assumes independent rows, or clusters, from the target population, not used for training or calibration,
    and a precision that doesn't fall as the threshold rises. With too few rows nothing is promised: a
    precision or recall of 0.9 takes 29 rows, all of them right; 1 is never promised.
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
    np.add.at(
        levels, np.searchsorted(called, np.geomspace(fewest, rows, starts + 1)[:-1] - 1e-9), alpha / starts
    )
    passed, carried = [], 0.0
    for own, p in zip(levels.tolist(), chances[strictest_first].tolist(), strict=True):
        level = own + carried
        passed.append(0 < level >= p)
        carried = level if passed[-1] else 0.0
    return np.array(passed, dtype=np.bool_)[strictest_first]


def _tried(found: Curve, by: str) -> tuple[Any, Any, Any]:
    """Successes and trials of the share tested at each threshold, and the trials independent of the truth
    (T,).
    """
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
    """The probability of at least so many successes, as in `significance.at_least` (T,)."""
    some = np.where(successes > 0, successes, 1)
    return np.where(successes > 0, scipy.special.betainc(some, np.maximum(trials - some, 0) + 1, share), 1.0)


def _most_precise(found: Curve, allowed: Bools) -> float:
    precision = np.where(allowed, found.precision, -1.0)
    return float(found.thresholds[np.flatnonzero(precision == precision.max())[-1]])


def choose_for(
    by: str,
    target: float,
    probabilities: Floats,
    truth: Bools,
    minimum: int = THRESHOLD_ROWS,
    clusters: Ints | None = None,
) -> list[Choice]:
    """A threshold for each class of probabilities and truth (N, C), for at least this precision or recall.
    by: "precision", which takes the lowest; "recall", which takes the most precise. Where no threshold
    reaches a precision it is the most precise one; where fewer than `minimum` rows have the class it is 0.5,
    with is_met false. clusters: as for `curve`.

    Thresholds are midway between two scores, so that small numerical differences don't move a score across.
    """
    return [
        choose_one(by, target, probabilities[:, at], truth[:, at], minimum, clusters)
        for at in range(truth.shape[1])
    ]


def choose_one(
    by: str,
    target: float,
    scores: Floats,
    positive: Bools,
    minimum: int = THRESHOLD_ROWS,
    clusters: Ints | None = None,
) -> Choice:
    """As `choose_for`, for one class. scores: its probabilities (N,); positive: the rows that have it
    (N,).
    """
    if int(positive.sum()) < minimum:
        return Choice(0.5, is_met=False)
    found = curve(scores, positive, clusters)
    chosen = choose(found, by, target) or Choice(
        _most_precise(found, np.ones(len(found.hits), dtype=np.bool_)), is_met=False
    )
    at = int(np.searchsorted(found.thresholds, chosen.threshold))
    below = float(found.thresholds[at - 1]) if at else 0.0
    return chosen._replace(threshold=(below + chosen.threshold) / 2)


@dataclass(frozen=True)
class Costs:
    """Costs of one row: called wrongly, missed, and handed to a person; None where rows can't be handed
    over.
    """

    false: float
    missed: float = 0.0
    person: float | None = None


def cheapest(found: Curve, costs: Costs) -> tuple[float, float]:
    """(low, high) of the least cost for one class against the others; among equals the one that hands over
    the fewest rows.

    Without a cost of handing over, low equals high. NEVER calls no row.
    """
    thresholds, called, hits = (
        np.append(found.thresholds, NEVER),
        np.append(found.called, 0),
        np.append(found.hits, 0),
    )
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
    """The confidence threshold of the least cost, with every row below it handed over; the lowest among
    equals.
    """
    called, hits = np.append(found.called, 0), np.append(found.hits, 0)
    at = int(np.argmin(costs.false * (called - hits) + (costs.person or 0.0) * (found.rows - called)))
    return float(np.append(found.thresholds, NEVER)[at])


# ── What a choice does ──────────────────────────────────────────────────────
KINDS = ("hit", "false", "missed", "passed", "person", "positives", "unscored")  # of rows in an Outcome


@dataclass(frozen=True)
class Outcome:
    """Rows of each kind: hit and false are called, missed and passed aren't, person: handed over. unscored:
    missed rows without a score, which can't be called. clusters: the same counts of each cluster of rows (G,
    7); None where rows are independent.
    """

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
        """Number of all rows."""
        return self.hit + self.false + self.missed + self.passed + self.person

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows of each kind."""
        return {name: getattr(self, name) for name in KINDS}

    def share(self, of: str) -> tuple[float | None, float, float]:
        """(share, low, high) with its 95 % Wilson interval, at the effective number of rows for clusters;
        share is None where its denominator is 0. of: precision; recall; called or person, of the rows with a
        score.
        """
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
        interval = clustered.share(found)
        return (interval.value if found.below else None, interval.low, interval.high)

    def cost(self, costs: Costs, *, seed: int = 1) -> tuple[float | None, float, float]:
        """(mean, low, high) of the cost of 1,000 rows; None without rows.

        low, high: 95 %, from a Dirichlet posterior of the kinds of rows with half a row of each added (the
        prior of H. Jeffreys 1946; its coverage: Brown, Cai and DasGupta 2001). Valid from 30 rows, also where
        an expensive kind was never observed: a bootstrap, which then has cost 0, covers the true cost in only
        36 to 92 % for 30 rows. Rows in clusters are weighted by `_worth`.
        """
        if not self.rows:
            return None, 0.0, 0.0
        kinds: dict[float, int] = {0.0: self.hit + self.passed}  # rows of equal price are one kind
        for price, count in (
            (costs.false, self.false),
            (costs.missed, self.missed),
            (costs.person, self.person),
        ):
            if price is not None:
                kinds[price] = kinds.get(price, 0) + count
        prices, counts = (np.array(list(each), dtype=np.float64) for each in (kinds, kinds.values()))
        mean = float(counts @ prices / self.rows * PER)
        spread = float(counts @ prices**2 / self.rows - (mean / PER) ** 2)
        drawn = (
            np.random.default_rng(seed).dirichlet(counts * self._worth(costs, spread) + 0.5, size=RESAMPLES)
            @ prices
            * PER
        )
        low, high = np.percentile(drawn, (2.5, 97.5))
        return mean, min(mean, float(low)), max(mean, float(high))

    def _worth(self, costs: Costs, spread: float) -> float:
        """The effective share of an independent row that each counts for the mean cost, 0 to 1: by the larger
        of two design effects, reduced for few clusters; at least the value if all rows of a cluster are
        alike. spread: variance of one row's cost.

        One is the variance of the mean over clusters. Where expensive rows are rare it is imprecise, so the
        other is 1 + (m − 1) ρ, as in `clustered.design_effect`, with ρ by the kinds of rows: how much more
        often two rows of a cluster are of one kind than by chance.
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
        effect = max(
            1.0, found.variance / spread * found.below, 1 + (found.squares[2] / found.below - 1) * rho
        )
        return max(least, (Z95 / clustered.quantile(found.equal - 1)) ** 2 / effect)


def outcome(
    scores: Floats, positive: Bools, low: float, high: float, clusters: Ints | None = None
) -> Outcome:
    """The outcome on these rows of calling from high on, not calling below low, and handing over in between.
    clusters: as for `curve`.
    """
    called, person = scores >= high, (scores >= low) & (scores < high)
    return outcome_of(positive, called, person, unscored=scores == UNSCORED, clusters=clusters)


def outcome_of(
    positive: Bools,
    called: Bools,
    person: Bools | None = None,
    *,
    unscored: Bools | None = None,
    clusters: Ints | None = None,
) -> Outcome:
    """The outcome for rows called, and handed over, in any other way, such as by the likeliest class."""
    none = np.zeros(len(positive), dtype=np.bool_)
    person, unscored = none if person is None else person, none if unscored is None else unscored
    rest = ~called & ~person
    kinds = (
        called & positive,
        called & ~positive,
        rest & positive,
        rest & ~positive,
        person,
        positive,
        unscored,
    )
    parts = None
    if clusters is not None and len(np.unique(clusters)) < len(clusters):
        _, codes = np.unique(clusters, return_inverse=True)
        parts = np.stack([np.bincount(codes, weights=kind) for kind in kinds], axis=1).astype(np.int64)
    hit, false, missed, passed, handed, positives, without = (int(kind.sum()) for kind in kinds)
    return Outcome(hit, false, missed, passed, handed, positives, without, parts)
