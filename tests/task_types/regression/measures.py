"""Scoring of regression: the distance of predicted from annotated numbers. Needs numpy.

mse       mean squared distance
mae       mean distance
nearness  1 minus the mean distance as a share of the range; for groups of rows
spearman  rank correlation, -1 to 1, ties at their mean rank; NaN if all numbers on one side are equal
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.metrics import ByClass, Floats, Ints
from lifecycle.runtime.task_types.measures import Measures, Metric, Metrics
from tests.task_types.regression.answers import HIGH, LOW

MSE = Metric("mse", "MSE", meaning="mean squared distance from the annotated number", lower_is_better=True)
METRICS = Metrics(
    known=(
        MSE,
        Metric("mae", "MAE", meaning="mean distance from the annotated number", lower_is_better=True),
        Metric("spearman", "Spearman", words="Spearman's correlation", meaning="rank correlation, −1 to 1"),
        Metric(
            "nearness",
            "Nearness",
            meaning="1 at the annotated number, 0 at the other end of the range",
            is_share=True,
        ),
    ),
    leading=MSE,
    trained=MSE,
    listed=MSE,
    strip=("mse", "mae", "spearman"),
    beside=("mse", "mae", "spearman"),
    compared=("mse", "mae", "spearman"),
    watched=("mse", "mae", "spearman"),
    drawn=("mse", "mae", "spearman"),
    registered=("mse", "mae", "spearman", "nearness"),
    loss="mse",
    lowered="mean squared distance",
)
BASELINES = {"mean": "Mean of the training rows", "tfidf_ridge": "TF-IDF + ridge regression"}


@dataclass(frozen=True)
class Numbers:
    """A model's numbers for N rows. truth, predicted: (N,). clusters: as in `Predicted`."""

    ids: tuple[str, ...]
    truth: Floats
    predicted: Floats
    clusters: Ints | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoredNumbers:
    """Rows ready for scoring, (N,) each."""

    truth: Floats
    predicted: Floats
    exact = None  # numbers are close or far, not right or wrong

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def loss(self) -> Floats:
        """The squared distance of each row."""
        return np.square(self.predicted - self.truth)

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score under each weighting of the rows. weights: (B, N), how often each row counts."""
        total = weights.sum(axis=1)
        return {
            "mse": weights @ self.loss / total,
            "mae": weights @ np.abs(self.predicted - self.truth) / total,
            "nearness": weights @ nearness(self.truth, self.predicted) / total,
            "spearman": correlation(
                weighted_ranks(self.truth, weights), weighted_ranks(self.predicted, weights), weights
            ),
        }

    def binned(self) -> None:
        """None: numbers have no confidence."""

    def by_class(self, weights: Floats) -> ByClass:
        """None: there are no labels."""
        return ByClass(*np.zeros((3, len(weights), 0)))


def nearness(truth: Floats, predicted: Floats) -> Floats:
    """Nearness of each row (N,): 1 at the annotated number, 0 at the other end of the range."""
    near: Floats = 1 - np.abs(predicted - truth) / (HIGH - LOW)
    return near


def weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """The mean rank (B, N) of each value under each weighting of the rows."""
    _, places = np.unique(values, return_inverse=True)
    counts = np.zeros((len(weights), int(places.max()) + 1))
    for level in range(counts.shape[1]):
        counts[:, level] = weights[:, places == level].sum(axis=1)
    return (np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, places]


def correlation(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Pearson's correlation under each weighting (B,); NaN if one side doesn't vary. one, other: (B, N)."""
    total = weights.sum(axis=1, keepdims=True)
    mine, theirs = (each - (weights * each).sum(axis=1, keepdims=True) / total for each in (one, other))
    below = np.sqrt((weights * mine**2).sum(axis=1) * (weights * theirs**2).sum(axis=1))
    above = (weights * mine * theirs).sum(axis=1)
    return np.divide(above, below, out=np.full(len(weights), np.nan), where=below > 0)


class NumberMeasures(Measures[Numbers]):
    """Score by distance."""

    metrics, baselines, per_row = METRICS, BASELINES, ("ids", "truth", "predicted", "clusters")
    reference = ("tfidf_ridge", "TF-IDF")
    stated = "text regression, a number from 0 to 10"

    def score(self, rows: Numbers, bins: int = 15) -> ScoredNumbers:
        """The annotated and the predicted number of each row."""
        return ScoredNumbers(rows.truth, rows.predicted)

    def truths(self, rows: Numbers, labels: tuple[str, ...]) -> list[Hashable]:
        """The annotated numbers."""
        return list(rows.truth.tolist())

    def parts(self, rows: Numbers, scored: ScoredNumbers, bins: int) -> dict[str, Any]:
        """None: rows aren't right or wrong."""
        return {"wrong_rows": None}


ENTRY = NumberMeasures("regression")
