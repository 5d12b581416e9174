"""Annotations of written text, such as a completion or a summary: {"text": "…"}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.task_types.answers import Answers, BadAnswer, ItemContent, Labels, Read, Value, written
from lifecycle.runtime.task_types.inputs import Cell, CellKind, clean, only


class TextAnswers(Answers):
    """A text."""

    name = "text"

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The text, unchanged."""
        if not isinstance(raw, Mapping) or set(raw) != {self.name}:
            raise BadAnswer("shape", "An annotation of this dataset is a text.", "Write it, then save.")
        return {self.name: written(raw[self.name], "The text")}

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """The cell, or a labeling tool's only text."""
        text = only(cell, "texts") if cell.kind in (CellKind.NAMES, CellKind.TEXTS) else cell.text
        return {self.name: text} if text.strip() or cell.kind is not CellKind.COLUMN else None

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The text."""
        return str(value[self.name])

    def frozen(self, value: Value) -> str:
        """Empty, as the text can be erased."""
        return ""
