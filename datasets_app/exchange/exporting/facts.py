"""What an export knows of an item."""

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
class Said:
    """One person's current annotation, or skip (no value). value: its classes by their names. brought: it's from the item's own file."""

    key: str
    person: str
    value: Value | None
    seconds: float
    at: datetime
    gold: bool = False
    brought: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """What one source suggests."""

    source: str
    value: Value
    score: float | None
    brought: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """The current label. person: who is responsible. by_hand: adjudicated. of_file: from the item's file, without a person."""

    key: str
    value: Value
    person: str
    at: datetime
    by_hand: bool
    of_file: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """One item with all its annotations. content: as Item.content. question: its name in the item's file."""

    uuid: str
    external_id: str
    text: str
    content: Mapping[str, Any]
    metadata: Mapping[str, str]
    answers: list[Said]
    guesses: list[Guess]
    ruling: Ruling | None
    question: str = "label"
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Sheet:
    """What an export is made with. tool: how the format keeps the dataset's task. dropped: what it cannot hold, each with how often."""

    tool: Tool
    dropped: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    tasks: int = 0

    def written(self, value: Value, text: str = "", options: Sequence[str] = ()) -> Any:
        """A value as the format has it; None, counted, for one that it can't hold. text, options: as of `Outgoing`."""
        found = self.tool.write(Outgoing(value, text, options))
        if found is None:
            self.drop(self.tool.omits)
        return found

    def fields(self, fact: Fact) -> Object:
        """What is read of an item that the format didn't have before; of an erased one no more than its text."""
        return {**(self.tool.fields if fact.content else own_text)(ItemContent(fact.text, fact.content))}

    def drop(self, sentence: str, count: int = 1) -> None:
        """Count something that the file does not hold."""
        if count > 0:
            self.dropped[sentence] += count


def person_as_file(name: str) -> str:
    """A person's name that can be a file's: word characters, @, dots, plus and minus signs; no reserved name."""
    kept = "".join(character if character.isalnum() or character in "@.+-_" else "_" for character in name).strip(".") or "_"
    return f"{kept}_" if WHOLE.fullmatch(kept) else kept
