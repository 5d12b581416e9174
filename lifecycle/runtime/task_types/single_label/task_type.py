"""Single-label classification."""

from lifecycle.runtime.task_types.single_label.answers import SingleLabelAnswers
from lifecycle.runtime.task_types.task_type import TaskType

ENTRY = TaskType(
    key="single_label",
    title="Single-label",
    asks="one label per text",
    answers=SingleLabelAnswers(),
    has_confidence=True,
    hub_tag="text-classification",
    has_labels=True,
    one_label=True,
    labels_texts=True,
    prelabels=True,
)
