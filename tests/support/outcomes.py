"""Outcomes as their sums of a day hold them."""

from __future__ import annotations

from datetime import date

import numpy as np

from monitoring.traffic.models import Kpi, OutcomeDay
from monitoring.traffic.outcomes import GROUPS, Arm, added


def day_of(kpi: Kpi, day: date, arm: str, n: int, total: int, *, seed: int = 1) -> OutcomeDay:
    """A day, not saved, on which n subjects had one case each, `total` of them with value 1."""
    places = np.random.default_rng([seed, day.toordinal(), len(arm)]).integers(0, GROUPS, n)
    found = added(((int(place), float(at < total)) for at, place in enumerate(places)), subjects=n, unnamed=0)
    return OutcomeDay(kpi=kpi, day=day, arm=arm, n=n, total=total, subjects=n, groups=found.packed)


def arm_of(values: object, subjects: object = None, *, seed: int = 1) -> Arm:
    """The sums of values (N,). subjects: the number of each one's (N,), else all differ."""
    numbers = np.asarray(values, dtype=np.float64)
    codes = np.arange(len(numbers)) if subjects is None else np.asarray(subjects)
    place = np.random.default_rng(seed).integers(0, GROUPS, int(codes.max()) + 1)[codes]
    groups = np.stack(
        [np.bincount(place, minlength=GROUPS), np.bincount(place, weights=numbers, minlength=GROUPS)]
    )
    return Arm(subjects=len(np.unique(codes)), groups=groups)
