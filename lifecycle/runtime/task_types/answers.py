"""What an annotation of a task is: how it is read from whatever somebody gave, and what is done with it afterwards.

A value is the JSON object that is stored, in one canonical form: equal annotations are equal as text. Labels are in it by their stable ids,
or by their names where it comes from a file or goes into one. Offsets are Unicode code points, their end exclusive.
"""

from __future__ import annotations

import json
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from lifecycle.runtime.task_types.inputs import TEXT_LIMIT, BadInput, Cell, clean

Value = dict[str, Any]
Part = Hashable
Read = Callable[[str], str]  # what a word of a file becomes: a label's name, or ""
DROPPED = "a removed label"
NO_LABELS = "none of the labels"


class BadAnswer(BadInput):
    """What was given isn't an annotation of the task. The message is a whole sentence."""


@dataclass(frozen=True, slots=True)
class ItemContent:
    """What an annotation is about. content: as Item.content; empty where the text is all."""

    text: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that an annotation may name. known: every accepted name or id → what the value names it by; None: all names."""

    known: Mapping[str, str] | None

    @classmethod
    def any(cls) -> Labels:
        """Every name is accepted: those of a file that nobody has imported yet. `Answers.rename` then leads to stable ids."""
        return cls(None)

    def resolve(self, raw: Any) -> str:
        """What the value names a label by. Raises BadAnswer, with the nearest name."""
        if self.known is None:
            if isinstance(raw, str) and raw.strip():
                return raw
            raise BadAnswer("unknown_label", "A label has no name.", "Name the label.")
        if isinstance(raw, str) and raw in self.known:
            return self.known[raw]
        shown = str(raw)[:80]
        near = get_close_matches(shown, self.known, n=1)
        next_step = f"Did you mean {near[0]!r}?" if near else "Choose a label from the list."
        raise BadAnswer("unknown_label", f"{shown!r} isn't a label of the schema.", next_step)


class Answers(ABC):
    """The annotations of a task that are whole: two of them are equal or they aren't.

    name: the one key of the value. choices: the words that an annotation is one of, with what they mean; none where it isn't one.
    coefficients: of agreement, as `quality.agreement` names them.
    """

    name: str
    choices: Mapping[str, str] = {}
    coefficients: tuple[str, ...] = ("percent", "alpha_masi")

    @abstractmethod
    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The value that somebody gave about an item. Raises BadAnswer."""

    @abstractmethod
    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """What a file or a labeling tool says, for `parse`; None where it says nothing. Lenient where `parse` is strict.

        read: asked once for each word that a cell names a label or a choice by; where it gives "", that is left out. Raises BadInput.
        """

    def meant(self, word: str) -> str:
        """The choice that a word of a file means; the word where it means none."""
        return word

    @abstractmethod
    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The value as a line for people. names: of labels, by what the value names them by. text: of the item."""

    def parts(self, value: Value) -> Sequence[Part]:
        """What annotations are compared by."""
        return (canonical(value),)

    def join(self, parts: Iterable[Part]) -> Value | None:
        """The value with these parts; of none the empty one. None where there is no such value."""
        found = set(parts)
        return json.loads(str(found.pop())) if len(found) == 1 else None

    def label_of(self, part: Part) -> str:
        """The label that a part names; empty for none."""
        return ""

    def relabel(self, part: Part, label: Any) -> Part:
        """A part with another label."""
        return part

    def rename(self, value: Value, names: Mapping[str, str]) -> Value | None:
        """The value with its labels by these names or ids; None where one has none."""
        return value

    def merge(self, values: Sequence[Value]) -> Value | None:
        """What more than half of these annotations have, part by part.

        None where there is no such value, or where no part is shared though most annotations have some.
        """
        counts = Counter(part for value in values for part in set(self.parts(value)))
        shared = [part for part, count in counts.items() if 2 * count > len(values)]
        empty = sum(not self.parts(value) for value in values)
        return self.join(shared) if shared or 2 * empty > len(values) else None

    def frozen(self, value: Value) -> str:
        """The value in a manifest, its labels by name; empty for text that people wrote, which can be erased."""
        return canonical(value[self.name])


class LabelAnswers(Answers):
    """Annotations that name labels. A part is its label, where it isn't more."""

    def label_of(self, part: Any) -> str:
        """The part."""
        return str(part)

    def relabel(self, part: Any, label: Any) -> Part:
        """The other label."""
        return label  # type: ignore[no-any-return]

    def rename(self, value: Value, names: Mapping[str, str]) -> Value | None:
        """By relabelled parts: those that are equal then become one."""
        parts = self.parts(value)
        if any(self.label_of(part) not in names for part in parts):
            return None
        return self.join({self.relabel(part, names[self.label_of(part)]) for part in parts})


def canonical(value: Any) -> str:
    """The value as text: equal values give equal texts. Digests are over these bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def listed(raw: Any, name: str) -> list[Any]:
    """The list under the one key that the value has. Raises BadAnswer."""
    found = raw.get(name) if isinstance(raw, Mapping) and set(raw) == {name} else None
    if not isinstance(found, list):
        raise BadAnswer("shape", f"An annotation of this dataset is an object with a list of {name}.", "Reload the page.")
    return found


def written(raw: Any, what: str) -> str:
    """A text that somebody wrote, as it is. what: its name in messages. Raises BadAnswer for none, a blank or too long one, or one that no
    database keeps."""
    if not isinstance(raw, str) or not raw.strip():
        raise BadAnswer("blank", f"{what} is empty.", "Write something, or skip the item.")
    if len(raw) > TEXT_LIMIT:
        raise BadAnswer("long_text", f"{what} has {len(raw):,} characters; at most {TEXT_LIMIT:,} are allowed.", "Shorten it.")
    if any(unicodedata.category(character) == "Cs" or character == "\0" for character in raw):
        raise BadAnswer("unstorable_text", f"{what} has a NUL character or half of a surrogate pair.", "Remove it.")
    return raw
