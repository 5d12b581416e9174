"""Counts at each threshold: precision, recall, and coverage of the rows at or above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NEVER = float("inf")  # the threshold that no score reaches
# the score of a positive row without one: no threshold calls it, and it isn't handed to a person
UNSCORED = -NEVER


class Scores(NamedTuple):
    """Rows of one case, all (N,). called: by the model's own predictions. clusters: number of each row's
    cluster, such as near duplicates, or the spans of one text; None where unknown.
    """

    score: Floats
    positive: Bools
    called: Bools
    clusters: Ints | None = None


class Worth(NamedTuple):
    """Effective number of rows in the denominator of a share, at each threshold (T,). known: by
    `clustered.effective`; least: if all rows of a cluster are alike.
    """

    known: Floats
    least: Floats


@dataclass(frozen=True)
class Curve:
    """Counts at each threshold. thresholds: scores that occur, ascending (T,); called: rows at or above each;
    hits: positive ones of them; positives: all positive rows; rows: all with a score. worth: for rows in
    clusters, the effective denominators of precision, recall and coverage; None: rows are independent.
    """

    thresholds: Floats
    called: Ints
    hits: Ints
    positives: int
    rows: int
    worth: Mapping[str, Worth] | None = None

    @property
    def precision(self) -> Floats:
        """Share of the called rows that are positive (T,)."""
        share: Floats = self.hits / self.called
        return share

    @property
    def recall(self) -> Floats:
        """Share of the positive rows that are called (T,); 1 without positive rows, as in scikit-learn."""
        share: Floats = self.hits / self.positives if self.positives else np.ones(len(self.hits))
        return share

    @property
    def coverage(self) -> Floats:
        """Share of the rows with a score that are called (T,)."""
        share: Floats = self.called / self.rows
        return share


def curve(scores: Floats, positive: Bools, clusters: Ints | None = None) -> Curve:
    """The curve of N rows; without thresholds where none of them has a score. clusters: number of each row's
    cluster (N,); None: rows are independent.
    """
    scored = scores != UNSCORED
    found, right = scores[scored], positive[scored]
    order = np.argsort(found, kind="stable")
    thresholds, starts = np.unique(found[order], return_index=True)
    before = np.concatenate(([0], np.cumsum(right[order])))  # positive rows below each place
    called = len(found) - starts
    worth = None
    if clusters is not None and len(np.unique(clusters)) < len(clusters):
        worth = _worth(clusters, scored, positive, np.flatnonzero(scored)[order][::-1], called)
    return Curve(thresholds, called, before[-1] - before[starts], int(positive.sum()), len(found), worth)


def _worth(clusters: Ints, scored: Bools, positive: Bools, down: Ints, called: Ints) -> dict[str, Worth]:
    """The effective denominator of each share where `called` rows are called (T,). down: rows from the
    highest score on.
    """
    _, number = np.unique(clusters, return_inverse=True)
    codes, hit, every = number[down], positive[down].astype(np.int64), np.ones(len(down), dtype=np.int64)
    none = np.zeros(int(number.max()) + 1, dtype=np.int64)
    parts = {
        "precision": (hit, every, none),
        "recall": (hit, 0 * every, np.bincount(number[positive], minlength=len(none))),
        "coverage": (every, 0 * every, np.bincount(codes, minlength=len(none))),
    }
    return {
        by: Worth(*(each[called - 1] for each in clustered.effective_so_far(codes, *part)))
        for by, part in parts.items()
    }
