"""What worlds are drawn from, and what all rooms ask of what was found in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.table import ALPHA, Draw
from lifecycle.runtime.statistics import intervals

# an effect of so many standard errors is found with 90 % at one look
Z, REACH = intervals.Z95, intervals.Z95 + 1.2816
ALIKE = (0.0, 0.02, 0.3, 0.8)  # intraclass correlations
THIRD, TWO_THIRDS, PARETO = "one has a third", "three have two thirds", "Pareto sizes"
UNEVEN = (THIRD, TWO_THIRDS, PARETO)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ends = Iterable[tuple[float, float]]


def holds(found: Ends, truth: float) -> Floats:
    """Whether each interval has it (runs,)."""
    return np.array([low <= truth <= high for low, high in found], dtype=float)


def by_count(ends: Callable[[int], tuple[float, float]], counts: Ints) -> Ends:
    """The interval of each count; of equal ones computed once."""
    known = {int(each): ends(int(each)) for each in np.unique(counts)}
    return [known[int(each)] for each in counts.ravel()]


def pair(found: intervals.Interval) -> tuple[float, float]:
    """Its ends."""
    return found.low, found.high


def alike_within(draw: Draw, shape: tuple[int, int], chance: float, icc: float) -> Floats:
    """The chance of each cluster (runs, clusters): beta, so that two rows of one cluster correlate by icc."""
    if not icc:
        return np.full(shape, chance)
    spread = (1 - icc) / icc
    return draw.random.beta(chance * spread, (1 - chance) * spread, shape)


def counted(draw: Draw, runs: int, clusters: int, size: int, chance: float, icc: float) -> tuple[Ints, Ints]:
    """Successes and rows of each cluster (runs, clusters): 1 and a Poisson number of rows, `size` on average;
    of size 1 one each.
    """
    rows = 1 + draw.random.poisson(size - 1, (runs, clusters))
    return draw.random.binomial(rows, alike_within(draw, (runs, clusters), chance, icc)), rows


def sizes(draw: Draw, shape: str, clusters: int, rows: int, runs: int = 1) -> Ints:
    """Rows of each cluster (runs, clusters), one at least and about `rows` in all: the first, or the first
    three, have the share that their shape gives and the rest is even; or sizes have a Pareto distribution
    of index 1.2, drawn anew for each run; else all are even.
    """
    if shape == PARETO:
        weights = 1 + draw.random.pareto(1.2, (runs, clusters))
    else:
        large, part = {THIRD: (1, 1 / 3), TWO_THIRDS: (3, 2 / 3)}.get(shape, (0, 0.0))
        rest = (1 - part) / (clusters - large)
        weights = np.tile([part / large if at < large else rest for at in range(clusters)], (runs, 1))
    return np.maximum(1, (weights / weights.sum(axis=1, keepdims=True) * rows).round()).astype(np.int64)


def codes_of(draw: Draw, shape: str, clusters: int, rows: int) -> Ints:
    """The number of each row's cluster (about rows,), of sizes as `sizes` has them."""
    return np.repeat(np.arange(clusters), sizes(draw, shape, clusters, rows)[0])


def as_its_cluster(draw: Draw, codes: Ints, icc: float) -> Callable[[], Floats]:
    """Uniform numbers of rows (N,) at each call; with the root of icc a row has that of its cluster, the same
    rows at every call, so that what two rows of one cluster have correlates by icc.
    """
    clusters, shares = int(codes.max()) + 1, draw.random.random(len(codes)) < icc**0.5
    return lambda: np.where(shares, draw.random.random(clusters)[codes], draw.random.random(len(codes)))


def weight_of(codes: Ints) -> float:
    """Rows in the cluster of a row that is drawn: the design effect of a mean is 1 + (this − 1) · ICC."""
    return float((np.bincount(codes).astype(float) ** 2).sum() / len(codes))


def oracle(without: Floats, effect: Floats, alpha: float = ALPHA) -> float:
    """How often |statistic| (runs,) is beyond what a share of alpha of the same statistics without an effect
    passes.
    """
    limit = np.quantile(np.abs(without), 1 - alpha, method="higher")
    return float((np.abs(effect) > limit).mean())


def furthest(differences: Floats, like: Floats) -> Floats:
    """The largest |difference| (runs, looks) of all looks, in standard deviations that `like` has at that
    look; finite ones alone.
    """
    spread = np.nanstd(like, axis=0)
    return np.nanmax(np.abs(differences[:, spread > 0] / spread[spread > 0]), axis=1)


def world_of(icc: float) -> str:
    """In words."""
    return f"clusters, ICC {icc:g}"


def rate(flags: Iterable[Any]) -> float:
    """The share that is true."""
    return float(np.mean(np.asarray(list(flags), dtype=float)))


def looks_to(last: int, number: int = 50, first: int = 1) -> Ints:
    """Counts at which a look is taken: all up to `number`, then increasingly far apart."""
    return np.unique(np.geomspace(first, last, number).round().astype(np.int64))
