"""Statistics of rows in clusters: requests of a customer, annotations of a person, near duplicates of a text.
numpy and scipy.

Rows of one cluster resemble each other and carry less information than as many independent ones: for 1,000
requests by 20 customers, formulae for independent rows give an interval that is several times too short.
Everything here is computed from sums over clusters, so rows needn't be kept, and is valid for any resemblance
within clusters. With each row a cluster of its own it agrees with `intervals`.
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
UNEVEN = 0.6  # clusters count as unequal in size if their effective number is at most this share of them
FEW = 2  # pseudo-rows that differ within their cluster as much as by chance, added to the observed ones
ROUNDING = 1e-12  # relative to a sum: a smaller deviation counts as 0


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over clusters of the parts of a ratio: above / below, such as wrong predictions / predictions.

    clusters: those with below > 0; some, whole: those of them with above > 0, and with above ≥ below. above,
    below: totals. squares: sums of each cluster's above², above · below and below². within: sum of above ·
    (below − above) / below, the variation of a share inside clusters.
    """

    clusters: int = 0
    some: int = 0
    whole: int = 0
    above: float = 0.0
    below: float = 0.0
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    within: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        """Sums of both; they must share no cluster."""
        one, two = self.squares, other.squares
        return Sums(
            self.clusters + other.clusters,
            self.some + other.some,
            self.whole + other.whole,
            self.above + other.above,
            self.below + other.below,
            (one[0] + two[0], one[1] + two[1], one[2] + two[2]),
            self.within + other.within,
        )

    @property
    def value(self) -> float:
        """The ratio; NaN where below is 0."""
        return self.above / self.below if self.below else math.nan

    @property
    def equal(self) -> float:
        """Effective number of clusters, as if of equal size: (Σ below)² / Σ below² (L. Kish 1965)."""
        return self.below**2 / self.squares[2] if self.below else 0.0

    @property
    def variance(self) -> float:
        """Variance of the ratio, by the delta method over clusters: K/(K−1) · Σ(above − r · below)² / (Σ
        below)², K as `equal`.

        As in Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD 2018, and in
        cluster-robust regression, where K is the number of clusters, of equal size: a large cluster pulls the
        ratio towards itself, so its residual is too small. Infinite with fewer than two clusters.
        """
        if self.clusters < 2:
            return math.inf
        ratio, (of_above, of_both, of_below) = self.value, self.squares
        summed = max(0.0, of_above - 2 * ratio * of_both + ratio**2 * of_below)
        return self.equal / (self.equal - 1) * summed / self.below**2


def numbered(names: Iterable[Hashable]) -> Ints:
    """The number of each row's cluster (N,), 0 to G − 1, in order of first appearance; 0 to N − 1 where each
    row is its own. names: of each row's cluster.
    """
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def sums(above: ArrayLike, below: ArrayLike) -> Sums:
    """Sums of each cluster's above and below (G,); clusters with below = 0 are omitted."""
    one, two = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    one, two = one[two > 0], two[two > 0]
    squares, within = (
        (float((one**2).sum()), float((one * two).sum()), float((two**2).sum())),
        float((one * (two - one) / two).sum()),
    )
    return Sums(
        len(two),
        int((one > 0).sum()),
        int((one >= two).sum()),
        float(one.sum()),
        float(two.sum()),
        squares,
        within,
    )


def alone(above: float, below: float) -> Sums:
    """Sums of `below` independent rows, each a cluster of its own."""
    return Sums(int(below), int(above), int(above), above, below, (above, above, below))


def at_every_look(found: Sums, alpha: float = sequences.ALPHA) -> Interval:
    """`share` with an interval that is valid at every look (see `sequences`), with the effective number of
    rows as observations.
    """
    return share(found, sequences.quantile(effective(found), alpha))


def per_cluster(values: ArrayLike, codes: Ints) -> NDArray[np.float64]:
    """Sums of the values (N,) by cluster (G,). codes: number of each row's cluster (N,), 0 to G − 1."""
    return np.bincount(codes, weights=np.asarray(values, dtype=np.float64)).astype(np.float64)


def by_cluster(above: ArrayLike, codes: Ints, below: ArrayLike | None = None) -> Sums:
    """`sums` of rows. above, below: of each row (N,), below 1 by default; codes: as for `per_cluster`."""
    return sums(per_cluster(above, codes), np.bincount(codes, weights=below))


def quantile(freedom: float, z: float = Z95) -> float:
    """Student's t quantile at the level of z, with so many degrees of freedom; infinite with none."""
    return float(scipy.special.stdtrit(freedom, scipy.special.ndtr(z))) if freedom > 0 else math.inf


def design_effect(found: Sums) -> float:
    """The variance of a share divided by that of as many independent rows: at least 1, infinite with fewer
    than two clusters; 1 for a share of 0 or 1, which gives no estimate of the resemblance within clusters.
    """
    if found.clusters < 2:
        return math.inf
    return max(1.0, _effect(found)) if 0 < found.value < 1 else 1.0


