"""Reading traffic."""

from __future__ import annotations

from monitoring.traffic.queries.figures import Point, Total, series, total, totals, whole
from monitoring.traffic.queries.predictions import (
    FEW,
    PAGE,
    deployment_of,
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
    "FEW", "PAGE", "Judged", "Kept", "Point", "Total", "Unsure", "deployment_of", "feedback_between", "find", "history", "labels_of",
    "newest_feedback", "reads_texts", "recent", "series", "shadow_answers", "texts", "total", "totals", "visible", "whole", "wrong_or_unsure",
]  # fmt: skip
