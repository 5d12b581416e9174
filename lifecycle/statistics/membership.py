"""Whether rows tell by their loss that a model was trained on them: the loss-threshold attack of membership inference.

Yeom et al. (2018), arXiv:1709.01604; true-positive rates at low false-positive rates as in Carlini et al. (2022), arXiv:2112.03570.
The attack is simple: what it does not find a stronger one may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.statistics.intervals import Z95

FALSE_POSITIVES = {0.01: 1_000, 0.001: 10_000}  # rate → other rows that it takes to tell it: ten of them are then above the threshold
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """Share of members found while `false_positives` of the others are wrongly taken for members. None: too few rows to tell.

    low, high: 95 % (Clopper-Pearson), of the members alone. needed: other rows that it takes.
    """

    false_positives: float
    needed: int
    rate: float | None = None
    low: float | None = None
    high: float | None = None


def attack(members: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """The attack with score = −loss. members, others: losses of rows that were, and were not, trained on; both of one distribution.

    Returns {"members", "others", "auc", "low", "high", "rates": [Rate as JSON]}: 0.5 is guessing, 1 tells every row; the ends are those of
    `auc_interval`. Raises ValueError when one side is empty.
    """
    inside, outside = -np.asarray(members, dtype=np.float64), -np.asarray(others, dtype=np.float64)
    if not len(inside) or not len(outside):
        raise ValueError("Membership inference needs rows that were trained on, and rows that were not.")
    levels, level = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    found = auc(level[: len(inside)], level[len(inside) :], len(levels))
    low, high = auc_interval(found, len(inside), len(outside))
    return {
        "members": len(inside), "others": len(outside), "auc": found, "low": low, "high": high,
        "rates": [asdict(rate_at(inside, outside, share, needed)) for share, needed in FALSE_POSITIVES.items()],
    }  # fmt: skip


def auc_interval(found: float, members: int, others: int, z: float = Z95) -> tuple[float, float]:
    """95 % interval of an area under the ROC curve: the areas from which `found` is at most z of their standard errors away.

    R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney statistic, part 2", Statistics in Medicine
    25(4), 2006, method 5. It covers from about 20 rows a side on, and where one side lies wholly above the other, where percentiles of
    resampled rows say that the area is 1 for sure.
    """
    rows = (members + others) / 2

    def is_near(area: float) -> bool:
        variance = area * (1 - area) * (1 + (rows - 1) * ((1 - area) / (2 - area) + area / (1 + area))) / (members * others)
        return (found - area) ** 2 <= z**2 * variance

    ends = []
    for outside in (0.0, 1.0):
        inside = found
        while abs(outside - inside) > 1e-9:
            between = (outside + inside) / 2
            outside, inside = (outside, between) if is_near(between) else (between, inside)
        ends.append(inside)
    return ends[0], ends[1]


def auc(members: NDArray[np.int64], others: NDArray[np.int64], levels: int) -> float:
    """How often a member ranks above another row, ties counted half: the area under the ROC curve. Both are ranks below `levels`."""
    ours, theirs = np.bincount(members, minlength=levels), np.bincount(others, minlength=levels)
    below = np.cumsum(theirs) - theirs
    return float((ours * (below + theirs / 2)).sum() / (len(members) * len(others)))


def rate_at(inside: Floats, outside: Floats, share: float, needed: int) -> Rate:
    """The share of members above the lowest threshold that at most this share of the others exceeds."""
    if len(outside) < needed:
        return Rate(share, needed)
    from scipy import stats  # late: slows the start of every process, and few compute with it

    threshold = np.sort(outside)[::-1][int(share * len(outside) + 1e-9)]  # so many others may be above it
    found, total = int((inside > threshold).sum()), len(inside)
    low = float(stats.beta.ppf(0.025, found, total - found + 1)) if found else 0.0
    high = float(stats.beta.ppf(0.975, found + 1, total - found)) if found < total else 1.0
    return Rate(share, needed, found / total, low, high)
