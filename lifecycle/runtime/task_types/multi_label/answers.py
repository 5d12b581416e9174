"""Annotations with any number of labels per text: {"labels": [id, …]}, sorted; empty: no label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lifecycle.runtime.task_types.answers import (
    DROPPED,
    NO_LABELS,
    BadAnswer,
    ItemContent,
    LabelAnswers,
    Labels,
    Part,
    Read,
    Value,
    listed,
)
from lifecycle.runtime.task_types.inputs import Cell, CellKind, clean, loaded


class MultiLabelAnswers(LabelAnswers):
    """A set of labels."""

    name = "labels"

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The labels without duplicates."""
        return self.join(labels.resolve(each) for each in listed(raw, self.name))

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """A JSON list of names, or names separated by a bar or semicolon; a labeling tool's word is one
        name.
        """
        if cell.is_empty:
            return None
        found: Any = [cell.text]
        if cell.kind is not CellKind.PLAIN:
            text = cell.text.strip()
            found = loaded(text, "labels") if text.startswith("[") else text.replace("|", ";").split(";")
        if not all(isinstance(each, str) for each in found):
            raise BadAnswer(
                "names", "The labels must be a list of names.", 'Write them as ["one", "other"] or one;other.'
            )
        names = (read(each) for each in sorted({clean(each) for each in found} - {""}))
        return {self.name: sorted({name for name in names if name})}

    def parts(self, value: Value) -> tuple[Part, ...]:
        """The labels."""
        return tuple(value[self.name])

    def join(self, parts: Iterable[Part]) -> Value:
        """The labels without duplicates."""
        return {self.name: sorted(set(map(str, parts)))}

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The names of the labels."""
        return ", ".join(sorted(names.get(key, DROPPED) for key in value[self.name])) or NO_LABELS
