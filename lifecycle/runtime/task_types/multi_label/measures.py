"""Scores of label sets, from each label's probability and threshold. Only numpy; the counterpart of
`metrics`.

Macro averages cover all labels, as in scikit-learn for indicator matrices: a label that never occurs and is
never predicted counts as 0. Calibration covers every label decision: bins of a label's probability against
the share of rows that have it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import bootstrap, calibration, metrics
from lifecycle.runtime.statistics.calibration import Binned
from lifecycle.runtime.statistics.metrics import ByClass, Floats, Ints
from lifecycle.runtime.task_types.measures import (
    BRIER,
    CALIBRATION,
    LOG_LOSS,
    OF_LABELS,
    Measures,
    Metric,
    Metrics,
)

Bools = NDArray[np.bool_]

MACRO_F1 = Metric("macro_f1", "Macro-F1", hub="f1", is_share=True)
METRICS = Metrics(
    known=(
        MACRO_F1,
        Metric("micro_f1", "Micro-F1", is_share=True),
        Metric("subset_accuracy", "Subset accuracy", hub="accuracy", is_share=True),
        Metric("hamming_loss", "Hamming loss", lower_is_better=True, is_share=True),
        Metric("lrap", "Label ranking average precision", is_share=True),
        Metric("macro_ap", "Macro average precision", is_share=True),
        *(*OF_LABELS, LOG_LOSS, BRIER, *CALIBRATION),
    ),
    leading=MACRO_F1,
    trained=MACRO_F1,
    listed=MACRO_F1,
    strip=("macro_f1", "micro_f1", "subset_accuracy", "ece"),
    beside=("subset_accuracy", "macro_f1", "micro_f1"),
    compared=("macro_f1", "micro_f1", "subset_accuracy", "hamming_loss", "log_loss"),
    watched=("macro_f1", "micro_f1", "subset_accuracy", "ece"),
    drawn=("macro_f1", "subset_accuracy", "micro_f1", "ece"),
    registered=(
        *(
            "subset_accuracy",
            "macro_f1",
            "micro_f1",
            "hamming_loss",
            "lrap",
            "weighted_f1",
            "log_loss",
            "brier",
            "ece",
            "ece_debiased",
        ),
    ),
    rounded="micro_f1",
)
BASELINES = {
    "majority": "Most frequent label set",
    "tfidf_logreg": "TF-IDF + logistic regression",
    "frozen_base_logreg": "Frozen pretrained base + logistic regression",
}


@dataclass(frozen=True)
class ScoredSets:
    """Rows ready for scoring. truth, decided: (N, C); lrap, loss, brier: (N,); counts, held, sums: (N, bins),
    a row's label decisions per bin of probability, how many are true, and the sum of their probabilities.
    """

    truth: Bools
    decided: Bools
    lrap: Floats
    loss: Floats
    brier: Floats
    counts: Floats
    held: Floats
    sums: Floats

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def exact(self) -> Bools:
        """Rows with all labels correct (N,)."""
        same: Bools = (self.truth == self.decided).all(axis=1)
        return same

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score under each weighting of the rows. weights: (B, N), how often each row counts. Returns
        (B,) arrays.
        """
        total, labels = weights.sum(axis=1), self.truth.shape[1]
        found = self.by_class(weights)
        gap = np.abs(weights @ (self.held - self.sums))
        return {
            "macro_f1": found.f1.mean(axis=1),
            "micro_f1": metrics.ratio(2 * found.right.sum(axis=1), (found.true + found.given).sum(axis=1)),
            "weighted_f1": metrics.ratio((found.f1 * found.true).sum(axis=1), found.true.sum(axis=1)),
            "macro_precision": found.precision.mean(axis=1),
            "macro_recall": found.recall.mean(axis=1),
            "subset_accuracy": weights @ self.exact / total,
            "hamming_loss": weights @ (self.truth != self.decided).mean(axis=1) / total,
            "lrap": weights @ self.lrap / total,
            "log_loss": weights @ self.loss / total,
            "brier": weights @ self.brier / total,
            "ece": gap.sum(axis=1) / (total * labels),
        }

    def binned(self) -> Binned:
        """All label decisions by probability."""
        return Binned(self.counts.sum(axis=0), self.held.sum(axis=0), self.sums.sum(axis=0))

    def by_class(self, weights: Floats) -> ByClass:
        """For each label under each weighting."""
        return ByClass(*(weights @ each for each in (self.truth & self.decided, self.truth, self.decided)))


