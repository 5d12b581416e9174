"""Reading traffic."""

from __future__ import annotations

from monitoring.traffic.queries.figures import Point, Total, series, total, totals, whole
from monitoring.traffic.queries.outcomes import (
    Comparison,
    Week,
    compare,
    comparisons,
    kpis,
    newest_outcomes,
    visible_kpis,
    weeks,
)
from monitoring.traffic.queries.predictions import (
    FEW,
    PAGE,
    deployment_of,
    disagreements,
    find,
    history,
    labels_of,
    newest_feedback,
    reads_texts,
    recent,
    shadow_answers,
    visible,
)
from monitoring.traffic.queries.window import Judged, Kept, Unsure, feedback_between, texts, wrong_or_unsure

__all__ = [
    "FEW", "PAGE", "Comparison", "Judged", "Kept", "Point", "Total", "Unsure", "Week", "compare", "comparisons", "deployment_of",
    "disagreements", "feedback_between", "find", "history", "kpis", "labels_of", "newest_feedback", "newest_outcomes", "reads_texts",
    "recent", "series", "shadow_answers", "texts", "total", "totals", "visible", "visible_kpis", "weeks", "whole", "wrong_or_unsure",
]  # fmt: skip
