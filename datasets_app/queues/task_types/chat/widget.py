"""The assistant's turns are written, by a script alone."""

from __future__ import annotations

from datasets_app.queues.task_types.generation.widget import WritingWidget


class ChatWidget(WritingWidget):
    """A field for each of these turns."""

    scripts = ("js/queues/writing.js", "js/queues/task_types/chat.js")


ENTRY = ChatWidget("chat")
