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

from lifecycle.statistics.metrics import RESAMPLES

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


def attack(members: Sequence[float], others: Sequence[float], *, count: int = RESAMPLES, seed: int = 1) -> dict[str, Any]:
    """The attack with score = −loss. members, others: losses of rows that were, and were not, trained on; both of one distribution.

    Returns {"members", "others", "auc", "low", "high", "rates": [Rate as JSON]}: 0.5 is guessing, 1 tells every row; 95 % percentile
    interval, members and others resampled apart. Equal input gives equal output. Raises ValueError when one side is empty.
    """
    inside, outside = -np.asarray(members, dtype=np.float64), -np.asarray(others, dtype=np.float64)
    if not len(inside) or not len(outside):
        raise ValueError("Membership inference needs rows that were trained on, and rows that were not.")
    levels, level = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    ours, theirs = level[: len(inside)], level[len(inside) :]
    random = np.random.default_rng(seed)
    drawn = [auc(random.choice(ours, len(ours)), random.choice(theirs, len(theirs)), len(levels)) for _ in range(count)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {
        "members": len(inside), "others": len(outside), "auc": auc(ours, theirs, len(levels)), "low": float(low), "high": float(high),
        "rates": [asdict(rate_at(inside, outside, share, needed)) for share, needed in FALSE_POSITIVES.items()],
    }  # fmt: skip


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
