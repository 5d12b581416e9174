"""Figures of rows that come in clusters: requests of a customer, answers of a person, near duplicates of a text. numpy and scipy.

Rows of one cluster resemble each other and say less than as many independent ones: of 1,000 requests by 20 customers, formulae for
independent rows give an interval that is several times too short. All here is computed from sums over clusters, so that rows need not be
kept, and holds however much the rows of a cluster resemble each other. With each row a cluster of its own it says what `intervals` says.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import ArrayLike, NDArray

from lifecycle.runtime.statistics import intervals, sequences
from lifecycle.runtime.statistics.intervals import Z95, Interval, wilson

Ints = NDArray[np.int64]
UNEVEN = 0.6  # of the clusters there are, those of one size that would tell as much: at most so many are of unequal size
FEW = 2  # rows that differ in their clusters by chance, which are added to those that do
ROUNDING = 1e-12  # of a sum: a deviation within it is none


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over clusters of what a quotient is made of: above / below, such as wrong answers / answers.

    clusters: those with anything below; some, whole: those of them with anything above, and with as much above as below. above, below:
    added up over all. squares: of each cluster's above², above · below and below². within: of each above · (below − above) / below, how
    much rows of a share differ in their own cluster; sums that were kept before it was counted say 0, as if they never did.
    """

    clusters: int = 0
    some: int = 0
    whole: int = 0
    above: float = 0.0
    below: float = 0.0
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    within: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        """Of clusters that the two do not share."""
        one, two = self.squares, other.squares
        return Sums(
            self.clusters + other.clusters, self.some + other.some, self.whole + other.whole, self.above + other.above,
            self.below + other.below, (one[0] + two[0], one[1] + two[1], one[2] + two[2]), self.within + other.within,
        )  # fmt: skip

    @property
    def value(self) -> float:
        """The quotient; of nothing below NaN."""
        return self.above / self.below if self.below else math.nan

    @property
    def equal(self) -> float:
        """As many clusters of one size tell as much where the rows of each are all alike: (Σ below)² / Σ below² (L. Kish 1965)."""
        return self.below**2 / self.squares[2] if self.below else 0.0

    @property
    def variance(self) -> float:
        """Of the quotient, by the delta method over clusters: K/(K−1) · Σ(above − r · below)² / (Σ below)², K as `equal`.

        As in Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD 2018, and in cluster-robust regression, whose
        number of clusters is K where they are of one size: a large one draws the quotient to itself, and its distance from it is too small.
        Infinite with fewer than two clusters.
        """
        if self.clusters < 2:
            return math.inf
        ratio, (of_above, of_both, of_below) = self.value, self.squares
        summed = max(0.0, of_above - 2 * ratio * of_both + ratio**2 * of_below)
        return self.equal / (self.equal - 1) * summed / self.below**2


def numbered(names: Iterable[Hashable]) -> Ints:
    """The number of each row's cluster (N,), 0 to G − 1, in the order in which clusters first come: of rows that each are one of their own,
    0 to N − 1. names: of each row's cluster."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def sums(above: ArrayLike, below: ArrayLike) -> Sums:
    """From each cluster's above and below (G,); clusters with nothing below are left out."""
    one, two = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    one, two = one[two > 0], two[two > 0]
    squares, within = (float((one**2).sum()), float((one * two).sum()), float((two**2).sum())), float((one * (two - one) / two).sum())
    return Sums(len(two), int((one > 0).sum()), int((one >= two).sum()), float(one.sum()), float(two.sum()), squares, within)


def alone(above: float, below: float) -> Sums:
    """Of so many rows that are independent, each a cluster of its own."""
    return Sums(int(below), int(above), int(above), above, below, (above, above, below))


def at_every_look(found: Sums, alpha: float = sequences.ALPHA) -> Interval:
    """`share` with an interval that may be looked at again and again, after as many observations as there are effective rows."""
    return share(found, sequences.quantile(effective(found), alpha))


def per_cluster(values: ArrayLike, codes: Ints) -> NDArray[np.float64]:
    """The values (N,) added up by cluster (G,). codes: number of each row's cluster (N,), 0 to G − 1."""
    return np.bincount(codes, weights=np.asarray(values, dtype=np.float64)).astype(np.float64)


