"""A dialogue whose answers are written."""

from lifecycle.task_types.chat.answers import ChatAnswers
from lifecycle.task_types.task_type import Content, TaskType

ENTRY = TaskType(
    key="chat",
    title="A dialogue whose answers are written or mended",
    answers=ChatAnswers(),
    rows="dialogues",
    content=Content.DIALOGUE,
    learns_as="free_text",
    has_gold=False,
    writes_text=True,
)
