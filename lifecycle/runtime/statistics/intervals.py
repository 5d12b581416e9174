"""An estimate with its interval; closed forms for a share and for the difference of two independent
estimates. Standard library only.

All intervals are two-sided 95 % intervals unless another z is given. They are valid for one look and
independent rows.
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
    """(low, high) of a share of independent rows (E. B. Wilson 1927); (0, 1) without rows.

    Its coverage is good from a few rows on, and at shares of 0 and 1, where the interval of the normal
    distribution has no length (Brown, Cai and DasGupta 2001). count need not be whole.
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
    """The first less the second, independent of it: the interval from both of theirs (Newcombe 1998, method
    10; Zou and Donner 2008).
    """
    low = math.hypot(one.value - one.low, two.high - two.value)
    high = math.hypot(one.high - one.value, two.value - two.low)
    return Interval(one.value - two.value, one.value - two.value - low, one.value - two.value + high)


def newcombe(hits: int, count: int, other_hits: int, other_count: int, z: float = Z95) -> Interval:
    """The difference of two shares of independent rows, from their Wilson intervals (Newcombe 1998, method
    10).
    """
    return difference(share(hits, count, z), share(other_hits, other_count, z))


def low_if_worse(found: Interval, margin: float, rows: float, z: float = Z95) -> float:
    """The lower end of a paired difference for a non-inferiority test with a margin (0 to 1).

    found: the difference of two shares, or of two scores that weight all rows equally, on the same `rows`
    independent rows; for rows in clusters, their effective number, conservatively the effective number of
    clusters. Under −margin, more rows change than under 0, so the standard error is that of the score test
    under −margin (Nam 1997; Tango 1998), with fixed and broken rows that match the width of the interval. The
    interval's own end is used where it is lower. A model worse by the margin passes in 2.5 %, also on few
    rows; one with equal predictions passes from `rows_for_margin` on.
    """
    error = (found.high - found.low) / (2 * z)
    turned = max(abs(found.value), rows * error**2 + found.value**2)  # a share of rows, as the two below
    fixed, broken = (turned + found.value) / 2, (turned - found.value) / 2
    middle = (2 + fixed - broken) * margin - turned
    # fixed, were the difference −margin
    least = (math.sqrt(middle**2 + 8 * fixed * margin * (1 - margin)) - middle) / 4
    return min(found.low, found.value - z * math.sqrt((2 * least + margin * (1 - margin)) / rows))


def rows_for_margin(margin: float, z: float = Z95) -> int:
    """The fewest rows that show two models with equal predictions to be within a margin (above 0) of each
    other.
    """
    return math.ceil(z**2 * (1 - margin) / margin)
