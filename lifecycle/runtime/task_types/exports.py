"""Rows of a dataset version as files have them: what a format is given, what it can't hold, and lines of JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple

from lifecycle.runtime.task_types.inputs import no_number

Object = dict[str, Any]


class Entry(NamedTuple):
    """A row of a dataset version. label: the name of its label, or what the value of the task holds, its labels by name.

    content: as Item.content, empty where the text is all. item, decision: digests.
    """

    text: str
    label: Any
    split: str
    id: str = ""
    group: str = ""
    time: str = ""
    metadata: dict[str, str] = {}
    content: dict[str, Any] = {}
    item: str = ""
    decision: str = ""


@dataclass(slots=True)
class Tally:
    """What is counted while a file is written. rows: written. neutralised: cells that a spreadsheet would have run. losses: by code."""

    rows: int = 0
    neutralised: int = 0
    losses: Counter[str] = field(default_factory=Counter)


Lines = Callable[[Entry, Tally], Iterable[str]]  # an entry as rows of a file, each with its line ends


@dataclass(frozen=True, slots=True)
class Export:
    """A format that a task has of its own: text files, one a split. labels: the only ones that it holds; empty for any."""

    lines: Lines
    labels: tuple[str, ...] = ()

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether it holds rows with these labels."""
        return not self.labels or set(labels) <= set(self.labels)


def json_lines(objects: Callable[[Entry, Tally], Iterable[Object]]) -> Lines:
    """Objects of an entry as lines of JSON, each with the id, the group, the time and the metadata of the row."""

    @wraps(objects)
    def lines(entry: Entry, tally: Tally) -> Iterator[str]:
        for each in objects(entry, tally):
            yield json.dumps(each | beside(entry, each, tally), ensure_ascii=False) + "\n"

    return lines


def beside(entry: Entry, taken: Object, tally: Tally) -> Object:
    """Id, group, time and metadata of a row, under names that aren't taken."""
    known = {name: value for name, value in (("id", entry.id), ("group", entry.group), ("time", entry.time)) if value}
    rest = {name: cell for name, cell in entry.metadata.items() if not is_inside(name, taken)}
    more = {name: structure(cell) for name, cell in rest.items() if name not in taken and name not in known}
    tally.losses["keys"] += len(rest) - len(more)
    return known | more


def is_inside(name: str, taken: Object) -> bool:
    """Whether the object has a dotted name already."""
    head, _, rest = name.partition(".")
    inner = taken.get(head)
    return isinstance(inner, dict) and rest in inner


def structure(cell: str) -> Any:
    """A list or an object that was kept as JSON text, where there is only one way to write it; any other text as it is."""
    if cell[:1] not in ("[", "{"):
        return cell
    try:
        found = json.loads(cell, parse_constant=no_number)
    except (ValueError, RecursionError):
        return cell
    return found if json.dumps(found, ensure_ascii=False) == cell else cell


def count_bare(entry: Entry, tally: Tally) -> None:
    """Count what a format that holds texts and labels alone leaves out of a row."""
    for code, value in (("ids", entry.id), ("groups", entry.group), ("times", entry.time), ("metadata", entry.metadata)):
        tally.losses[code] += bool(value)