def by_cluster(above: ArrayLike, codes: Ints, below: ArrayLike | None = None) -> Sums:
    """`sums` of rows. above, below: of each row (N,), below 1 where it is not given; codes: as of `per_cluster`."""
    return sums(per_cluster(above, codes), np.bincount(codes, weights=below))


def quantile(freedom: float, z: float = Z95) -> float:
    """Student's quantile that stands for z with so many degrees of freedom; infinite with none."""
    return float(scipy.special.stdtrit(freedom, scipy.special.ndtr(z))) if freedom > 0 else math.inf


def design_effect(found: Sums) -> float:
    """How many times the variance of a share is that of as many independent rows: at least 1, infinite with fewer than two clusters; 1
    where no row is above, or all are: nothing tells then how much the rows of a cluster resemble each other."""
    if found.clusters < 2:
        return math.inf
    return max(1.0, _effect(found)) if 0 < found.value < 1 else 1.0


def _effect(found: Sums) -> float:
    """The same, below 1 where rows of a cluster differ more than others. Of a share between 0 and 1.

    By `Sums.variance`, and where clusters are of unequal size (UNEVEN) at least 1 + (m − 1) ρ with m = Σ below² / Σ below, the size of the
    cluster of a row that is drawn (L. Kish 1965), and ρ as all clusters tell it (J. Fleiss and J. Cuzick, Applied Psychological Measurement
    3(4), 1979). A few large clusters that happen to be alike make the first too small: where 5 of 100 senders send two thirds, it covers a
    share of .9 in as few as 56 %. Of a handful of rows above ρ says little, and FEW pull it to 0.
    """
    of_one = found.value * (1 - found.value)
    known = max(ROUNDING, found.variance / of_one * found.below)
    if found.equal > UNEVEN * found.clusters:
        return known
    rho = 1 - (found.within + FEW) / (of_one * (found.below - found.clusters) + FEW)
    return max(known, 1 + (found.squares[2] / found.below - 1) * rho)


def alike(found: Sums) -> float:
    """How much the rows of a cluster resemble each other: the intraclass correlation of a share, 0 to 1, from its design effect as above; 0
    where each row is a cluster of its own, or nothing tells."""
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
    """A quotient with its interval: Student's t on one degree of freedom less than there are clusters of one size."""
    half = quantile(found.equal - 1, z) * math.sqrt(found.variance)
    return Interval(found.value, found.value - half, found.value + half)


def skewed(above: ArrayLike, below: ArrayLike, z: float = Z95) -> Interval:
    """A quotient of values that may be far from normal, such as money: `ratio` with Student's t set right for the skewness of the clusters.

    above, below: of each cluster (G,). By Hall's monotone transformation ("On the removal of skewness by transformation", Journal of the
    Royal Statistical Society B 54(1), 1992): g(T) = T + γT²/3 + γ²T³/27 + γ/6, γ being the skewness of the estimate. From about 100
    clusters on, also of money that most do not spend. Where clusters differ by rounding alone, both ends are the quotient.
    """
    one, two = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    one, two = one[two > 0], two[two > 0]
    value = float(one.sum() / two.sum())
    apart = one - value * two  # before they are squared: of squares near 1e16 a double holds no variance of 1
    apart[np.abs(apart) <= ROUNDING * np.abs(one)] = 0.0
    squares = float((apart**2).sum())
    if not squares:
        return Interval(value, value, value)
    error = math.sqrt(len(two) / (len(two) - 1) * squares) / float(two.sum())
    gamma, t = float((apart**3).sum()) / squares**1.5, quantile(len(two) - 1, z)

    def inverse(x: float) -> float:
        """T of g(T)."""
        return x if abs(gamma) < 1e-9 else 3 / gamma * (float(np.cbrt(1 + gamma * (x - gamma / 6))) - 1)

    return Interval(value, value - error * inverse(t), value - error * inverse(-t))


