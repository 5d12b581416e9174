"""Generation: annotators write a text."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from datasets_app.queues.task_types.widget import Widget


class WritingWidget(Widget):
    """Saved with a shortcut that works inside the text field."""

    save_key = "Ctrl ↵"

    def layout(self, *, few: bool) -> str:
        """Without a list of labels."""
        return "writing few"


class TextWidget(WritingWidget):
    """A single text field."""

    scripts = ("js/queues/writing.js", "js/queues/task_types/generation.js")

    def posted(self, data: QueryDict) -> Any | None:
        """The text."""
        return {"text": data["text"]} if data.get("text") else None

    def typed(self, data: QueryDict) -> Any | None:
        """The text, unless it is blank."""
        return {"text": data["text"]} if data.get("text", "").strip() else None


ENTRY = TextWidget("generation")
