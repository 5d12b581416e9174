"""Bootstrap intervals over items. The same data always give the same interval."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
DRAWS = 1_000


class Interval(NamedTuple):
    """The ends of a 95 % interval."""

    low: float
    high: float


def generator(data: Floats) -> np.random.Generator:
    """A random generator seeded by the data."""
    return np.random.default_rng(
        int.from_bytes(hashlib.sha256(np.ascontiguousarray(data, dtype=float).tobytes()).digest()[:8], "big")
    )


def bootstrap(totals: Floats, statistic: Callable[[Floats], Floats], draws: int = DRAWS) -> Interval | None:
    """The percentile interval of a statistic of sums over items.

    totals: float (items or groups of items, sums). statistic: takes float (draws, sums) and returns float
    (draws,), NaN where it is not defined. None without items, or where it is not defined for half of the
    draws.
    """
    items = len(totals)
    if not items:
        return None
    weights = generator(totals).multinomial(items, np.full(items, 1 / items), size=draws)
    return spread(statistic(weights.astype(float) @ totals))


def spread(values: Floats) -> Interval | None:
    """The middle 95 % of the values. None if half of them or more are NaN, or if all are equal: resampling
    identical items shows no variation.
    """
    known = values[~np.isnan(values)]
    if len(known) * 2 <= len(values) or np.ptp(known) < 1e-12:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(float(low), float(high))
