"""Preference: choosing the better of two responses saves the annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.queues.task_types.ranking.widget import ResponsesWidget
from datasets_app.queues.task_types.widget import Option
from datasets_app.schemas.models.schemas import Label
from lifecycle.runtime.task_types.answers import Value, canonical
from lifecycle.runtime.task_types.by_key.types import type_of

SIDES = (
    ("left", "Left is better"),
    ("right", "Right is better"),
    ("tie", "About the same"),
    ("neither", "Both are bad"),
)


class PreferenceWidget(ResponsesWidget):
    """Two responses side by side."""

    scripts = ("js/queues/responses.js", "js/queues/task_types/preference.js")
    saves = False

    def options(self, labels: Sequence[Label]) -> list[Option]:
        """The two sides."""
        return [{"id": key, "name": name} for key, name in SIDES]

    def buttons(self, item: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The choice in item order, from the side it was displayed on."""
        sides = ["first" if number == 0 else "second" for number in item["content"]["order"]]
        choices = (sides[0], sides[1], "tie", "neither")
        return [
            (canonical({"choice": choice}), name) for choice, (_, name) in zip(choices, SIDES, strict=True)
        ]

    def fields(self, value: Value | None, text: str, names: Mapping[str, str]) -> dict[str, Any]:
        """(value as JSON, name) of each choice, in the item's response order."""
        return {
            "choices": [
                (canonical({"choice": choice}), name)
                for choice, name in type_of(self.key).answers.choices.items()
            ]
        }


ENTRY = PreferenceWidget("preference")
