"""What is measured of numbers: how far a model is from people's. numpy.

mse       mean of the squared distance
mae       mean of the distance
nearness  1 less the mean distance, as a share of the range: of groups of rows
spearman  correlation of the ranks, -1 to 1, equal numbers at their mean rank; NaN where either side has one number alone
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.metrics import ByClass, Floats, Ints
from lifecycle.runtime.task_types.measures import Measures, Metric, Metrics
from tests.task_types.regression.answers import HIGH, LOW

MSE = Metric("mse", "MSE", meaning="mean squared distance from people's number", lower_is_better=True)
METRICS = Metrics(
    known=(
        MSE,
        Metric("mae", "MAE", meaning="mean distance from people's number", lower_is_better=True),
        Metric("spearman", "Spearman", words="Spearman's correlation", meaning="correlation of ranks, −1 to 1"),
        Metric("nearness", "Nearness", meaning="1 at people's number, 0 at the other end of the range", is_share=True),
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
    """A model's numbers for N rows. truth, predicted: (N,). clusters: as of `Predicted`."""

    ids: tuple[str, ...]
    truth: Floats
    predicted: Floats
    clusters: Ints | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoredNumbers:
    """Rows ready to be counted, (N,) each."""

    truth: Floats
    predicted: Floats
    exact = None  # a number is near or far, not right or wrong

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def loss(self) -> Floats:
        """The squared distance of each row."""
        return np.square(self.predicted - self.truth)

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score of each weighting of the rows. weights: (B, N), how often each counts."""
        total = weights.sum(axis=1)
        return {
            "mse": weights @ self.loss / total,
            "mae": weights @ np.abs(self.predicted - self.truth) / total,
            "nearness": weights @ nearness(self.truth, self.predicted) / total,
            "spearman": correlation(weighted_ranks(self.truth, weights), weighted_ranks(self.predicted, weights), weights),
        }

    def binned(self) -> None:
        """No number has a confidence."""

    def by_class(self, weights: Floats) -> ByClass:
        """There are no classes."""
        return ByClass(*np.zeros((3, len(weights), 0)))


def nearness(truth: Floats, predicted: Floats) -> Floats:
    """Of each row (N,): 1 at people's number, 0 at the other end of the range."""
    near: Floats = 1 - np.abs(predicted - truth) / (HIGH - LOW)
    return near


def weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """The mean rank (B, N) of each value among rows that count as often as each weighting says."""
    _, places = np.unique(values, return_inverse=True)
    counts = np.zeros((len(weights), int(places.max()) + 1))
    for level in range(counts.shape[1]):
        counts[:, level] = weights[:, places == level].sum(axis=1)
    return (np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, places]


def correlation(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Pearson's of each weighting (B,); NaN where one side doesn't vary. one, other: (B, N)."""
    total = weights.sum(axis=1, keepdims=True)
    mine, theirs = (each - (weights * each).sum(axis=1, keepdims=True) / total for each in (one, other))
    below = np.sqrt((weights * mine**2).sum(axis=1) * (weights * theirs**2).sum(axis=1))
    above = (weights * mine * theirs).sum(axis=1)
    return np.divide(above, below, out=np.full(len(weights), np.nan), where=below > 0)


class NumberMeasures(Measures[Numbers]):
    """By distance."""

    metrics, baselines, per_row = METRICS, BASELINES, ("ids", "truth", "predicted", "clusters")
    reference = ("tfidf_ridge", "TF-IDF")
    stated = "text regression, a number from 0 to 10"

    def score(self, rows: Numbers, bins: int = 15) -> ScoredNumbers:
        """Both numbers of each row."""
        return ScoredNumbers(rows.truth, rows.predicted)

    def truths(self, rows: Numbers, labels: tuple[str, ...]) -> list[Hashable]:
        """People's numbers."""
        return list(rows.truth.tolist())

    def parts(self, rows: Numbers, scored: ScoredNumbers, bins: int) -> dict[str, Any]:
        """A row isn't right or wrong."""
        return {"wrong_rows": None}


ENTRY = NumberMeasures("regression")
