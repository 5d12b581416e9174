"""A dialogue whose answers are written."""

from lifecycle.runtime.task_types.chat.answers import ChatAnswers
from lifecycle.runtime.task_types.task_type import Content, TaskType

ENTRY = TaskType(
    key="chat",
    title="Chat",
    asks="dialogues whose responses are written or corrected",
    answers=ChatAnswers(),
    content=Content.DIALOGUE,
    learns_as="generation",
    has_gold=False,
    writes_text=True,
)