def truth_of(targets: Sequence[tuple[int, ...]], classes: int) -> Bools:
    """(N, C), true if the row has the label. targets: each row's label numbers."""
    found = np.zeros((len(targets), classes), dtype=np.bool_)
    for row, target in enumerate(targets):
        found[row, list(target)] = True
    return found


def decide(probabilities: NDArray[Any], thresholds: Sequence[float]) -> Bools:
    """The labels that reach their thresholds (N, C)."""
    decided: Bools = np.asarray(probabilities, dtype=np.float64) >= np.array(thresholds)
    return decided


def least_certain(probabilities: NDArray[Any], decided: Bools) -> Floats:
    """The confidence of each set (N,): the probability of its least certain decision, for a label or against
    it.
    """
    least: Floats = np.where(decided, probabilities, 1 - probabilities).min(axis=1)
    return least


def score_sets(
    probabilities: NDArray[Any], truth: NDArray[Any], thresholds: Sequence[float], bins: int = 15
) -> ScoredSets:
    """Statistics of each row from probabilities (N, C), true sets (N, C), and each label's threshold."""
    probabilities, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(truth, dtype=np.bool_)
    if probabilities.ndim != 2 or probabilities.shape != truth.shape or not truth.size:
        raise ValueError(
            f"Scores need probabilities and true sets of shape (N, C), N > 0; got {probabilities.shape} and"
            f" {truth.shape}."
        )
    rows = np.arange(len(truth))[:, None] * bins
    place = (rows + calibration.bin_of(probabilities, bins)).ravel()

    def binned(values: NDArray[Any] | None) -> Floats:
        added = np.bincount(place, None if values is None else values.ravel(), minlength=len(truth) * bins)
        return added.reshape(len(truth), bins).astype(np.float64)

    return ScoredSets(
        truth=truth,
        decided=decide(probabilities, thresholds),
        lrap=ranking_precision_rows(probabilities, truth),
        loss=calibration.decision_loss_rows(probabilities, truth),
        brier=((probabilities - truth) ** 2).mean(axis=1),
        counts=binned(None),
        held=binned(truth),
        sums=binned(probabilities),
    )


