"""Spans: annotators mark spans in the text. Needs JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets_app.queues.task_types.widget import Widget
from lifecycle.runtime.task_types.answers import Value


class SpanWidget(Widget):
    """The text with a table of spans."""

    scripts = ("js/queues/task_types/spans.js",)
    edits = True

    def layout(self, *, few: bool) -> str:
        """Without a label map next to the text."""
        return "marking short" if few else "marking"

    def fields(self, value: Value | None, text: str, names: Mapping[str, str]) -> dict[str, Any]:
        """The data for the script."""
        return {
            "editor": {
                "text": text,
                "previous": value,
                "classes": [{"id": key, "name": name} for key, name in names.items()],
            }
        }


ENTRY = SpanWidget("spans")
