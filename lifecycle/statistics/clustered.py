"""Figures of rows that come in clusters: requests of a customer, answers of a person, near duplicates of a text. numpy and scipy.

Rows of one cluster resemble each other and say less than as many independent ones: of 1,000 requests by 20 customers, formulae for
independent rows give an interval that is several times too short. All here is computed from sums over clusters, so that rows need not be
kept, and holds however much the rows of a cluster resemble each other. With each row a cluster of its own it says what `intervals` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import ArrayLike, NDArray

from lifecycle.statistics import intervals
from lifecycle.statistics.intervals import Z95, Interval, wilson

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over clusters of what a quotient is made of: above / below, such as wrong answers / answers.

    clusters: those with anything below; some, whole: those of them with anything above, and with as much above as below. above, below:
    added up over all. squares: of each cluster's above², above · below and below².
    """

    clusters: int = 0
    some: int = 0
    whole: int = 0
    above: float = 0.0
    below: float = 0.0
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __add__(self, other: Sums) -> Sums:
        """Of clusters that the two do not share."""
        one, two = self.squares, other.squares
        return Sums(
            self.clusters + other.clusters, self.some + other.some, self.whole + other.whole, self.above + other.above,
            self.below + other.below, (one[0] + two[0], one[1] + two[1], one[2] + two[2]),
        )  # fmt: skip

    @property
    def value(self) -> float:
        """The quotient; of nothing below NaN."""
        return self.above / self.below if self.below else math.nan

    @property
    def variance(self) -> float:
        """Of the quotient, by the delta method over clusters: G/(G−1) · Σ(above − r · below)² / (Σ below)².

        As in Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD 2018, and in cluster-robust regression. Infinite
        with fewer than two clusters.
        """
        if self.clusters < 2:
            return math.inf
        ratio, (of_above, of_both, of_below) = self.value, self.squares
        summed = max(0.0, of_above - 2 * ratio * of_both + ratio**2 * of_below)
        return self.clusters / (self.clusters - 1) * summed / self.below**2


def sums(above: ArrayLike, below: ArrayLike) -> Sums:
    """From each cluster's above and below (G,); clusters with nothing below are left out."""
    one, two = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    one, two = one[two > 0], two[two > 0]
    squares = float((one**2).sum()), float((one * two).sum()), float((two**2).sum())
    return Sums(len(two), int((one > 0).sum()), int((one >= two).sum()), float(one.sum()), float(two.sum()), squares)


def per_cluster(values: ArrayLike, codes: Ints) -> NDArray[np.float64]:
    """The values (N,) added up by cluster (G,). codes: number of each row's cluster (N,), 0 to G − 1."""
    return np.bincount(codes, weights=np.asarray(values, dtype=np.float64)).astype(np.float64)


def quantile(freedom: int, z: float = Z95) -> float:
    """Student's quantile that stands for z with so many degrees of freedom; infinite with none."""
    return float(scipy.special.stdtrit(freedom, scipy.special.ndtr(z))) if freedom > 0 else math.inf


def design_effect(found: Sums) -> float:
    """How many times the variance of a share is that of as many independent rows: at least 1, infinite with fewer than two clusters.

    1 where no row is above, or all are: nothing tells then how much the rows of a cluster resemble each other (L. Kish 1965).
    """
    if found.clusters < 2:
        return math.inf
    alone = found.value * (1 - found.value) / found.below
    return max(1.0, found.variance / alone) if alone > 0 else 1.0


def alike(found: Sums) -> float:
    """How much the rows of a cluster resemble each other: the intraclass correlation of a share, 0 to 1, from its design effect; 0 where
    each row is a cluster of its own, or nothing tells.

    The design effect is 1 + (m − 1) ρ with m = Σ below² / Σ below, the size of the cluster of a row that is drawn (L. Kish 1965).
    """
    effect, size = design_effect(found), found.squares[2] / found.below if found.below else 0.0
    return min(1.0, (effect - 1) / (size - 1)) if size > 1 and math.isfinite(effect) else 0.0


def dealt(one: Sums, two: Sums) -> tuple[float, float]:
    """The first share less the second, and the variance of that, of clusters that chance dealt to two arms; infinite with fewer than two.

    Since chance dealt them, rows are as much alike on either arm, and both are given the larger of the two design effects. With an arm's
    own alone the variance is too small just where the share is: where by luck few clusters with anything above were dealt to it. At the
    rows divided by the design effect the variance is p (1 − p) / rows with p = (above + 2) / (rows + 4), so that an arm with nothing above
    has one (A. Agresti and B. Coull, "Approximate is better than exact for interval estimation of binomial proportions", American
    Statistician 52(2), 1998). This never moves the difference.
    """
    apart, effect = one.value - two.value, max(design_effect(one), design_effect(two))
    if math.isinf(effect):
        return apart, math.inf
    return apart, sum(moved(each.value, each.below / effect) for each in (one, two))


def moved(share: float, rows: float) -> float:
    """The variance of a share of so many independent rows, by Agresti and Coull."""
    p = (share * rows + 2) / (rows + 4)
    return p * (1 - p) / rows


def ratio(found: Sums, z: float = Z95) -> Interval:
    """A quotient with its interval: Student's t on one degree of freedom less than there are clusters."""
    half = quantile(found.clusters - 1, z) * math.sqrt(found.variance)
    return Interval(found.value, found.value - half, found.value + half)


def effective(found: Sums, z: float = Z95) -> float:
    """How many independent rows would tell a share as well: at most as many as there are, at least what they were worth if all rows of a
    cluster were alike, (Σ below)² / Σ below² (L. Kish 1965); 0 of nothing.

    In between, the rows divided by the design effect, shortened once more for how few clusters it comes from (Dean and Pagano 2015). The
    degrees of freedom are the clusters in which the rarer outcome occurs: of 100 customers, 3 of them failing, only 3 tell anything.
    """
    if not found.below:
        return 0.0
    share, least = found.value, found.below**2 / found.squares[2]
    if not 0 < share < 1 or found.clusters < 2:
        return least
    few = max(2, min(found.some, found.clusters - found.whole, found.clusters - 1))
    shortened = share * (1 - share) / found.variance * (z / quantile(few, z)) ** 2 if found.variance else found.below
    return min(found.below, max(least, shortened))


def share(found: Sums, z: float = Z95) -> Interval:
    """A share with its Wilson interval at the effective number of rows.

    Dean and Pagano, "Evaluating confidence interval methods for binomial proportions in clustered surveys", Journal of Survey Statistics
    and Methodology 3, 2015.
    """
    rows = effective(found, z)
    return Interval(found.value, *wilson(found.value * rows, rows, z))


def difference(one: Sums, two: Sums, z: float = Z95) -> Interval:
    """The first share less the second, of other clusters."""
    return intervals.difference(share(one, z), share(two, z))
