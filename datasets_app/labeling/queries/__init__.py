"""Reading labels, queues and decisions."""

from datasets_app.labeling.queries.decisions import (
    adjudicators_of,
    annotators_of,
    current_decision,
    current_decisions,
    history_of,
    labels_by_name,
    labels_of_items,
    latest_schema,
    newest_decision,
    standing,
)
from datasets_app.labeling.queries.review import answers_in, label_of, seen_digest

__all__ = [
    "answers_in",
    "label_of",
    "seen_digest",
    "adjudicators_of",
    "annotators_of",
    "current_decision",
    "current_decisions",
    "history_of",
    "labels_by_name",
    "labels_of_items",
    "latest_schema",
    "newest_decision",
    "standing",
]
