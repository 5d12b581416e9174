"""Spans: parts of a text, each with a label."""

from lifecycle.runtime.task_types.spans.answers import SpanAnswers
from lifecycle.runtime.task_types.task_type import TaskType

ENTRY = TaskType(
    key="spans",
    title="Spans",
    asks="parts of a text, each with a label",
    answers=SpanAnswers(),
    has_confidence=True,
    gives="spans",
    hub_tag="token-classification",
    has_labels=True,
    prelabels=True,
)
