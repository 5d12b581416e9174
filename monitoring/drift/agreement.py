"""How predicted orders agree with the right ones that feedback gives. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby

import numpy as np

from lifecycle.runtime.statistics import clustered


@dataclass(frozen=True, slots=True)
class Order:
    """A predicted order with feedback. key: digest of the sticky key, empty without one; tau: Kendall's, 1
    for a correct prediction; None where the right order isn't known.
    """

    at: datetime
    key: str
    tau: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Mean tau of so many rows, with its 95 % interval by sender, None where all rows have the same tau.
    senders: None: rows are taken as independent. without: predictions called wrong whose right order isn't
    known, which are in none of the others.
    """

    value: float
    low: float | None
    high: float | None
    rows: int
    senders: int | None
    without: int


def agreement(found: Sequence[Order]) -> Agreement | None:
    """Of these orders; None where no tau is known."""
    known = [(each.key, each.tau) for each in found if each.tau is not None]
    if not known:
        return None
    taus, keys = np.array([tau for _, tau in known]), {key for key, _ in known if key}
    names = [key if key and len(keys) > 1 else at for at, (key, _) in enumerate(known)]
    mean = clustered.ratio(clustered.by_cluster(taus, clustered.numbered(names)))
    low, high = (None, None) if np.ptp(taus) == 0 else (max(-1.0, mean.low), min(1.0, mean.high))
    senders = len(keys) if len(keys) > 1 else None
    return Agreement(mean.value, low, high, len(known), senders, len(found) - len(known))


def by_day(found: Sequence[Order]) -> list[tuple[date, Agreement]]:
    """Of each day UTC with a tau. found: oldest first."""
    days = groupby(found, key=lambda each: each.at.astimezone(UTC).date())
    return [(day, each) for day, some in days if (each := agreement(list(some)))]
