"""The threshold for a target and whether other rows reach it too, or that of the least cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are first used

from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.statistics.operating.curves import NEVER, Bools, Curve, Floats, Ints, Worth, curve

SURE = 0.95  # confidence of a promised target
STARTS, ROWS_A_START = 3, 200  # starting points on the curve for testing precision


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
