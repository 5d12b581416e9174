"""Scores of a classifier from its probabilities, under any weights of its rows. numpy only.

Macro means are over the labels that occur in truth or predictions, as in scikit-learn; a label without
predictions has precision 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.calibration import Binned
from lifecycle.runtime.statistics.deciding import Cut, confidence, decide

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
TIED = 1e-9  # differences of scores closer than this are equal: sums in another order round differently
# not ECE: of two perfectly calibrated models, the sharper has the lower one
COMPARED = ("accuracy", "macro_f1", "log_loss", "brier")


class ByClass(NamedTuple):
    """Counts of each label, (B, C) each. true: rows, or spans, that have it; given: predicted as it; right:
    both.
    """

    right: Floats
    true: Floats
    given: Floats

    @property
    def f1(self) -> Floats:
        """F1 of each label; 0 where it is neither true nor predicted."""
        return ratio(2 * self.right, self.true + self.given)

    @property
    def precision(self) -> Floats:
        """Precision of each label; 0 where it is never predicted."""
        return ratio(self.right, self.given)

    @property
    def recall(self) -> Floats:
        """Recall of each label; 0 where it is never true."""
        return ratio(self.right, self.true)

    @property
    def occurs(self) -> Bools:
        """Labels that are true or predicted somewhere."""
        return (self.true + self.given) > 0


class Countable(Protocol):
    """Rows with scores under any weights (B, N), the number of times that each counts."""

    def __len__(self) -> int: ...

    @property
    def exact(self) -> NDArray[Any] | None:
        """Whether a row is entirely right (N,), for the shares in OF_ROWS; None where only parts of rows are
        right or wrong.
        """

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score under each weighting (B,)."""

    def binned(self) -> Binned | None:
        """The predictions by confidence; None without confidences."""

    def by_class(self, weights: Floats) -> ByClass:
        """Counts of each label under each weighting; no columns without labels."""


@dataclass(frozen=True)
class Scored:
    """Rows of a single-label classifier: all arrays have N rows; classes is the number of labels."""

    truth: Ints
    predicted: Ints
    confidence: Floats
    loss: Floats
    brier: Floats
    classes: int
    bins: int

    @property
    def exact(self) -> Floats:
        """1.0 where the prediction is right (N,)."""
        right: Floats = (self.truth == self.predicted).astype(np.float64)
        return right

    def __len__(self) -> int:
        return len(self.truth)

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """See the function of this name."""
        return aggregate(self, weights)

    def binned(self) -> Binned:
        """The rows by confidence."""
        return calibration.binned(self.confidence, self.exact, self.bins)

    def by_class(self, weights: Floats) -> ByClass:
        """Counts of each label under each weighting."""
        columns = (weights * self.exact, self.truth), (weights, self.truth), (weights, self.predicted)
        return ByClass(*(_by_group(values, group, self.classes) for values, group in columns))


def score_rows(
    probabilities: NDArray[Any], truth: NDArray[Any], bins: int = 15, cut: Cut | None = None
) -> Scored:
    """Per-row quantities of probabilities (N, C) and true label numbers (N,). cut: where one class is
    predicted from a threshold on.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(truth, dtype=np.int64)
    if probabilities.ndim != 2 or len(probabilities) != len(truth) or len(truth) == 0:
        raise ValueError(
            f"Scores need probabilities (N, C) and N true labels, N > 0; got {probabilities.shape} and"
            f" {truth.shape}."
        )
    picked, predicted = probabilities[np.arange(len(truth)), truth], decide(probabilities, cut)
    return Scored(
        truth=truth,
        predicted=predicted,
        confidence=confidence(probabilities, predicted),
        loss=calibration.log_loss_rows(probabilities, truth),
        brier=(probabilities**2).sum(axis=1) - 2 * picked + 1,
        classes=probabilities.shape[1],
        bins=bins,
    )


def aggregate(rows: Scored, weights: Floats) -> dict[str, Floats]:
    """Every score under each weighting of the rows. weights: (B, N), the number of times that each counts.
    Returns (B,) arrays.
    """
    total, found = weights.sum(axis=1), rows.by_class(weights)
    shown = found.occurs.sum(axis=1)
    bin_number = calibration.bin_of(rows.confidence, rows.bins)
    gap = np.abs(_by_group(weights * (rows.exact - rows.confidence), bin_number, rows.bins))
    return {
        "accuracy": found.right.sum(axis=1) / total,
        "macro_f1": found.f1.sum(axis=1) / shown,
        "weighted_f1": (found.f1 * found.true).sum(axis=1) / total,
        "macro_precision": found.precision.sum(axis=1) / shown,
        "macro_recall": found.recall.sum(axis=1) / shown,
        "log_loss": weights @ rows.loss / total,
        "brier": weights @ rows.brier / total,
        "ece": gap.sum(axis=1) / total,
    }


def _by_group(values: Floats, group: Ints, groups: int) -> Floats:
    """Sums of values (B, N) over rows of the same group: (B, groups)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    sums = np.zeros((len(values), groups))
    held = np.append(starts[1:], len(group)) > starts
    if held.any():
        sums[:, held] = np.add.reduceat(values[:, order], starts[held], axis=1)
    return sums


def ratio(above: Floats, below: Floats) -> Floats:
    """The ratios; 0 where below is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def mean_loss(nats: Floats, counted: Floats) -> Floats:
    """The mean loss of each row (N,). nats: sum over its `counted` units; NaN where there are none."""
    return np.divide(nats, counted, out=np.full(len(nats), np.nan), where=counted > 0)


def point_estimates(rows: Countable) -> dict[str, float]:
    """Every score over all rows, each counted once."""
    return {name: float(value[0]) for name, value in rows.aggregate(np.ones((1, len(rows)))).items()}


def per_class(rows: Scored, labels: Sequence[str]) -> list[dict[str, Any]]:
    """One entry per label: support, predicted, precision, recall, f1; a ratio with denominator 0 is 0."""
    counts = confusion(rows)
    tp, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return [
        {
            "label": label,
            "support": int(support[number]),
            "predicted": int(called[number]),
            "precision": float(tp[number] / called[number]) if called[number] else 0.0,
            "recall": float(tp[number] / support[number]) if support[number] else 0.0,
            "f1": (
                float(2 * tp[number] / (support[number] + called[number]))
                if support[number] + called[number]
                else 0.0
            ),
        }
        for number, label in enumerate(labels)
    ]


def confusion(rows: Scored) -> Ints:
    """Counts (C, C): row = true label, column = predicted."""
    flat = np.bincount(rows.truth * rows.classes + rows.predicted, minlength=rows.classes**2)
    return flat.reshape(rows.classes, rows.classes).astype(np.int64)
