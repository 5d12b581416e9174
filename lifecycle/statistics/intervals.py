"""An estimate with its interval; closed forms for a share and for the difference of two independent estimates. Standard library only.

All intervals are 95 % on two sides unless another z is given. They hold for one look, and where the rows are independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the ends of its interval, in the unit of the estimate; a share goes from 0 to 1."""

    value: float
    low: float
    high: float


def wilson(successes: float, count: float, z: float = Z95) -> tuple[float, float]:
    """(low, high) of a share of independent rows (E. B. Wilson 1927); (0, 1) where nothing was counted.

    It covers well from a handful of rows on, and at shares of 0 and 1, where the interval of the normal distribution has no length
    (Brown, Cai and DasGupta 2001). count need not be whole.
    """
    if count <= 0:
        return 0.0, 1.0
    share = successes / count
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def share(successes: float, count: float, z: float = Z95) -> Interval:
    """A share of at least one row with its `wilson` interval."""
    return Interval(successes / count, *wilson(successes, count, z))


def difference(one: Interval, two: Interval) -> Interval:
    """The first less the second, independent of it: the interval from both of theirs (Newcombe 1998, method 10; Zou and Donner 2008)."""
    low = math.hypot(one.value - one.low, two.high - two.value)
    high = math.hypot(one.high - one.value, two.value - two.low)
    return Interval(one.value - two.value, one.value - two.value - low, one.value - two.value + high)


def newcombe(hits: int, count: int, other_hits: int, other_count: int, z: float = Z95) -> Interval:
    """The difference of two shares of independent rows, from their Wilson intervals (Newcombe 1998, method 10)."""
    return difference(share(hits, count, z), share(other_hits, other_count, z))