def _effect(found: Sums) -> float:
    """The design effect of a share between 0 and 1; below 1 where rows of a cluster differ more than others.

    By `Sums.variance`, and where clusters are of unequal size (UNEVEN) at least 1 + (m − 1) ρ with m = Σ
    below² / Σ below, the expected size of a random row's cluster (L. Kish 1965), and ρ estimated from all
    clusters (J. Fleiss and J. Cuzick, Applied Psychological Measurement 3(4), 1979). A few large clusters
    that happen to be alike make the first too small: where 5 of 100 senders send two thirds, it covers a
    share of .9 in as few as 56 %. With few rows above, ρ is imprecise, and FEW shrinks it to 0.
    """
    of_one = found.value * (1 - found.value)
    known = max(ROUNDING, found.variance / of_one * found.below)
    if found.equal > UNEVEN * found.clusters:
        return known
    rho = 1 - (found.within + FEW) / (of_one * (found.below - found.clusters) + FEW)
    return max(known, 1 + (found.squares[2] / found.below - 1) * rho)


def alike(found: Sums) -> float:
    """The intraclass correlation of a share, 0 to 1, from its `design_effect`; 0 if unknown or each row is a
    cluster of its own.
    """
    effect, size = design_effect(found), found.squares[2] / found.below if found.below else 0.0
    return min(1.0, (effect - 1) / (size - 1)) if size > 1 and math.isfinite(effect) else 0.0


