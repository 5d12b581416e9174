"""Map the values of a file's label column to labels or choices, and parse annotations. Pure but for
counting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from datasets_app.datasets.rules import LABELS_LIMIT
from lifecycle.runtime.task_types.answers import ItemContent, Labels, Value
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.inputs import Cell, clean, has_invisible

NAME_LIMIT = 120
SAME = (
    {"pos", "positive"},
    {"neg", "negative"},
    {"neu", "neutral"},
    {"yes", "y", "true"},
    {"no", "n", "false"},
    {"ham", "notspam", "nospam"},
)


def plain(name: str) -> str:
    """A name without case, blanks and punctuation."""
    return re.sub(r"[\W_]", "", name.casefold())


class LabelValues:
    """Maps each value to its chosen target, else to the known name that it obviously matches, else to itself.

    chosen: target by value; an empty one means no label. known: names to match values with.
    found: counts of the raw values.
    """

    def __init__(self, task: str, chosen: Mapping[str, str], known: Sequence[str] = ()) -> None:
        self.task, self.chosen, self.answers = task, chosen, type_of(task).answers
        self.known = frozenset(known)
        self.found: Counter[str] = Counter()
        self._by_plain: dict[str, list[str]] = {}
        for name in known:
            self._by_plain.setdefault(plain(name), []).append(name)
        self._target: dict[str, str] = {}

    def target(self, value: str) -> str:
        """The target of a value. value: as returned by `clean`."""
        if value not in self._target:
            if len(self._target) > LABELS_LIMIT:
                self._target.clear()
            chosen = self.chosen.get(value)
            self._target[value] = self.obvious(value) if chosen is None else chosen
        return self._target[value]

    def obvious(self, value: str) -> str:
        """The known name that a value obviously matches; else the value."""
        if self.answers.choices:
            return self.answers.meant(value)
        if value in self.known:
            return value
        form = plain(value)
        forms = next((each for each in SAME if form in each), {form}) - {""}
        names = [name for each in forms for name in self._by_plain.get(each, ())]
        return names[0] if len(names) == 1 else value

    def read(self, value: str) -> str:
        """Count a value and return its target."""
        if len(value) > NAME_LIMIT or has_invisible(value):
            return value  # not a label name
        value = clean(value)
        if value and (value in self.found or len(self.found) < LABELS_LIMIT):
            self.found[value] += 1
        return self.target(value) if value else value

    def annotation(self, cell: Cell, item: ItemContent) -> Value | None:
        """The annotation in a cell, labels by name; None if empty. Used by the dry run and the import. Raises
        BadInput.
        """
        raw = self.answers.from_cell(cell, item, self.read)
        return None if raw is None else self.answers.parse(raw, item, Labels.any())

    def decided(self) -> dict[str, str]:
        """The values with another target, and the chosen ones."""
        return {
            value: self.target(value)
            for value in self.found
            if value in self.chosen or self.target(value) != value
        }


def are_mapped(task: str) -> bool:
    """Whether the values of this task's label column can be mapped."""
    return type_of(task).has_labels or bool(type_of(task).answers.choices)


def wrong_target(task: str, targets: Mapping[str, str]) -> str:
    """What is wrong with a map of values, as a sentence, or the empty text."""
    choices = type_of(task).answers.choices
    if targets and not are_mapped(task):
        return "Labels of this task have no values to map."
    for value, target in targets.items():
        if choices and target and target not in choices:
            return (
                f"{value!r} can be mapped to {', '.join(choices)}, or left empty to skip it; {target!r} isn't"
                " one of them."
            )
        if len(target) > NAME_LIMIT or not target.isprintable() or target != clean(target):
            return (
                f"{value!r} maps to a label that is longer than {NAME_LIMIT} characters or has invisible"
                " characters."
            )
    if len(targets) > LABELS_LIMIT:
        return f"At most {LABELS_LIMIT:,} values can be mapped."
    return ""
