"""Chats: annotators write the assistant's turns. Needs JavaScript."""

from __future__ import annotations

from datasets_app.queues.task_types.generation.widget import WritingWidget


class ChatWidget(WritingWidget):
    """A text field for each assistant turn."""

    scripts = ("js/queues/writing.js", "js/queues/task_types/chat.js")


ENTRY = ChatWidget("chat")
