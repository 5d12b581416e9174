"""Labeling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.statistics.table import Case, Draw, Row, cries
from datasets_app.queues import rules as labeling
from lifecycle.runtime.statistics import intervals


def gold(draw: Draw) -> Iterator[Row]:
    """Gold accuracy of people exactly at the minimum, after each annotation: whether they are ever paused."""
    for minimum in (0.8, 0.9):
        runs, last = draw.runs(4000), 300
        right = (draw.random.random((runs, last)) < minimum).cumsum(axis=1)
        held = np.zeros((2, runs), dtype=bool)
        for done in range(labeling.GOLD_FEWEST, last + 1, 4):
            for rule, of in enumerate((labeling.gold_accuracy, intervals.share)):
                high = {int(each): of(int(each), done).high for each in np.unique(right[:, done - 1])}
                held[rule] |= np.array([high[int(each)] < minimum for each in right[:, done - 1]])
        named = (
            "gold accuracy below the minimum",
            f"exactly at {100 * minimum:g} %",
            f"{last} annotations, every fourth looked at",
        )
        yield cries(named, runs, held[0].mean(), held[1].mean(), "Wilson at each look")


CASES: tuple[Case, ...] = (gold,)
