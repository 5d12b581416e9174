"""Annotations of one number per text: {"number": 3.5}, from 0 to 10."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Answers, BadAnswer, ItemContent, Labels, Read, Value
from lifecycle.runtime.task_types.inputs import Cell, clean, only

LOW, HIGH = 0.0, 10.0
NEXT_STEP = f"Give a number from {LOW:g} to {HIGH:g}."


def in_words(number: float) -> str:
    """A predicted number for display, rounded to a tenth."""
    return f"{number:.1f}"


class NumberAnswers(Answers):
    """Annotations are equal if their numbers are."""

    name = "number"

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The number as a float, so that 3 and 3.0 are equal."""
        found = raw.get(self.name) if isinstance(raw, Mapping) and set(raw) == {self.name} else None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise BadAnswer("shape", "An annotation of this dataset is one number.", NEXT_STEP)
        if not LOW <= found <= HIGH:  # rejects NaN and infinities too
            raise BadAnswer("shape", f"The number must be from {LOW:g} to {HIGH:g}.", NEXT_STEP)
        return {self.name: float(found) + 0.0}  # -0.0 is 0.0

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """A number as text, also with a decimal comma."""
        if cell.is_empty:
            return None
        word = only(cell, "numbers").strip().replace(",", ".")
        try:
            number = float(word)
        except ValueError:
            return {self.name: word}
        return {self.name: number if math.isfinite(number) else word}

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The number."""
        return f"{value[self.name]:g}"

    def merge(self, values: Sequence[Value]) -> Value | None:
        """The median."""
        return {self.name: float(statistics.median(each[self.name] for each in values))} if values else None
