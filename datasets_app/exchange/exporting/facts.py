"""The data of an item in an export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from datasets_app.datasets.importing.readers.tools.doccano import WHOLE
from lifecycle.runtime.task_types.answers import ItemContent, Value
from lifecycle.runtime.task_types.tools import Outgoing, Tool, own_text

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemAnnotation:
    """One person's current annotation. value: with label names; None for a skip. from_file: imported with the
    item.
    """

    key: str
    person: str
    value: Value | None
    seconds: float
    at: datetime
    gold: bool = False
    from_file: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """The pre-label from one source."""

    source: str
    value: Value
    score: float | None
    from_file: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """The current label. person: who is responsible. by_hand: adjudicated. of_file: from the item's file,
    without a person.
    """

    key: str
    value: Value
    person: str
    at: datetime
    by_hand: bool
    of_file: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """One item with all its annotations. content: as Item.content. question: the label's name in the item's
    file.
    """

    uuid: str
    external_id: str
    text: str
    content: Mapping[str, Any]
    metadata: Mapping[str, str]
    annotations: list[ItemAnnotation]
    guesses: list[Guess]
    ruling: Ruling | None
    question: str = "label"
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Sheet:
    """The state of an export. tool: the format's adapter for the task. dropped: what the format can't
    represent, with counts.
    """

    tool: Tool
    dropped: Counter[str] = field(default_factory=Counter)
    annotations: int = 0
    tasks: int = 0

    def written(self, value: Value, text: str = "", options: Sequence[str] = ()) -> Any:
        """A value in the format; None, counted as dropped, if it can't represent it. text, options: as in
        `Outgoing`.
        """
        found = self.tool.write(Outgoing(value, text, options))
        if found is None:
            self.drop(self.tool.omits)
        return found

    def fields(self, fact: Fact) -> Object:
        """The fields of an item from another format; of an erased item only the text."""
        return {**(self.tool.fields if fact.content else own_text)(ItemContent(fact.text, fact.content))}

    def drop(self, sentence: str, count: int = 1) -> None:
        """Count something left out of the file."""
        if count > 0:
            self.dropped[sentence] += count


def person_as_file(name: str) -> str:
    """A person's name as a file name: word characters, @, dots, plus and minus signs; never a reserved
    name.
    """
    kept = (
        "".join(
            character if character.isalnum() or character in "@.+-_" else "_" for character in name
        ).strip(".")
        or "_"
    )
    return f"{kept}_" if WHOLE.fullmatch(kept) else kept
