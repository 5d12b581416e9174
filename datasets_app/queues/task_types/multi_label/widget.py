"""Multi-label: annotators select labels, then save."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from datasets_app.queues.task_types.widget import Widget
from lifecycle.runtime.task_types.answers import Value


class MultiLabelWidget(Widget):
    """Boxes."""

    scripts = ("js/queues/task_types/multi_label.js",)

    def fields(self, value: Value | None, text: str, names: Mapping[str, str]) -> dict[str, Any]:
        """The selected labels."""
        return {"ticked": (value or {}).get("labels", [])}

    def posted(self, data: QueryDict) -> Any | None:
        """The selected labels; a blank one means no label."""
        ticked = data.getlist("labels")
        return {"labels": [each for each in ticked if each]} if ticked else None


ENTRY = MultiLabelWidget("multi_label")
