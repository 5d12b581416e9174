"""Drift."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.statistics.table import Case, Draw, Row, cries
from lifecycle.statistics import clustered
from monitoring.drift import statistics as drift


def population(draw: Draw) -> Iterator[Row]:
    """PSI of 1,000 answers against 3,000 of the reference; nothing changed. A sender's answers resemble each other."""
    shares, alpha = np.arange(1, 11) / 55, 0.01
    for senders, alike in ((1000, 0.0), (200, 0.3), (50, 0.3), (20, 0.3)):
        runs = draw.runs(2000)
        found = np.zeros((2, runs))
        for run in range(runs):
            who = draw.random.integers(0, senders, 1000)
            favourite = draw.random.choice(10, senders, p=shares)[who]
            label = np.where(draw.random.random(1000) < alike**0.5, favourite, draw.random.choice(10, 1000, p=shares))
            reference = draw.random.multinomial(3000, shares).tolist()
            bins = drift.Bins(tuple(map(str, range(10))), tuple(reference), tuple(np.bincount(label, minlength=10).tolist()))
            tries = drift.shift(bins, alpha, clustered.design(label, who, 1000)), drift.shift(bins, alpha)
            found[:, run] = [each is not None and each.p <= alpha for each in tries]
        world = f"{senders:,} senders, ICC {alike:g}"
        yield cries(("PSI", world, "1,000 answers"), runs, found[0].mean(), found[1].mean(), "chi-square of rows", alpha)


CASES: tuple[Case, ...] = (population,)