def effective(found: Sums, z: float = Z95) -> float:
    """How many independent rows would tell a share as well: at most as many as there are, at least what they were worth if all rows of a
    cluster were alike, `Sums.equal`; 0 of nothing.

    In between, the rows divided by the design effect, shortened once more for how few clusters it comes from (Dean and Pagano 2015). The
    degrees of freedom are the clusters in which the rarer outcome occurs, of 100 customers, 3 of them failing, only 3 tell anything; at
    most one less than there are of one size, since the largest customer of all tells as much as one.
    """
    if not found.below:
        return 0.0
    share, least = found.value, found.equal
    if not 0 < share < 1 or found.clusters < 2:
        return least
    few = max(1, min(found.some, found.clusters - found.whole, least - 1))
    return min(found.below, max(least, found.below / _effect(found) * (z / quantile(few, z)) ** 2))


def effective_so_far(codes: Ints, above: Ints, below: Ints, known: Ints, z: float = Z95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As `effective` after each of some rows, and the least it may be there (N,), where each adds to a share.

    codes: number of each row's cluster (N,), 0 to G − 1; above, below: 0 or 1, what it adds to the two parts of the share (N,); known: what
    is below before the first row, by cluster (G,).
    """
    order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes, minlength=len(known))
    begins = np.cumsum(sizes) - sizes

    def earlier(values: Ints) -> Ints:
        """The sum over earlier rows of the same cluster (N,)."""
        added = np.concatenate(([0], np.cumsum(values[order])))
        found = np.empty_like(values)
        found[order] = added[:-1] - np.repeat(added[begins], sizes)
        return found

    def total(steps: NDArray[Any], start: int = 0) -> NDArray[np.float64]:
        return start + np.cumsum(steps, dtype=np.float64)

    a, b = earlier(above), known[codes] + earlier(below)
    with_a, with_b = a + above, b + below
    hits, rows = total(above), np.maximum(total(below, int(known.sum())), 1)
    of_above, of_both = total(with_a**2 - a**2), total(with_a * with_b - a * b)
    of_below = np.maximum(total(with_b**2 - b**2, int((known**2).sum())), 1)
    clusters, some = total((b == 0) & (with_b > 0), int((known > 0).sum())), total((a == 0) & (with_a > 0))
    whole = total(((with_b > 0) & (with_a >= with_b)).astype(np.int64) - ((b > 0) & (a >= b)))
    within = total(with_a * (with_b - with_a) / np.maximum(with_b, 1) - a * (b - a) / np.maximum(b, 1))
    value, least = hits / rows, rows**2 / of_below
    of_one = value * (1 - value)
    summed = np.maximum(of_above - 2 * value * of_both + value**2 * of_below, 0.0)
    tells = (value > 0) & (value < 1) & (clusters > 1)
    rho = 1 - (within + FEW) / (of_one * (rows - clusters) + FEW)
    effect = np.divide(least * summed, (least - 1) * rows * of_one, out=np.ones(len(rows)), where=tells & (least > 1))
    at_least = np.where(least > UNEVEN * clusters, ROUNDING, 1 + (of_below / rows - 1) * rho)
    effect = np.maximum(np.maximum(effect, ROUNDING), at_least)
    few = np.maximum(1, np.minimum(np.minimum(some, clusters - whole), least - 1))
    shortened = rows / effect * (z / scipy.special.stdtrit(few, scipy.special.ndtr(z))) ** 2
    return np.where(tells, np.minimum(rows, np.maximum(least, shortened)), least), least


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


# ── Counts in bins ──────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Design:
    """What clusters do to the shares of rows in bins.

    clusters: how many there are. effect: how many times as large as of independent rows the variance is on average (the mean generalised
    design effect), 1 or more. uneven: squared coefficient of variation of the generalised design effects, 0 or more.
    """

    clusters: int
    effect: float
    uneven: float


def more_alike(sampled: int, rows: float) -> float:
    """How many times as many others of its cluster a row has among all rows as in a random sample; design effects, less 1, grow so."""
    return max(1.0, (rows - 1) / (sampled - 1))


def design(bins: ArrayLike, codes: ArrayLike, rows: float) -> Design | None:
    """From a random sample of the rows. bins: number of each sampled row's bin (N,), codes: its cluster's number; rows: how many there are.

    V is the covariance of the shares over clusters, Σ (its counts − its rows · shares)(…)ᵀ / (N − its rows)², P that of independent rows;
    the generalised design effects are the eigenvalues of P⁻¹V (Rao and Scott, "The analysis of categorical data from complex sample
    surveys", Journal of the American Statistical Association 76, 1981). Each cluster is held against the others, as by deleting it (CR3 of
    Bell and McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage samples", Survey Methodology 28, 2002):
    few clusters tell their variance too small. None with fewer than two clusters or filled bins: they tell nothing of it.
    """
    _, bin_of = np.unique(np.asarray(bins), return_inverse=True)
    _, cluster_of = np.unique(np.asarray(codes), return_inverse=True)
    sampled = len(bin_of)
    if sampled < 2 or not bin_of.any() or not cluster_of.any():
        return None
    clusters, filled = int(cluster_of.max()) + 1, int(bin_of.max()) + 1
    counts = np.bincount(cluster_of * filled + bin_of, minlength=clusters * filled).reshape(clusters, filled).astype(np.float64)
    shares = counts.sum(axis=0) / sampled
    sizes = counts.sum(axis=1, keepdims=True)
    rest, root = (counts - sizes * shares) / (1 - sizes / sampled), np.sqrt(shares)
    alike = rest.T @ rest / sampled / np.outer(root, root)
    independent = np.eye(filled) - np.outer(root, root)
    alike = independent + (alike - independent) * more_alike(sampled, rows)
    effect = float(np.trace(alike)) / (filled - 1)
    if effect <= 1:
        return Design(clusters, 1.0, 0.0)
    uneven = float((alike**2).sum()) / (filled - 1) / effect**2 - 1
    return Design(clusters, effect, max(0.0, uneven))


def effect_of_mean(values: ArrayLike, codes: ArrayLike, rows: float) -> float:
    """The design effect of a mean of all rows, 1 or more, from a random sample of them (N,); 1 where it tells nothing of it."""
    known, (_, cluster_of) = np.asarray(values, dtype=np.float64), np.unique(np.asarray(codes), return_inverse=True)
    if len(known) < 2 or not cluster_of.any() or np.ptp(known) == 0:
        return 1.0
    found = by_cluster(known, cluster_of)
    effect = found.variance / (float(known.var()) / len(known))
    return max(1.0, 1 + (effect - 1) * more_alike(len(known), rows))


@dataclass(frozen=True, slots=True)
class ByChance:
    """How a sum over bins of (difference of two shares)² / share comes out where nothing differs: `scale` times a chi-square with
    `degrees`; over Student-like `freedom` where the scale itself is estimated from clusters."""

    scale: float
    degrees: float
    freedom: float = math.inf

    def p(self, value: float) -> float:
        """The probability of a sum at least this large."""
        if math.isinf(self.freedom):
            return float(scipy.special.chdtrc(self.degrees, value / self.scale))
        return float(scipy.special.fdtrc(self.degrees, self.freedom, value / self.scale / self.degrees))

    def critical(self, alpha: float) -> float:
        """What the sum exceeds with probability alpha."""
        if math.isinf(self.freedom):
            return self.scale * float(scipy.special.chdtri(self.degrees, alpha))
        return self.scale * self.degrees * float(scipy.special.fdtri(self.degrees, self.freedom, 1 - alpha))


def by_chance(degrees: int, n: float, m: int, found: Design | None) -> ByChance:
    """For n independent rows against m that come in clusters, of `degrees` + 1 bins. found: the clusters' design, None: independent too.

    The second-order correction: scale and degrees are such that mean and variance are right (Rao and Scott 1981, after Satterthwaite), and
    F with as many degrees as the clusters allow takes the place of the chi-square (Thomas and Rao, Journal of the American Statistical
    Association 82, 1987). The first-order correction alone is beyond its 1 % in up to 13 % where 20 clusters are of unequal size.
    """
    scale = 1 / n + (found.effect if found else 1) / m
    if found is None:
        return ByChance(scale, degrees)
    uneven = found.uneven * (found.effect / m / scale) ** 2
    left = degrees / (1 + uneven)
    return ByChance(scale * (1 + uneven), left, left * (found.clusters - 1))
