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
    candidates,
    deployment_of,
    disagreements,
    hide_texts,
    history,
    labels_of,
    newest_at,
    newest_feedback,
    reads_texts,
    recent,
    right_words,
    shadow_answers,
    task_of,
    visible,
    words_of,
)
from monitoring.traffic.queries.window import (
    Judged,
    Kept,
    Sampled,
    Wrong,
    drawn_scores,
    drawn_texts,
    feedback_sample,
    labels_in,
    latest_feedback,
    reported_wrong,
    sampled,
    texts,
    wrong_without_text,
)

__all__ = [
    "FEW", "PAGE", "Comparison", "Judged", "Kept", "Point", "Sampled", "Total", "Week", "Wrong",
    "candidates", "compare", "comparisons", "deployment_of", "disagreements", "drawn_scores",
    "drawn_texts", "feedback_sample", "hide_texts", "history", "kpis", "labels_in", "labels_of",
    "latest_feedback", "newest_at", "newest_feedback", "newest_outcomes", "reads_texts", "recent",
    "reported_wrong", "right_words", "sampled", "series", "shadow_answers", "task_of", "texts",
    "total", "totals", "visible", "visible_kpis", "weeks", "whole", "words_of",
    "wrong_without_text",
]  # fmt: skip
