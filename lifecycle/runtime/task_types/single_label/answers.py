"""Annotations with one label per text: {"label": id}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lifecycle.runtime.task_types.answers import (
    DROPPED,
    BadAnswer,
    ItemContent,
    LabelAnswers,
    Labels,
    Part,
    Read,
    Value,
)
from lifecycle.runtime.task_types.inputs import BadInput, Cell, CellKind, clean, names_of


class SingleLabelAnswers(LabelAnswers):
    """One label."""

    name = "label"
    coefficients = ("percent", "alpha", "fleiss", "alpha_ordinal")

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The label."""
        if not isinstance(raw, Mapping) or set(raw) != {self.name}:
            raise BadAnswer(
                "shape", "An annotation of this dataset is one label.", "Choose a label from the list."
            )
        return {self.name: labels.resolve(raw[self.name])}

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """A name, or a JSON list with one name."""
        found = column_names(cell.text.strip()) if cell.kind is CellKind.COLUMN else names_of(cell, "labels")
        names = [name for each in found if (name := read(each))]
        if len(names) > 1 or cell.kind is CellKind.NAMES and not found:
            message = f"There are {len(found)} labels, but this dataset has one label per text."
            raise BadAnswer(
                "labels", message, "Keep the most important one, or import the text without a label."
            )
        return {self.name: names[0]} if names else None

    def parts(self, value: Value) -> tuple[Part, ...]:
        """The label."""
        return (value[self.name],)

    def join(self, parts: Iterable[Part]) -> Value | None:
        """The label, if it is the only one."""
        found = set(parts)
        return {self.name: found.pop()} if len(found) == 1 else None

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The name of the label."""
        return names.get(value[self.name], DROPPED)

    def frozen(self, value: Value) -> str:
        """The label's name."""
        return str(value[self.name])


def column_names(cell: str) -> list[str]:
    """The names in a cell; a JSON list of texts is parsed, so that several can be reported."""
    try:
        return (
            names_of(Cell(CellKind.NAMES, cell), "labels") if cell.startswith('["') else [cell] * bool(cell)
        )
    except BadInput:
        return [cell]
