"""Fairness of a model between groups of rows, for one label. numpy and scipy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered, intervals
from lifecycle.runtime.statistics.clustered import Sums
from lifecycle.runtime.statistics.verdicts import SURE

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rates:
    """A group's confusion counts for one label. hit, missed: rows of the label that were predicted as it, or
    not; false, passed: other rows likewise. clusters: the same counts of each cluster of rows (K, 4); None
    where rows are independent.
    """

    hit: int
    missed: int
    false: int
    passed: int
    clusters: Ints | None = field(default=None, repr=False, compare=False)

    @property
    def rows(self) -> int:
        """Number of all rows."""
        return self.hit + self.missed + self.false + self.passed

    def of(self, above: Sequence[int], below: Sequence[int]) -> Sums:
        """Sums for the share of some kinds of rows among others, by the indices of their fields."""
        if self.clusters is not None:
            return clustered.sums(*(self.clusters[:, list(each)].sum(axis=1) for each in (above, below)))
        counts = self.hit, self.missed, self.false, self.passed
        return clustered.alone(*(sum(counts[at] for at in each) for each in (above, below)))

    @property
    def selection(self) -> float:
        """Share of the rows predicted as the label."""
        return (self.hit + self.false) / self.rows

    @property
    def true_positive(self) -> float | None:
        """Share of the label's rows predicted as it; None without such rows."""
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else None

    @property
    def false_positive(self) -> float | None:
        """Share of the other rows predicted as it; None without such rows."""
        return self.false / (self.false + self.passed) if self.false + self.passed else None


def rates(held: Bools, given: Bools, codes: Ints, groups: int, clusters: Ints | None = None) -> list[Rates]:
    """The four counts of each group. held, given: whether a row has the label, whether it was predicted as
    it; codes: number of its group; all (N,). clusters: number of each row's cluster (N,), such as near
    duplicates; None: rows are independent.
    """
    kinds = np.where(held, ~given, np.where(given, 2, 3))  # in the order of Rates
    counts = np.bincount(codes * 4 + kinds, minlength=4 * groups).reshape(groups, 4).tolist()
    parts = [
        None if clusters is None else counted(kinds[codes == number], clusters[codes == number])
        for number in range(groups)
    ]
    return [
        Rates(hit, missed, false, passed, each)
        for (hit, missed, false, passed), each in zip(counts, parts, strict=True)
    ]


def counted(kinds: Ints, clusters: Ints) -> Ints:
    """How many rows of each of the four kinds each cluster has (K, 4). kinds, clusters: of each row (n,)."""
    names, place = np.unique(clusters, return_inverse=True)
    return np.bincount(place * 4 + kinds, minlength=4 * len(names)).reshape(len(names), 4).astype(np.int64)


@dataclass(frozen=True)
class Gap:
    """The largest difference of a rate between two groups: of the group at index `high` less that at index
    `low`.

    interval: of that difference, simultaneous at 95 % for all compared pairs. most: the highest upper end of
    all of them, below which the largest difference lies, whichever pair has it.
    """

    value: float
    high: int
    low: int
    interval: tuple[float, float]
    most: float


def gaps(found: Sequence[Rates]) -> dict[str, Gap | None]:
    """Fairness measures as fairlearn defines them: the largest difference between two groups; None where
    fewer than two have the rate.

    Demographic parity: of selection rates. Equal opportunity: of true positive rates. Equalised odds: of true
    positive or of false positive rates, whichever is larger. A group without rows of the label has no true
    positive rate and is omitted, where fairlearn takes 0.
    """
    selected = {at: each.of((0, 2), (0, 1, 2, 3)) for at, each in enumerate(found)}
    own = {at: each.of((0,), (0, 1)) for at, each in enumerate(found) if each.true_positive is not None}
    other = {at: each.of((2,), (2, 3)) for at, each in enumerate(found) if each.false_positive is not None}
    odds = [_widest(rates, _pairs(own) + _pairs(other)) for rates in (own, other)]
    larger = max((gap for gap in odds if gap), key=lambda gap: gap.value, default=None)
    return {
        "demographic_parity_difference": _widest(selected, _pairs(selected)),
        "equal_opportunity_difference": _widest(own, _pairs(own)),
        "equalized_odds_difference": (
            replace(larger, most=max(gap.most for gap in odds if gap)) if larger and all(odds) else None
        ),
    }


def _pairs(shares: Mapping[int, Sums]) -> int:
    return math.comb(len(shares), 2)


def _widest(shares: Mapping[int, Sums], compared: int) -> Gap | None:
    """The two groups whose shares differ most. compared: pairs for which the interval is simultaneous
    (Bonferroni).
    """
    if len(shares) < 2:
        return None
    high = max(shares, key=lambda at: shares[at].value)
    low = min((at for at in shares if at != high), key=lambda at: shares[at].value)
    z = NormalDist().inv_cdf(1 - SURE / 2 / compared)
    known = {at: clustered.share(each, z) for at, each in shares.items()}
    found = intervals.difference(known[high], known[low])
    most = max(intervals.difference(one, two).high for one, two in permutations(known.values(), 2))
    return Gap(found.value, high, low, (found.low, found.high), most)
