"""Intervals of macro means where labels have few rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.statistics.metrics import TIED, Bools, ByClass, Floats

ENOUGH = 100  # rows per label on average from which resampling shows how its scores vary
MACROS = {"macro_f1": "f1", "macro_precision": "precision", "macro_recall": "recall"}


def by_label(
    points: Mapping[str, float], whole: ByClass, size: float = 1.0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of macro means from those of each label, which are wide where it has few rows or none,
    however many others have.

    The half-width of a mean of C independent estimates is √Σ half² / C on each side (G. Zou and A. Donner,
    Statistics in Medicine 27(10), 2008). A label's F1 is 2 J / (1 + J) of the share J of right rows among
    those that have it or are predicted as it, with Wilson's interval. Where a macro mean counts labels
    without rows as 0, the upper end counts them as 1. points: the scores of all rows; whole: their counts;
    size: rows per cluster on average.
    """
    occurs, found = whole.occurs[0], {}
    right, true, given = (each[0] / size for each in whole)
    of = {"f1": true + given - right, "precision": given, "recall": true}
    for name, part in MACROS.items():
        if name not in points or not occurs.any():
            continue
        values = getattr(whole, part)[0]
        counted = occurs if points[name] > values[occurs].mean() - TIED else np.ones_like(occurs)
        known = counted & (of[part] > 0)
        ends = (
            np.array([wilson(*pair) for pair in zip(right[known], of[part][known], strict=True)])
            .reshape(-1, 2)
            .T
        )
        low, high = 2 * ends / (1 + ends) if part == "f1" else ends
        less, more = (float(np.sqrt((each**2).sum())) for each in (values[known] - low, high - values[known]))
        more += int((counted & ~known).sum())
        found[name] = (
            max(0.0, points[name] - less / counted.sum()),
            min(1.0, points[name] + more / counted.sum()),
        )
    return found


@dataclass(frozen=True)
class Few:
    """Variation of macro means where labels have few rows: resampling alone would keep a label with two right
    rows always right.

    Each label that occurs gets half a pseudo-row of right, missed and wrongly predicted rows, as Poisson
    counts, right as often as all rows are, with wrong ones distributed as the predictions: the idea of
    Agresti and Coull (1998) for a table. For rows in clusters, it is half a cluster.

    occurs: labels that do (C,). more: expected clusters of each kind, of `size` rows. scales: factors to
    means that include labels that don't occur, by score. around: the center of the drawn macro means, by
    score.
    """

    occurs: Bools
    more: Sequence[Any]
    scales: Mapping[str, float]
    around: Mapping[str, float]
    random: np.random.Generator
    size: float = 1.0

    @classmethod
    def of(cls, points: Mapping[str, float], whole: ByClass, seed: int, size: float = 1.0) -> Few | None:
        """points: the scores of all rows; whole: their counts; size: rows per cluster on average. None where
        labels have ENOUGH clusters on average, or there are no labels.
        """
        occurs = whole.occurs[0]
        if not occurs.any() or whole.true.sum() >= ENOUGH * size * occurs.sum():
            return None
        wrong = 0.5 * (1 - (whole.right.sum() + 1) / (whole.true.sum() + 2))
        given = whole.given[0, occurs] + 1
        more = [np.full(len(given), 0.5 - wrong), np.full(len(given), wrong), wrong * given / given.mean()]
        own = {
            name: float(getattr(whole, part)[0, occurs].mean())
            for name, part in MACROS.items()
            if name in points
        }
        scales = {name: points[name] / value if value else 1.0 for name, value in own.items()}
        base = added(whole, occurs, [size * each for each in more])
        around = {name: scale * float(getattr(base, MACROS[name]).mean()) for name, scale in scales.items()}
        return cls(occurs, more, scales, around, np.random.default_rng([seed, 1]), size)

    def macros(self, drawn: ByClass) -> dict[str, Floats]:
        """The macro means of resampled rows (B,). drawn: their counts."""
        more = [self.size * self.random.poisson(each, (len(drawn.right), len(each))) for each in self.more]
        found = added(drawn, self.occurs, more)
        return {
            name: scale * getattr(found, MACROS[name]).mean(axis=1) for name, scale in self.scales.items()
        }


def added(counts: ByClass, occurs: Bools, more: Sequence[Any]) -> ByClass:
    """The counts of the labels that occur, plus more rows that are right, missed and wrongly predicted."""
    right, missed, wrong = more
    own = [each[:, occurs] for each in counts]
    return ByClass(own[0] + right, own[1] + right + missed, own[2] + right + wrong)
