"""Scoring of single-label classification. Needs numpy."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration, deciding, metrics
from lifecycle.runtime.statistics.deciding import Cut, Deciding
from lifecycle.runtime.statistics.metrics import Floats, Ints, Scored
from lifecycle.runtime.task_types.measures import (
    BRIER,
    CALIBRATION,
    LOG_LOSS,
    OF_LABELS,
    Measures,
    Metric,
    Metrics,
)

MACRO_F1 = Metric("macro_f1", "Macro-F1", hub="f1", is_share=True)
METRICS = Metrics(
    known=(
        MACRO_F1,
        Metric("accuracy", "Accuracy", hub="accuracy", is_share=True),
        *OF_LABELS,
        LOG_LOSS,
        BRIER,
        *CALIBRATION,
    ),
    leading=MACRO_F1,
    trained=MACRO_F1,
    listed=MACRO_F1,
    strip=("macro_f1", "accuracy", "log_loss", "ece"),
    beside=("accuracy", "macro_f1"),
    compared=metrics.COMPARED,
    watched=("accuracy", "macro_f1", "ece"),
    drawn=("macro_f1", "accuracy", "ece"),
    registered=("accuracy", "macro_f1", "weighted_f1", "log_loss", "brier", "ece", "ece_debiased"),
)
BASELINES = {
    "majority": "Most frequent label",
    "tfidf_logreg": "TF-IDF + logistic regression",
    "frozen_base_logreg": "Frozen pretrained base + logistic regression",
}


@dataclass(frozen=True)
class Predictions:
    """A model's predictions for N rows. truth: label numbers (N,); probabilities: (N, C) in label order.

    cut: the label with a threshold; None if the most likely label is predicted. clusters: as in `Predicted`.
    deciding: the threshold's target, which files don't store.
    """

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: Ints
    probabilities: Floats
    cut: Cut | None = None
    clusters: Ints | None = None
    deciding: Deciding | None = None

    @property
    def predicted(self) -> Ints:
        """The number of the predicted label (N,)."""
        return deciding.decide(self.probabilities, self.cut)

    @property
    def confidence(self) -> Floats:
        """The probability of the predicted label (N,)."""
        return deciding.confidence(self.probabilities, self.predicted)


class SingleLabel(Measures[Predictions]):
    """Scored by the predicted label."""

    metrics, baselines, per_row = METRICS, BASELINES, ("ids", "truth", "probabilities", "clusters")

    def score(self, rows: Predictions, bins: int = 15) -> Scored:
        """As in `metrics.score_rows`."""
        return metrics.score_rows(rows.probabilities, rows.truth, bins, rows.cut)

    def truths(self, rows: Predictions, labels: tuple[str, ...]) -> list[Hashable]:
        """Label numbers."""
        return list(np.array([labels.index(label) for label in rows.labels])[rows.truth].tolist())

    def under(self, rows: Predictions, labels: tuple[str, ...]) -> Predictions:
        """With reordered columns."""
        order = [rows.labels.index(label) for label in labels]
        cut = rows.cut and Cut(order.index(rows.cut.index), rows.cut.threshold)
        return replace(
            rows,
            labels=labels,
            truth=np.argsort(order)[rows.truth],
            probabilities=rows.probabilities[:, order],
            cut=cut,
        )

    def parts(self, rows: Predictions, scored: Scored, bins: int) -> dict[str, Any]:
        """per_class, confusion, and reliability as in `metrics`; wrong_rows; and deciding as in
        `deciding.with_measured` if a label was to have a threshold.
        """
        asked = rows.deciding
        decided = asked and deciding.with_measured(
            asked, scored.predicted, rows.truth, rows.labels.index(asked.label), rows.clusters
        )
        return {
            "wrong_rows": int((scored.truth != scored.predicted).sum()),
            "per_class": metrics.per_class(scored, rows.labels),
            "confusion": {"labels": list(rows.labels), "counts": metrics.confusion(scored).tolist()},
            "reliability": calibration.reliability(scored.confidence, scored.exact, bins, rows.clusters),
        } | ({"deciding": decided} if decided else {})


ENTRY = SingleLabel("single_label")
