"""What is measured of one label a text. numpy."""

from __future__ import annotations

from lifecycle.statistics import metrics
from lifecycle.task_types.measures import BRIER, CALIBRATION, LOG_LOSS, Measures, Metric, Metrics

MACRO_F1 = Metric("macro_f1", "Macro-F1")
METRICS = Metrics(
    known=(
        MACRO_F1,
        Metric("accuracy", "Accuracy"),
        Metric("weighted_f1", "Weighted F1"),
        Metric("macro_precision", "Macro precision"),
        Metric("macro_recall", "Macro recall"),
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
    "majority": "Most frequent class",
    "tfidf_logreg": "TF-IDF + logistic regression",
    "frozen_base_logreg": "Frozen pretrained base + logistic regression",
}
ENTRY = Measures("single_label", METRICS, BASELINES)
