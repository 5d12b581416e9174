"""Regression: annotators set a number with a slider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from datasets_app.queues.task_types.widget import Widget
from lifecycle.runtime.task_types.answers import Value
from tests.task_types.regression.answers import HIGH, LOW


class SliderWidget(Widget):
    """A slider and a field with the same number; the field is submitted, so either works without
    JavaScript.
    """

    merged = ("Median", "The number in the middle.")
    scripts = ("js/queues/task_types/regression.js",)

    def layout(self, *, few: bool) -> str:
        """None."""
        return "writing few"

    def fields(self, value: Value | None, text: str, names: Mapping[str, str]) -> dict[str, Any]:
        """The range, and the likely number."""
        return {"low": LOW, "high": HIGH, "number": (value or {}).get("number")}

    def posted(self, data: QueryDict) -> Any | None:
        """The number in the field, otherwise the slider's."""
        found = data.get("number") or data.get("slider")
        return {"number": read(found)} if found else None

    def typed(self, data: QueryDict) -> Any | None:
        """The number of the field."""
        return {"number": read(data["number"])} if data.get("number", "").strip() else None


def read(text: str) -> float | str:
    """A number as typed; invalid input unchanged, for the error."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return text


ENTRY = SliderWidget("regression")
