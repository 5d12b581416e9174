"""Text generation."""

from lifecycle.runtime.task_types.generation.answers import TextAnswers
from lifecycle.runtime.task_types.task_type import TaskType

ENTRY = TaskType(
    key="generation",
    title="Generation",
    asks="a response to a prompt, such as a summary",
    answers=TextAnswers(),
    gives="generated text",
    hub_tag="text-generation",
    has_gold=False,
    writes_text=True,
)