def ranking_precision_rows(probabilities: Floats, truth: Bools) -> Floats:
    """For each row, the share of true labels among those ranked at or above a true one, averaged over its
    true labels (N,); 1 if none or all are true. The mean over rows is label-ranking average precision
    (Tsoumakas et al. 2010).
    """
    found = np.ones(len(truth))
    block = max(1, bootstrap.BLOCK_CELLS // truth.shape[1] ** 2)
    for start in range(0, len(truth), block):
        scores, true = probabilities[start : start + block], truth[start : start + block]
        above = scores[:, None, :] >= scores[:, :, None]  # (n, C, C): label k is ranked at or above label j
        share = (above & true[:, None, :]).sum(axis=2) / above.sum(axis=2)
        some = true.any(axis=1) & ~true.all(axis=1)
        found[start : start + block][some] = ((share * true).sum(axis=1) / np.maximum(true.sum(axis=1), 1))[
            some
        ]
    return found


def average_precision(scores: Floats, truth: Bools) -> float | None:
    """Precision at each distinct score (N,), weighted by the added recall; None without a true row."""
    if not truth.any():
        return None
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    ends = np.flatnonzero(np.append(ranked[:-1] != ranked[1:], True))
    gained = np.diff(hits[ends], prepend=0)
    return float((gained * hits[ends] / (ends + 1)).sum() / hits[-1])


def per_class(
    rows: ScoredSets, probabilities: NDArray[Any], labels: Sequence[str], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """One entry per label: support, predicted, precision, recall, f1, average_precision, threshold, and its
    contingency table: hits, missed (true, not predicted), extra (predicted, not true), rest. Ratios with a
    zero denominator are 0.
    """
    entries = []
    for at, label in enumerate(labels):
        true, given = rows.truth[:, at], rows.decided[:, at]
        hits, support, called = int((true & given).sum()), int(true.sum()), int(given.sum())
        entries.append(
            {
                "label": label,
                "support": support,
                "predicted": called,
                "precision": hits / called if called else 0.0,
                "recall": hits / support if support else 0.0,
                "f1": 2 * hits / (support + called) if support + called else 0.0,
                "average_precision": average_precision(probabilities[:, at], true),
                "threshold": float(thresholds[at]),
                "hits": hits,
                "missed": support - hits,
                "extra": called - hits,
                "rest": len(rows) - support - called + hits,
            }
        )
    return entries


def confusion(rows: ScoredSets) -> Ints:
    """Counts (C, C). Off the diagonal: rows that miss the row's label and wrongly get the column's. On it:
    rows that correctly get the label. A row that misses or adds several labels is in several cells.
    """
    missed, extra = rows.truth & ~rows.decided, rows.decided & ~rows.truth
    counts: Ints = missed.T.astype(np.int64) @ extra.astype(np.int64)
    np.fill_diagonal(counts, (rows.truth & rows.decided).sum(axis=0))
    return counts


@dataclass(frozen=True)
class SetPredictions:
    """A model's predictions for N rows. truth: whether a row has each label (N, C); probabilities: (N, C) in
    label order. thresholds: one per label. clusters: as in `Predicted`.
    """

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: Bools
    probabilities: Floats
    thresholds: tuple[float, ...]
    clusters: Ints | None = None

    @property
    def decided(self) -> Bools:
        """The predicted labels (N, C)."""
        return decide(self.probabilities, self.thresholds)


class MultiLabel(Measures[SetPredictions]):
    """Scored with the labels that reach their thresholds."""

    metrics, baselines, per_row = METRICS, BASELINES, ("ids", "truth", "probabilities", "clusters")
    stated = "any number of labels per text, each with its own threshold"

    def score(self, rows: SetPredictions, bins: int = 15) -> ScoredSets:
        """As in `score_sets`."""
        return score_sets(rows.probabilities, rows.truth, rows.thresholds, bins)

    def truths(self, rows: SetPredictions, labels: tuple[str, ...]) -> list[Hashable]:
        """The labels of each row."""
        return [row.tobytes() for row in rows.truth[:, [rows.labels.index(label) for label in labels]]]

    def under(self, rows: SetPredictions, labels: tuple[str, ...]) -> SetPredictions:
        """With reordered columns."""
        order = [rows.labels.index(label) for label in labels]
        thresholds = tuple(rows.thresholds[at] for at in order)
        truth = np.ascontiguousarray(rows.truth[:, order])
        return replace(
            rows,
            labels=labels,
            truth=truth,
            probabilities=rows.probabilities[:, order],
            thresholds=thresholds,
        )

    def parts(self, rows: SetPredictions, scored: ScoredSets, bins: int) -> dict[str, Any]:
        """Adds macro_ap over labels that occur (without an interval, as every resample would need a new
        ranking), and the mean number of true and predicted labels per row.
        """
        classes = per_class(scored, rows.probabilities, rows.labels, rows.thresholds)
        ranked = [each["average_precision"] for each in classes if each["average_precision"] is not None]
        texts = np.repeat(
            np.arange(len(scored)) if rows.clusters is None else rows.clusters, len(rows.labels)
        )
        return {
            "macro_ap": float(np.mean(ranked)) if ranked else None,
            "wrong_rows": int((~scored.exact).sum()),
            "labels_per_row": {
                "true": float(scored.truth.sum(axis=1).mean()),
                "given": float(scored.decided.sum(axis=1).mean()),
            },
            "per_class": classes,
            "confusion": {"labels": list(rows.labels), "counts": confusion(scored).tolist()},
            "reliability": calibration.reliability(
                rows.probabilities.ravel(), scored.truth.ravel(), bins, texts
            ),
        }


ENTRY = MultiLabel("multi_label")
