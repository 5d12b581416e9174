"""Membership inference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.statistics.table import Case, Draw, Row, covers
from benchmarks.statistics.worlds import Floats, Ints, holds
from lifecycle.runtime.statistics import membership


def membership_area(draw: Draw) -> Iterator[Row]:
    """AUC of the loss attack: exponential losses with scales in the ratio of true to 1 − true."""
    for n in (30, 100, 1000):
        runs = draw.runs(3000 if n < 1000 else 1000)
        for true in (0.5, 0.6, 0.95):
            ours, peer = [], []
            for run in range(runs):
                ends, inside, outside = attacked(draw, n, true)
                ours.append(ends)
                peer.append(resampled_area(inside, outside, run))
            yield covers(
                ("membership AUC", f"independent, true {true:g}", f"2 × {n:,} rows"),
                runs,
                holds(ours, true).mean(),
                holds(peer, true).mean(),
                "percentile bootstrap",
            )
    for n, true in ((100, 0.5), (100, 0.8), (1000, 0.5)):
        runs = draw.runs(3000 if n < 1000 else 1000)
        for alike in (0.3, 0.8):
            found = [attacked(draw, n, true, alike) for _ in range(runs)]
            peer = [
                membership.auc_interval(float(membership.placements(-one, -two).mean()), n, n)
                for _, one, two in found
            ]
            named = (
                "membership AUC",
                f"near duplicates by five, {alike:g} equal, true {true:g}",
                f"2 × {n:,} rows",
            )
            yield covers(
                named,
                runs,
                holds((each[0] for each in found), true).mean(),
                holds(peer, true).mean(),
                "Newcombe of rows",
            )


def by_five(n: int) -> Ints:
    """The cluster of each of n rows, five to each."""
    return np.arange(n) // 5


def attacked(
    draw: Draw, n: int, true: float, alike: float = 0.0
) -> tuple[tuple[float, float], Floats, Floats]:
    """The interval and both sides' losses; in clusters of five a row has the loss of its cluster with
    probability `alike`.
    """
    sides = []
    for scale in ((1 - true) / true, 1.0):
        own = draw.random.exponential(scale, n)
        common = draw.random.exponential(scale, -(-n // 5))[by_five(n)]
        sides.append(np.where(draw.random.random(n) < alike, common, own) if alike else own)
    clusters = by_five(n).tolist() if alike else None
    found = membership.attack(*sides, clusters, clusters)
    return (found["low"], found["high"]), sides[0], sides[1]


def resampled_area(inside: Floats, outside: Floats, seed: int, count: int = 200) -> tuple[float, float]:
    """Percentiles of the area over resampled rows of either side."""
    random, below = np.random.default_rng(seed), (inside[:, None] < outside[None]).astype(np.float32)
    one, two = (
        random.multinomial(len(each), np.full(len(each), 1 / len(each)), count).astype(np.float32)
        for each in (inside, outside)
    )
    areas = ((one @ below) * two).sum(axis=1) / below.size
    low, high = np.percentile(areas, (2.5, 97.5))
    return float(low), float(high)


CASES: tuple[Case, ...] = (membership_area,)
