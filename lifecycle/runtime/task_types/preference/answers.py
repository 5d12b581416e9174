"""Annotations of the better of two responses: {"choice": "first" | "second" | "tie" | "neither"}, in the
item's order, not the display order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Answers, BadAnswer, ItemContent, Labels, Read, Value
from lifecycle.runtime.task_types.inputs import Cell, clean, only

SIDES = {  # synonyms in other files, normalised; no digits, as some start at 0 and others at 1
    **dict.fromkeys(("a", "a1", "left", "responsea", "response1", "modela", "answera"), "first"),
    **dict.fromkeys(("b", "a2", "right", "responseb", "response2", "modelb", "answerb"), "second"),
    **dict.fromkeys(("equal", "same", "draw", "both", "bothgood"), "tie"),
    **dict.fromkeys(("none", "bothbad", "tiebothbad"), "neither"),
}


class PreferenceAnswers(Answers):
    """One of four words."""

    name = "choice"
    choices = {
        "first": "the first response",
        "second": "the second response",
        "tie": "about the same",
        "neither": "both are bad",
    }

    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The choice."""
        if (
            not isinstance(raw, Mapping)
            or set(raw) != {self.name}
            or raw[self.name] not in list(self.choices)
        ):
            message = f"An annotation of this dataset is one of {', '.join(self.choices)}."
            raise BadAnswer("choice", message, "Choose the better response, a tie, or neither.")
        return {self.name: raw[self.name]}

    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """A word for a choice."""
        word = "" if cell.is_empty else read(only(cell, "choices"))
        return {self.name: self.meant(word)} if word else None

    def meant(self, word: str) -> str:
        """The choice that a word means; the word itself if none."""
        folded = word.casefold()
        return (
            folded
            if folded in self.choices
            else SIDES.get(re.sub(r"[\W_]", "", folded.removeprefix("data.")), word)
        )

    def ranks(self, value: Value, count: int) -> Sequence[int]:
        """Ties and "both bad" are equal, as in Chatbot Arena."""
        return {"first": (0, 1), "second": (1, 0)}.get(value[self.name], (0, 0))

    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The choice."""
        return self.choices[value[self.name]]
