"""How far groups of rows are treated alike by what a model answers with one label. Standard library and numpy only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lifecycle.statistics.intervals import newcombe
from lifecycle.statistics.verdicts import SURE

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rates:
    """How a group fares with one label. hit, missed: its own rows that were answered with it, or not; false, passed: other rows so."""

    hit: int
    missed: int
    false: int
    passed: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.hit + self.missed + self.false + self.passed

    @property
    def selection(self) -> float:
        """Share of the rows that were answered with the label."""
        return (self.hit + self.false) / self.rows

    @property
    def true_positive(self) -> float | None:
        """Share of the label's rows that were answered with it; None without such rows."""
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else None

    @property
    def false_positive(self) -> float | None:
        """Share of the other rows that were answered with it; None without such rows."""
        return self.false / (self.false + self.passed) if self.false + self.passed else None


def rates(held: Bools, given: Bools, codes: Ints, groups: int) -> list[Rates]:
    """The four counts of each group. held, given: whether a row has the label, whether it was answered with it; codes: number of its group;
    all (N,)."""
    kinds = np.where(held, ~given, np.where(given, 2, 3))  # in the order of Rates
    counts = np.bincount(codes * 4 + kinds, minlength=4 * groups).reshape(groups, 4)
    return [Rates(*map(int, row)) for row in counts]


@dataclass(frozen=True)
class Gap:
    """The largest difference of a rate between two groups: of the group at `high` less that at `low`, positions in what was compared.

    interval: of that difference, so wide that with 95 % the intervals of all pairs that were compared hold at once.
    """

    value: float
    high: int
    low: int
    interval: tuple[float, float]


def gaps(found: Sequence[Rates]) -> dict[str, Gap | None]:
    """Fairness measures as fairlearn defines them: the largest difference between two groups; None where fewer than two have the rate.

    Demographic parity: of selection rates. Equal opportunity: of true positive rates. Equalised odds: of true positive or of false positive
    rates, whichever is larger. A group without rows of the label has no true positive rate and is left out, where fairlearn takes 0.
    """
    selected = {at: (each.hit + each.false, each.rows) for at, each in enumerate(found)}
    own = {at: (each.hit, each.hit + each.missed) for at, each in enumerate(found) if each.true_positive is not None}
    other = {at: (each.false, each.false + each.passed) for at, each in enumerate(found) if each.false_positive is not None}
    odds = [_widest(rates, _pairs(own) + _pairs(other)) for rates in (own, other)]
    return {
        "demographic_parity_difference": _widest(selected, _pairs(selected)),
        "equal_opportunity_difference": _widest(own, _pairs(own)),
        "equalized_odds_difference": max((gap for gap in odds if gap), key=lambda gap: gap.value) if all(odds) else None,
    }


def _pairs(shares: Mapping[int, tuple[int, int]]) -> int:
    return math.comb(len(shares), 2)


def _widest(shares: Mapping[int, tuple[int, int]], compared: int) -> Gap | None:
    """The two groups whose shares (hits, count) differ most. compared: pairs for which the interval is to hold at once (Bonferroni)."""
    if len(shares) < 2:
        return None
    shared = {at: hits / count for at, (hits, count) in shares.items()}
    high = max(shared, key=lambda at: shared[at])
    low = min((at for at in shared if at != high), key=lambda at: shared[at])
    z = NormalDist().inv_cdf(1 - SURE / 2 / compared)
    (hits, count), (other_hits, other_count) = shares[high], shares[low]
    found = newcombe(hits, count, other_hits, other_count, z)
    return Gap(found.value, high, low, (found.low, found.high))
