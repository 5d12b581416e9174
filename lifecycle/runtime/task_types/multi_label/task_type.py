"""Multi-label classification."""

from lifecycle.runtime.task_types.multi_label.answers import MultiLabelAnswers
from lifecycle.runtime.task_types.task_type import TaskType

ENTRY = TaskType(
    key="multi_label",
    title="Multi-label",
    asks="any number of labels per text",
    answers=MultiLabelAnswers(),
    has_confidence=True,
    gives="multiple labels",
    hub_tag="text-classification",
    has_labels=True,
    labels_texts=True,
    has_thresholds=True,
    prelabels=True,
)
