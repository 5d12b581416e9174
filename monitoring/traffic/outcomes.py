"""What outcomes say: the difference between cases with the model and without it, its interval, and whether
the split can be believed. Pure.

Cases of one subject (a customer) resemble each other, and figures are looked at every day. So outcomes are
added up by random groups of subjects, which are independent of each other and take the place of rows, and
intervals and p-values hold at every look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered, intervals, sequences
from lifecycle.runtime.statistics.intervals import Interval

Floats = NDArray[np.float64]
SHARE = "share"
# random groups of subjects: as many independent sums tell a variance to within 10 %, whatever the number of
# subjects
GROUPS = 256
# groups with a case in each arm, below which no difference is reported: skewed numbers need more
LEAST = {"share": 30, "number": 100}
SUBJECTS_LEAST = {"share": 32, "number": 130}  # about so many subjects fill them
# of an arm's cases: with more in one group a mean of numbers is that of a few subjects, and no interval holds
LARGEST = 0.10
# n·m / (n + m) of the arms at which intervals are narrowest: effects on money show later
BEST_AT = {"share": 100, "number": 1000}
MISMATCH_P = 0.001  # a split that chance would ever give more rarely than this is an alarm
# subjects that the prior of the split weighs: narrowest where the hold-out is off by its standard error at so
# many
SURENESS = 100


def group_of(uuid: UUID, subject: str) -> int:
    """The group of a case, 0 to 255. subject: its digest; a case without one is a subject of its own."""
    return int(subject[:2], 16) if subject else hashlib.sha256(uuid.bytes).digest()[0]


@dataclass(frozen=True, eq=False)
class Arm:
    """The outcomes of one arm, added up. groups: (2, 256), the number of cases and the sum of their values by
    group of subjects.

    subjects: those of which a case was reported for the first time, so that days add up; unnamed: cases that
    came without a subject.
    """

    subjects: int = 0
    unnamed: int = 0
    groups: Floats = field(default_factory=lambda: np.zeros((2, GROUPS)))

    def __add__(self, other: Arm) -> Arm:
        """Both as one."""
        return Arm(self.subjects + other.subjects, self.unnamed + other.unnamed, self.groups + other.groups)

    @property
    def n(self) -> int:
        """Cases."""
        return int(self.groups[0].sum())

    @property
    def total(self) -> float:
        """The sum of their values."""
        return float(self.groups[1].sum())

    @property
    def mean(self) -> float | None:
        """None without cases."""
        return self.total / self.n if self.n else None

    @property
    def filled(self) -> int:
        """Groups with a case: at most as many as there are subjects."""
        return int((self.groups[0] > 0).sum())

    @property
    def largest(self) -> float:
        """The share of the cases that the largest group has (0 to 1); 0 without cases."""
        return float(self.groups[0].max()) / self.n if self.n else 0.0

    @property
    def packed(self) -> bytes:
        """The groups as they are stored: 512 doubles, little-endian."""
        return self.groups.astype("<f8").tobytes()


def unpacked(stored: bytes | memoryview) -> Floats:
    """The groups (2, 256) from their stored form."""
    return np.frombuffer(stored, dtype="<f8").reshape(2, GROUPS)


def added(cases: Iterable[tuple[int, float]], *, subjects: int, unnamed: int) -> Arm:
    """Cases (group, value) as sums."""
    groups = np.zeros((2, GROUPS))
    for group, value in cases:
        groups[:, group] += 1, value
    return Arm(subjects, unnamed, groups)


def compare(kind: str, model: Arm, holdout: Arm, figures: int = 1) -> Interval | None:
    """Model minus hold-out, in the unit of the figure (shares: 0 to 1). figures: how many the endpoint has;
    with 95 % all of them hold.

    Shares by Newcombe's interval at the effective number of rows, numbers by Hall's for skewed values, both
    over groups of subjects and as wide as may be looked at again and again. None where too few groups have a
    case; of numbers also where one group has more than LARGEST of an arm's cases, whose mean is that of a few
    subjects, and where they are all the same in each arm: where nothing varies there is no interval, and a
    difference without one isn't reported.
    """
    if min(model.filled, holdout.filled) < LEAST[kind] or (
        kind != SHARE and max(model.largest, holdout.largest) > LARGEST
    ):
        return None
    (n, total), (other_n, other_total) = model.groups, holdout.groups

    def quantile(one: float, two: float) -> float:
        return sequences.quantile(one * two / (one + two), sequences.ALPHA / figures, best_at=BEST_AT[kind])

    if kind == SHARE:
        arms = clustered.sums(total, n), clustered.sums(other_total, other_n)
        return clustered.difference(*arms, quantile(*map(clustered.effective, arms)))
    z = quantile(model.n, holdout.n)
    found = intervals.difference(clustered.skewed(total, n, z), clustered.skewed(other_total, other_n, z))
    return found if found.low < found.high else None


def ratio_p(model: int, holdout: int, holdout_share: float) -> float | None:
    """How likely chance alone ever splits the subjects so far from the hold-out share, however often one
    looks (Lindon and Malek, "Anytime- valid inference for multinomial count data", NeurIPS 2022). None
    without subjects; 0.0 where an arm has some that should have none.
    """
    if not model + holdout:
        return None
    if holdout_share in (0, 1):
        return 0.0 if (holdout if holdout_share == 0 else model) else 1.0
    return sequences.p_of_share(
        holdout,
        model + holdout,
        holdout_share,
        prior=(SURENESS * holdout_share, SURENESS * (1 - holdout_share)),
    )
