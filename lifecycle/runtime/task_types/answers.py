"""Annotations of a task: parsing, comparing, merging, and displaying their values.

A value is the stored JSON object in canonical form: equal annotations have equal JSON. Labels are referenced
by stable id, or by name in imported and exported files. Offsets are Unicode code points; ends are exclusive.
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
Read = Callable[[str], str]  # maps a word in a file to a label name, or ""
DROPPED = "a retired label"
NO_LABELS = "none of the labels"
UNKNOWN = "x"  # represents a character, or a response, that isn't kept


class BadAnswer(BadInput):
    """The input isn't a valid annotation of the task. The message is a complete sentence."""


@dataclass(frozen=True, slots=True)
class ItemContent:
    """What an annotation is about. content: as in Item.content; empty for plain text items."""

    text: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels an annotation may use. known: accepted name or id → reference used in the value; None: any
    name.
    """

    known: Mapping[str, str] | None

    @classmethod
    def any(cls) -> Labels:
        """Accept every name, for files that aren't imported yet. `Answers.rename` maps names to stable ids
        later.
        """
        return cls(None)

    def resolve(self, raw: Any) -> str:
        """The value's reference to a label. Raises BadAnswer with the closest name."""
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
    """Annotations of a task that are compared as a whole: two are equal or not.

    name: the single key of the value. choices: the allowed words with their display names; empty if the
    annotation isn't one of a fixed set. coefficients: agreement coefficients, named as in
    `quality.agreement`.
    """

    name: str
    choices: Mapping[str, str] = {}
    coefficients: tuple[str, ...] = ("percent", "alpha_masi")

    @abstractmethod
    def parse(self, raw: Any, item: ItemContent, labels: Labels) -> Value:
        """The value of an input for an item. Raises BadAnswer."""

    @abstractmethod
    def from_cell(self, cell: Cell, item: ItemContent, read: Read = clean) -> Any:
        """Convert a cell of a file or labeling tool to input for `parse`; None if empty. More lenient than
        `parse`.

        read: called once for each word that names a label or choice; "" leaves the word out. Raises BadInput.
        """

    def item_like(self, value: Value | None, text: str | None, characters: int) -> ItemContent:
        """What a prediction was made of, as far as `parse` needs it. value: the prediction; text: None where
        it isn't kept, only the number of its characters.
        """
        return ItemContent(UNKNOWN * characters if text is None else text)

    def meant(self, word: str) -> str:
        """The choice that a word in a file means; the word itself if none."""
        return word

    @abstractmethod
    def words(self, value: Value, names: Mapping[str, str], text: str = "") -> str:
        """The value as a line of text. names: label names by reference. text: of the item."""

    def ranks(self, value: Value, count: int) -> Sequence[int]:
        """The rank of each of an item's `count` responses, 0 is best; ties are equal. Empty if items have no
        responses.
        """
        return ()

    def parts(self, value: Value) -> Sequence[Part]:
        """The parts that annotations are compared by."""
        return (canonical(value),)

    def join(self, parts: Iterable[Part]) -> Value | None:
        """The value with these parts; the empty value for no parts. None if there is no such value."""
        found = set(parts)
        return json.loads(str(found.pop())) if len(found) == 1 else None

    def label_of(self, part: Part) -> str:
        """The label of a part; empty if it has none."""
        return ""

    def relabel(self, part: Part, label: Any) -> Part:
        """The part with another label."""
        return part

    def rename(self, value: Value, names: Mapping[str, str]) -> Value | None:
        """The value with its labels mapped; None if a label isn't in `names`."""
        return value

    def merge(self, values: Sequence[Value]) -> Value | None:
        """The majority vote on each part of these annotations.

        None if there is no such value, or if no part has a majority although most annotations have parts.
        """
        counts = Counter(part for value in values for part in set(self.parts(value)))
        shared = [part for part, count in counts.items() if 2 * count > len(values)]
        empty = sum(not self.parts(value) for value in values)
        return self.join(shared) if shared or 2 * empty > len(values) else None

    def frozen(self, value: Value) -> str:
        """The value in a manifest, with label names; empty for human-written text, which can be erased."""
        return canonical(value[self.name])


class LabelAnswers(Answers):
    """Annotations that reference labels. By default a part is a label."""

    def label_of(self, part: Any) -> str:
        """The part itself."""
        return str(part)

    def relabel(self, part: Any, label: Any) -> Part:
        """The other label."""
        return label  # type: ignore[no-any-return]

    def rename(self, value: Value, names: Mapping[str, str]) -> Value | None:
        """Relabel each part; parts that become equal are merged."""
        parts = self.parts(value)
        if any(self.label_of(part) not in names for part in parts):
            return None
        return self.join({self.relabel(part, names[self.label_of(part)]) for part in parts})


def canonical(value: Any) -> str:
    """The value as canonical JSON: equal values give equal text. Digests cover these bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def listed(raw: Any, name: str) -> list[Any]:
    """The list under the value's single key. Raises BadAnswer."""
    found = raw.get(name) if isinstance(raw, Mapping) and set(raw) == {name} else None
    if not isinstance(found, list):
        raise BadAnswer(
            "shape", f"An annotation of this dataset is an object with a list of {name}.", "Reload the page."
        )
    return found


def written(raw: Any, what: str) -> str:
    """Human-written text, unchanged. what: its name in messages. Raises BadAnswer if it is blank, too long,
    or can't be stored.
    """
    if not isinstance(raw, str) or not raw.strip():
        raise BadAnswer("blank", f"{what} is empty.", "Write something, or skip the item.")
    if len(raw) > TEXT_LIMIT:
        raise BadAnswer(
            "long_text",
            f"{what} has {len(raw):,} characters; at most {TEXT_LIMIT:,} are allowed.",
            "Shorten it.",
        )
    if any(unicodedata.category(character) == "Cs" or character == "\0" for character in raw):
        raise BadAnswer(
            "unstorable_text", f"{what} has a NUL character or half of a surrogate pair.", "Remove it."
        )
    return raw
