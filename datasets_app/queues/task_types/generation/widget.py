"""A text is written."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from datasets_app.queues.task_types.widget import Widget


class WritingWidget(Widget):
    """What is written is saved from within a field."""

    save_key = "Ctrl ↵"

    def layout(self, *, few: bool) -> str:
        """There are no labels."""
        return "writing few"


class TextWidget(WritingWidget):
    """One field."""

    scripts = ("js/queues/writing.js", "js/queues/task_types/generation.js")

    def posted(self, data: QueryDict) -> Any | None:
        """The text."""
        return {"text": data["text"]} if data.get("text") else None

    def typed(self, data: QueryDict) -> Any | None:
        """A text that isn't blank."""
        return {"text": data["text"]} if data.get("text", "").strip() else None


ENTRY = TextWidget("generation")
