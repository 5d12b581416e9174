"""What outcomes say: the difference between cases with the model and without it, its interval, and whether the split can be believed. Pure.

Sums are (n, total, spread): the number of cases, the sum of their values and the sum of their squared deviations from their mean. Squared
values themselves would not do: of values near 100 million a double holds no deviation of 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import scipy  # its parts are loaded when they are first used

from lifecycle.statistics.intervals import Interval, newcombe

Sums = tuple[int, float, float]
NOTHING: Sums = (0, 0.0, 0.0)
SHARE = "share"
FEW_EXPECTED = 10  # cases in an arm below which chi-square is too rough
SMALLEST = 30  # cases in an arm below which its interval is not told: too few for either formula
ROUNDED = 1e-13  # of a mean: what values of one size can deviate from it because doubles were added up, over days and batches
MISMATCH_P = 0.001  # a split that chance would give more rarely than this is an alarm


def compare(kind: str, model: Sums, holdout: Sums) -> Interval | None:
    """Model minus hold-out, in the unit of the figure (shares: 0 to 1): Newcombe's interval for shares, Welch's for numbers.

    None with fewer than 30 cases in an arm, and of numbers that are all the same in each arm: where nothing varies no interval can be told,
    and a difference without one is none.
    """
    if min(model[0], holdout[0]) < SMALLEST:
        return None
    if kind == SHARE:
        return newcombe(round(model[1]), model[0], round(holdout[1]), holdout[0])
    return welch(model, holdout)


def welch(first: Sums, second: Sums) -> Interval | None:
    """The difference of two means of unequal variance: Student's t with Welch's degrees of freedom. At least two cases in each; None where
    neither varies."""
    value = mean(first) - mean(second)
    parts = [variance(sums) / sums[0] for sums in (first, second)]
    spread = sum(parts)
    if not spread:
        return None
    freedom = spread**2 / sum(part**2 / (sums[0] - 1) for part, sums in zip(parts, (first, second), strict=True))
    half = float(scipy.special.stdtrit(freedom, 0.975)) * math.sqrt(spread)
    return Interval(value, value - half, value + half)


def mean(sums: Sums) -> float:
    """The mean of at least one case."""
    return sums[1] / sums[0]


def variance(sums: Sums) -> float:
    """The sample variance of at least two cases; 0 where they deviate from their mean by no more than rounding makes of equal values."""
    found = sums[2] / (sums[0] - 1)
    return found if found > (ROUNDED * mean(sums)) ** 2 else 0.0


def sums_of(values: Sequence[float]) -> Sums:
    """The sums of at least one case."""
    total = math.fsum(values)
    if min(values) == max(values):
        return len(values), total, 0.0
    middle = total / len(values)
    return len(values), total, math.fsum((value - middle) ** 2 for value in values)


def joined(first: Sums, second: Sums) -> Sums:
    """Two sums as one: Chan, Golub and LeVeque (1979), Updating formulae and a pairwise algorithm for computing sample variances."""
    if not first[0] or not second[0]:
        return first if first[0] else second
    n, apart = first[0] + second[0], mean(second) - mean(first)
    return n, first[1] + second[1], first[2] + second[2] + apart * apart * first[0] * second[0] / n


def ratio_p(model: int, holdout: int, holdout_share: float) -> float | None:
    """How likely chance alone splits the cases at least so far from the hold-out share.

    Chi-square, one degree of freedom; exactly by the binomial distribution where fewer than 10 cases are expected in an arm. None without
    cases; 0.0 where an arm has cases that should have none.
    """
    n = model + holdout
    if not n:
        return None
    expected = n * (1 - holdout_share), n * holdout_share
    if not all(expected):
        return 0.0 if (holdout if holdout_share == 0 else model) else 1.0
    if min(expected) < FEW_EXPECTED:
        from scipy import stats  # late: slows the start of every process, and few compute with it

        return float(stats.binomtest(holdout, n, holdout_share).pvalue)
    distance = sum((seen - due) ** 2 / due for seen, due in zip((model, holdout), expected, strict=True))
    return float(scipy.special.chdtrc(1, distance))


def ratio_check(model: int, holdout: int, holdout_share: float) -> bool:
    """Whether the sample ratio is off: p below 0.001. Then some cases went missing or came twice, and no difference can be believed."""
    p = ratio_p(model, holdout, holdout_share)
    return p is not None and p < MISMATCH_P


def reading(difference: Interval | None, *, up: bool, mismatch: bool) -> str:
    """What a figure says in a word or three: better, worse, unclear, insufficient data, or sample ratio off. up: whether more is better."""
    if mismatch:
        return "sample ratio off"
    if difference is None:
        return "insufficient data"
    if difference.low > 0 or difference.high < 0:
        return "better" if (difference.low > 0) == up else "worse"
    return "unclear"
