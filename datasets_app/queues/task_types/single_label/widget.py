"""Single label: choosing a label saves the annotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from datasets_app.queues.task_types.widget import Widget
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.inputs import clean


class SingleLabelWidget(Widget):
    """Buttons for suggestions, and a list of all labels."""

    saves = False

    def fields(self, value: Value | None, text: str, names: Mapping[str, str]) -> dict[str, Any]:
        """The label."""
        return {"chosen": (value or {}).get("label", "")}

    def posted(self, data: QueryDict) -> Any | None:
        """The button's label, otherwise the list's."""
        label = data.get("label") or data.get("every")
        return {"label": label} if label else None

    def typed(self, data: QueryDict) -> Any | None:
        """A label by name."""
        name = clean(data.get("other", ""))
        return {"label": name} if name else None


ENTRY = SingleLabelWidget("single_label")
