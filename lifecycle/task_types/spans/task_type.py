"""Parts of a text, each with a label."""

from lifecycle.task_types.spans.answers import SpanAnswers
from lifecycle.task_types.task_type import TaskType

ENTRY = TaskType(
    key="spans",
    title="Marked parts of a text, each with a class",
    answers=SpanAnswers(),
    rows="marked parts",
    does="predicts spans",
    gives="spans",
    hub_tag="token-classification",
    has_labels=True,
    prelabels=True,
)
