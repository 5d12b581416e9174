"""Annotations of two to five ranked responses: {"ranking": [2, 0, 1]}, their numbers in the item from 0, best
first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import (
    UNKNOWN,
    Answers,
    BadAnswer,
    ItemContent,
    Labels,
    Read,
    Value,
    listed,
)
from lifecycle.runtime.task_types.inputs import Cell, clean, loaded


class RankingAnswers(Answers):
    """Every response once."""

    name = "ranking"

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The ranking."""
        found, count = listed(raw, self.name), len(item.content.get("responses", []))
        if any(type(each) is not int for each in found) or sorted(found) != list(range(count)):
            message = f"A ranking contains each of the {count} responses once, from 0 to {count - 1}."
            raise BadAnswer("ranking", message, "Rank all responses.")
        return {self.name: found}

    def item_like(self, value: Value | None, text: str | None, characters: int) -> ItemContent:
        """As many responses as were ranked."""
        return ItemContent(content={"responses": [UNKNOWN] * len(value[self.name] if value else ())})

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """A JSON list of numbers, also as text."""
        if cell.is_empty:
            return None
        found = loaded(cell.text, "ranks")
        if isinstance(found, list):
            found = [
                int(each) if isinstance(each, str) and each.isdecimal() and len(each) < 3 else each
                for each in found
            ]
        return {self.name: found}

    def ranks(self, value: Value, count: int) -> Sequence[int]:
        """The place of each response."""
        return [value[self.name].index(at) for at in range(count)]

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The numbers of the responses, from 1."""
        return " > ".join(str(each + 1) for each in value[self.name])
