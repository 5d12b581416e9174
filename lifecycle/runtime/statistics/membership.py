"""Membership inference by the loss-threshold attack: whether a row's loss reveals that a model was trained on
it.

Yeom et al. (2018), arXiv:1709.01604; true-positive rates at low false-positive rates as in Carlini et al.
(2022), arXiv:2112.03570. The attack is simple: a stronger one may find more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Ints
from lifecycle.runtime.statistics.intervals import Z95

# rate → other rows needed to measure it: ten of them are then above the threshold
FALSE_POSITIVES = {0.01: 1_000, 0.001: 10_000}
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """True-positive rate at a false-positive rate of `false_positives`. None: too few rows to measure it.

    low, high: 95 % (Clopper-Pearson), over members only. needed: other rows needed.
    """

    false_positives: float
    needed: int
    rate: float | None = None
    low: float | None = None
    high: float | None = None


def attack(
    members: Sequence[float],
    others: Sequence[float],
    clusters: Sequence[int] | Ints | None = None,
    other_clusters: Sequence[int] | Ints | None = None,
) -> dict[str, Any]:
    """The attack with score = −loss. members, others: losses of rows that were, and were not, trained on;
    both of one distribution.

    clusters, other_clusters: number of each row's cluster, such as near duplicates, whose losses resemble
    each other; None: rows are independent.

    Returns {"members", "others", "auc", "low", "high", "rates": [Rate as JSON]}: an AUC of 0.5 is guessing, 1
    identifies every row; the ends are those of `auc_interval`. Raises ValueError when one side is empty.
    """
    inside, outside = -np.asarray(members, dtype=np.float64), -np.asarray(others, dtype=np.float64)
    if not len(inside) or not len(outside):
        raise ValueError("Membership inference needs rows that were trained on, and rows that were not.")
    levels, level = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    found = auc(level[: len(inside)], level[len(inside) :], len(levels))
    ours, theirs = together(clusters), together(other_clusters)
    effect, z = clusters_of_auc(inside, outside, ours, theirs)
    low, high = auc_interval(found, len(inside), len(outside), z, effect)
    return {
        "members": len(inside),
        "others": len(outside),
        "auc": found,
        "low": low,
        "high": high,
        "rates": [
            asdict(rate_at(inside, outside, share, needed, ours)) for share, needed in FALSE_POSITIVES.items()
        ],
    }


def together(clusters: Sequence[int] | Ints | None) -> Ints | None:
    """The number of each row's cluster, from 0 on (N,); None where each row is a cluster of its own."""
    if clusters is None:
        return None
    names, number = np.unique(np.asarray(clusters), return_inverse=True)
    return None if len(names) == len(number) else number.astype(np.int64)


def clusters_of_auc(
    inside: Floats, outside: Floats, clusters: Ints | None, other_clusters: Ints | None
) -> tuple[float, float]:
    """The design effect of the AUC, 1 or more, and Student's t quantile in place of 1.96.

    By placements: for each row, the share of the other side that it ranks correctly. Their variance over
    clusters divided by that over rows (N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve
    data", Biometrics 53(2), 1997; no cluster is on both sides). Where all placements are equal, a cluster
    counts as one row. Valid from about 20 clusters of equal size per side.
    """
    if clusters is None and other_clusters is None:
        return 1.0, Z95
    placed = [placements(inside, outside), 1 - placements(outside, inside)]
    alone = together = 0.0
    freedom = float(len(inside) + len(outside))
    for values, codes in zip(placed, (clusters, other_clusters), strict=True):
        number = np.arange(len(values)) if codes is None else codes
        found = clustered.by_cluster(values, number)
        own, worst = float(values.var()) / len(values), found.squares[2] / found.below
        alone, together = alone + (own or 1.0), together + (max(own, found.variance) if own else worst)
        freedom = min(freedom, found.equal - 1)
    return together / alone, clustered.quantile(freedom)


def placements(one: Floats, two: Floats) -> Floats:
    """Of each value of one, the share of two below it, ties counted half."""
    ranked = np.sort(two)
    placed: Floats = (np.searchsorted(ranked, one, "left") + np.searchsorted(ranked, one, "right")) / (
        2 * len(two)
    )
    return placed


def auc_interval(
    found: float, members: int, others: int, z: float = Z95, effect: float = 1.0
) -> tuple[float, float]:
    """95 % interval of an area under the ROC curve: the areas that `found` is at most z of their standard
    errors away from.

    effect: the design effect, see `clusters_of_auc`.

    R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney statistic, part
    2", Statistics in Medicine 25(4), 2006, method 5. Valid from about 20 rows per side, also where one side
    is entirely above the other, where a bootstrap interval has no length.
    """
    rows = (members + others) / 2

    def is_near(area: float) -> bool:
        variance = (
            area
            * (1 - area)
            * (1 + (rows - 1) * ((1 - area) / (2 - area) + area / (1 + area)))
            / (members * others)
        )
        return (found - area) ** 2 <= z**2 * effect * variance

    ends = []
    for outside in (0.0, 1.0):
        inside = found
        while abs(outside - inside) > 1e-9:
            between = (outside + inside) / 2
            outside, inside = (outside, between) if is_near(between) else (between, inside)
        ends.append(inside)
    return ends[0], ends[1]


def auc(members: NDArray[np.int64], others: NDArray[np.int64], levels: int) -> float:
    """The area under the ROC curve: how often a member ranks above another row, ties counted half. Both are
    ranks below `levels`.
    """
    ours, theirs = np.bincount(members, minlength=levels), np.bincount(others, minlength=levels)
    below = np.cumsum(theirs) - theirs
    return float((ours * (below + theirs / 2)).sum() / (len(members) * len(others)))


def rate_at(inside: Floats, outside: Floats, share: float, needed: int, clusters: Ints | None = None) -> Rate:
    """The share of members above the lowest threshold that at most this share of the others exceeds.
    clusters: of the members, whose effective number replaces their number (E. Korn and B. Graubard, Survey
    Methodology 24(2), 1998).
    """
    if len(outside) < needed:
        return Rate(share, needed)
    from scipy import stats  # late: slows the start of every process, and few compute with it

    threshold = np.sort(outside)[::-1][int(share * len(outside) + 1e-9)]  # so many others may be above it
    above = (inside > threshold).astype(np.float64)
    rate, rows = float(above.mean()), float(len(inside))
    if clusters is not None:
        rows = clustered.effective(clustered.by_cluster(above, clusters))
    low = float(stats.beta.ppf(0.025, rate * rows, rows - rate * rows + 1)) if rate else 0.0
    high = float(stats.beta.ppf(0.975, rate * rows + 1, rows - rate * rows)) if rate < 1 else 1.0
    return Rate(share, needed, rate, low, high)
