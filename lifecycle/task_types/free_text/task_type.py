"""A text that is written."""

from lifecycle.task_types.free_text.answers import TextAnswers
from lifecycle.task_types.task_type import TaskType

ENTRY = TaskType(
    key="free_text",
    title="A text that is written, such as a completion or a summary",
    answers=TextAnswers(),
    rows="texts that are written",
    does="generates text",
    gives="generated text",
    hub_tag="text-generation",
    has_gold=False,
    writes_text=True,
)