def dealt(one: Sums, two: Sums) -> tuple[float, float]:
    """The first share less the second and its variance, of clusters randomized to two arms; infinite with
    fewer than two.

    Since they are randomized, rows of both arms are equally alike, and both get the larger of the two design
    effects. With an arm's own, the variance is too small exactly where the share is: where few clusters with
    above > 0 happen to be in it. With rows divided by the design effect, the variance is p (1 − p) / rows
    with p = (above + 2) / (rows + 4), so that it is positive even for above = 0 (A. Agresti and B. Coull,
    "Approximate is better than exact for interval estimation of binomial proportions", American Statistician
    52(2), 1998). The difference itself isn't changed.
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
    """A ratio with its interval: Student's t with the effective number of clusters less 1 as degrees of
    freedom.
    """
    half = quantile(found.equal - 1, z) * math.sqrt(found.variance)
    return Interval(found.value, found.value - half, found.value + half)


def skewed(above: ArrayLike, below: ArrayLike, z: float = Z95) -> Interval:
    """A ratio of values that may be far from normal, such as money: `ratio` with Student's t corrected for
    the skewness of the clusters.

    above, below: of each cluster (G,). By Hall's monotone transformation ("On the removal of skewness by
    transformation", Journal of the Royal Statistical Society B 54(1), 1992): g(T) = T + γT²/3 + γ²T³/27 +
    γ/6, γ being the skewness of the estimate. Valid from about 100 clusters, also where most values are 0.
    Where clusters differ only by rounding, both ends are the ratio.
    """
    one, two = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    one, two = one[two > 0], two[two > 0]
    value = float(one.sum() / two.sum())
    apart = one - value * two  # subtract before squaring: near 1e16 a double can't represent a variance of 1
    apart[np.abs(apart) <= ROUNDING * np.abs(one)] = 0.0
    squares = float((apart**2).sum())
    if not squares:
        return Interval(value, value, value)
    error = math.sqrt(len(two) / (len(two) - 1) * squares) / float(two.sum())
    gamma, t = float((apart**3).sum()) / squares**1.5, quantile(len(two) - 1, z)

    def inverse(x: float) -> float:
        """The inverse of g."""
        return x if abs(gamma) < 1e-9 else 3 / gamma * (float(np.cbrt(1 + gamma * (x - gamma / 6))) - 1)

    return Interval(value, value - error * inverse(t), value - error * inverse(-t))


def effective(found: Sums, z: float = Z95) -> float:
    """The effective number of independent rows of a share: at most the number of rows, at least `Sums.equal`,
    which assumes that all rows of a cluster are alike; 0 without rows.

    In between, the rows divided by the design effect, reduced further if it is estimated from few clusters
    (Dean and Pagano 2015). The degrees of freedom are the number of clusters with the rarer outcome (of 100
    customers, 3 of them failing, only 3 are informative), at most the effective number of clusters less 1.
    """
    if not found.below:
        return 0.0
    share, least = found.value, found.equal
    if not 0 < share < 1 or found.clusters < 2:
        return least
    few = max(1, min(found.some, found.clusters - found.whole, least - 1))
    return min(found.below, max(least, found.below / _effect(found) * (z / quantile(few, z)) ** 2))


def effective_so_far(
    codes: Ints, above: Ints, below: Ints, known: Ints, z: float = Z95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`effective` after each of some rows (N,), and its lower bound there (N,).

    codes: number of each row's cluster (N,), 0 to G − 1; above, below: 0 or 1, added by the row to the two
    parts of the share (N,); known: below before the first row, by cluster (G,).
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
    varied = (value > 0) & (value < 1) & (clusters > 1)
    rho = 1 - (within + FEW) / (of_one * (rows - clusters) + FEW)
    effect = np.divide(
        least * summed, (least - 1) * rows * of_one, out=np.ones(len(rows)), where=varied & (least > 1)
    )
    at_least = np.where(least > UNEVEN * clusters, ROUNDING, 1 + (of_below / rows - 1) * rho)
    effect = np.maximum(np.maximum(effect, ROUNDING), at_least)
    few = np.maximum(1, np.minimum(np.minimum(some, clusters - whole), least - 1))
    shortened = rows / effect * (z / scipy.special.stdtrit(few, scipy.special.ndtr(z))) ** 2
    return np.where(varied, np.minimum(rows, np.maximum(least, shortened)), least), least


def share(found: Sums, z: float = Z95) -> Interval:
    """A share with its Wilson interval at the effective number of rows.

    Dean and Pagano, "Evaluating confidence interval methods for binomial proportions in clustered surveys",
    Journal of Survey Statistics and Methodology 3, 2015.
    """
    rows = effective(found, z)
    return Interval(found.value, *wilson(found.value * rows, rows, z))


def difference(one: Sums, two: Sums, z: float = Z95) -> Interval:
    """The first share less the second; they must share no cluster."""
    return intervals.difference(share(one, z), share(two, z))


# ── Counts in bins ──────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Design:
    """The effect of clusters on the shares of rows in bins.

    clusters: their number. effect: the mean generalised design effect (average variance relative to
    independent rows), 1 or more. uneven: squared coefficient of variation of the generalised design effects,
    0 or more.
    """

    clusters: int
    effect: float
    uneven: float


def more_alike(sampled: int, rows: float) -> float:
    """The factor by which design effects, less 1, grow from a random sample to all rows: the ratio of other
    rows in a row's cluster.
    """
    return max(1.0, (rows - 1) / (sampled - 1))


def design(bins: ArrayLike, codes: ArrayLike, rows: float) -> Design | None:
    """The design of all rows from a random sample. bins: number of each sampled row's bin (N,), codes: of its
    cluster; rows: of all.

    V is the covariance of the shares over clusters, Σ (its counts − its rows · shares)(…)ᵀ / (N − its rows)²,
    P that of independent rows; the generalised design effects are the eigenvalues of P⁻¹V (Rao and Scott,
    "The analysis of categorical data from complex sample surveys", Journal of the American Statistical
    Association 76, 1981). Each cluster is compared with the others, as by deleting it (CR3 of Bell and
    McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage samples", Survey
    Methodology 28, 2002): few clusters underestimate their variance. None with fewer than two clusters or
    filled bins, where it can't be estimated.
    """
    _, bin_of = np.unique(np.asarray(bins), return_inverse=True)
    _, cluster_of = np.unique(np.asarray(codes), return_inverse=True)
    sampled = len(bin_of)
    if sampled < 2 or not bin_of.any() or not cluster_of.any():
        return None
    clusters, filled = int(cluster_of.max()) + 1, int(bin_of.max()) + 1
    counts = (
        np.bincount(cluster_of * filled + bin_of, minlength=clusters * filled)
        .reshape(clusters, filled)
        .astype(np.float64)
    )
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
    """The design effect of a mean of all rows, 1 or more, from a random sample of them (N,); 1 where it can't
    be estimated.
    """
    known, (_, cluster_of) = (
        np.asarray(values, dtype=np.float64),
        np.unique(np.asarray(codes), return_inverse=True),
    )
    if len(known) < 2 or not cluster_of.any() or np.ptp(known) == 0:
        return 1.0
    found = by_cluster(known, cluster_of)
    effect = found.variance / (float(known.var()) / len(known))
    return max(1.0, 1 + (effect - 1) * more_alike(len(known), rows))


@dataclass(frozen=True, slots=True)
class ByChance:
    """Null distribution of a sum over bins of (difference of two shares)² / share: `scale` times a chi-square
    with `degrees` degrees of freedom; an F with `freedom` in the denominator where the scale is estimated
    from clusters.
    """

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
    """The null distribution for n independent rows against m rows in clusters, of `degrees` + 1 bins. found:
    the clusters' design; None: independent too.

    The second-order correction: scale and degrees match the mean and variance (Rao and Scott 1981, after
    Satterthwaite), and an F with the degrees of freedom of the clusters replaces the chi-square (Thomas and
    Rao, Journal of the American Statistical Association 82, 1987). The first-order correction alone exceeds
    its 1 % in up to 13 % where 20 clusters are of unequal size.
    """
    scale = 1 / n + (found.effect if found else 1) / m
    if found is None:
        return ByChance(scale, degrees)
    uneven = found.uneven * (found.effect / m / scale) ** 2
    left = degrees / (1 + uneven)
    return ByChance(scale * (1 + uneven), left, left * (found.clusters - 1))
