"""Chats with written or corrected responses."""

from lifecycle.runtime.task_types.chat.answers import ChatAnswers
from lifecycle.runtime.task_types.task_type import Content, TaskType

ENTRY = TaskType(
    key="chat",
    title="Chat",
    asks="dialogues with written or corrected responses",
    answers=ChatAnswers(),
    content=Content.DIALOGUE,
    learns_as="generation",
    has_gold=False,
    writes_text=True,
)
