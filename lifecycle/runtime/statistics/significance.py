"""Significance tests: of a difference between two models on the same rows, or of a share against a limit.
scipy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

import scipy  # its parts are loaded when they are first used

Name = TypeVar("Name", str, int)

EXACT_BELOW = 25
Z_ALPHA, Z_POWER = 1.959964, 0.841621  # of the normal distribution: 95 % on two sides, 80 % power


def at_least(successes: int, count: int, share: float) -> float:
    """The probability of at least so many successes in independent trials with this share (0 to 1,
    exclusive): the exact one-sided binomial test.

    Below alpha where the lower bound of Clopper and Pearson (1934) at alpha is above the share, for any
    count; 1 for 0 successes.
    """
    return float(scipy.special.betainc(successes, count - successes + 1, share)) if successes > 0 else 1.0


def mcnemar(fixed: int, broken: int) -> float:
    """The two-sided p-value of McNemar's test that neither of two models is right more often.

    fixed, broken: rows that only the second, only the first predicted correctly. The exact binomial test
    below 25 such rows, else the chi-square test with continuity correction (Edwards 1948); as in
    statsmodels.stats.contingency_tables.mcnemar.
    """
    rows = fixed + broken
    if rows < EXACT_BELOW:
        tail = sum(math.comb(rows, each) for each in range(min(fixed, broken) + 1))
        return min(1.0, 2 * tail / 2**rows)
    return math.erfc(abs(abs(fixed - broken) - 1) / math.sqrt(2 * rows))


def mcnemar_clustered(turned: Iterable[int]) -> float:
    """McNemar's test for rows in clusters. turned: of each cluster, fixed rows less broken rows.

    If neither model is better, the balance of each cluster is symmetric around 0. p is the share of all sign
    flips of whole clusters whose sum is as far from 0: exact below 25 unbalanced clusters, else the normal
    limit with variance Σ balance² (Yang, Sun and Hardin, "A note on the tests for clustered matched-pair
    binary data", Biometrical Journal 52(5), 2010) and McNemar's continuity correction. Where each row is a
    cluster of its own both are McNemar's test.
    """
    signed = [each for each in turned if each]
    balances, found = [abs(each) for each in signed], abs(sum(signed))
    if len(balances) < EXACT_BELOW:
        ways = {0: 1}
        for each in balances:
            moved: dict[int, int] = {}
            for total, count in ways.items():
                for place in (total - each, total + each):
                    moved[place] = moved.get(place, 0) + count
            ways = moved
        return sum(count for total, count in ways.items() if abs(total) >= found) / 2 ** len(balances)
    return math.erfc(max(0, found - 1) / math.sqrt(2 * sum(each**2 for each in balances)))


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """The p-values adjusted for multiple comparisons (Holm 1979): those below 0.05 are jointly valid with 95
    %. In the given order.
    """
    adjusted: dict[Name, float] = {}
    so_far = 0.0
    for rank, (name, value) in enumerate(sorted(p_values.items(), key=lambda pair: pair[1])):
        so_far = max(so_far, min(1.0, value * (len(p_values) - rank)))
        adjusted[name] = so_far
    return {name: adjusted[name] for name in p_values}


def rows_needed(rows: int, difference: float, low: float, high: float) -> int | None:
    """The number of paired rows that detect this difference, if true, with 80 % power; None if it is 0 or
    `rows` suffice.

    low, high: its 95 % interval over `rows` rows, whose width falls with the square root of their number.
    """
    if not difference:
        return None
    error = (high - low) / (2 * Z_ALPHA)
    needed = math.ceil(rows * ((Z_ALPHA + Z_POWER) * error / difference) ** 2)
    return needed if needed > rows else None  # a skewed interval may hold 0 where its width would not
