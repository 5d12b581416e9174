"""The cases of all rooms, in the order of the table."""

from __future__ import annotations

from benchmarks.statistics import (
    alerts,
    business,
    calibration,
    comparisons,
    drift,
    gates,
    labeling,
    membership,
    retraining,
    rollouts,
    scores,
    shares,
)
from benchmarks.statistics.table import Case

ROOMS = (
    shares,
    comparisons,
    scores,
    calibration,
    membership,
    gates,
    business,
    alerts,
    retraining,
    rollouts,
    drift,
    labeling,
)
CASES: tuple[Case, ...] = tuple(case for room in ROOMS for case in room.CASES)
