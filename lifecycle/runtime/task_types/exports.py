"""Exporting rows of a dataset version: input of each format, dropped information, and JSON lines."""

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
    """A row of a dataset version. label: its label name, or the task's value with label names.

    content: as in Item.content, empty for plain text. item, decision: digests.
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
    """Counts of a written file. rows: written. neutralised: cells that a spreadsheet would execute. losses:
    dropped information by code.
    """

    rows: int = 0
    neutralised: int = 0
    losses: Counter[str] = field(default_factory=Counter)


Lines = Callable[[Entry, Tally], Iterable[str]]  # an entry as lines of a file, with line ends


@dataclass(frozen=True, slots=True)
class Export:
    """A format specific to a task: text files, one per split. labels: the only ones it supports; empty for
    any.
    """

    lines: Lines
    labels: tuple[str, ...] = ()

    def fits(self, labels: Sequence[str]) -> bool:
        """Whether it supports rows with these labels."""
        return not self.labels or set(labels) <= set(self.labels)


def json_lines(objects: Callable[[Entry, Tally], Iterable[Object]]) -> Lines:
    """Write an entry's objects as JSON lines with the row's id, group, time, and metadata."""

    @wraps(objects)
    def lines(entry: Entry, tally: Tally) -> Iterator[str]:
        for each in objects(entry, tally):
            yield json.dumps(each | beside(entry, each, tally), ensure_ascii=False) + "\n"

    return lines


def beside(entry: Entry, taken: Object, tally: Tally) -> Object:
    """Id, group, time, and metadata of a row, under names that aren't taken."""
    known = {
        name: value
        for name, value in (("id", entry.id), ("group", entry.group), ("time", entry.time))
        if value
    }
    rest = {name: cell for name, cell in entry.metadata.items() if not is_inside(name, taken)}
    more = {name: structure(cell) for name, cell in rest.items() if name not in taken and name not in known}
    tally.losses["keys"] += len(rest) - len(more)
    return known | more


def is_inside(name: str, taken: Object) -> bool:
    """Whether the object already has a dotted name."""
    head, _, rest = name.partition(".")
    inner = taken.get(head)
    return isinstance(inner, dict) and rest in inner


def structure(cell: str) -> Any:
    """A list or object stored as JSON text, if it has a unique spelling; other text unchanged."""
    if cell[:1] not in ("[", "{"):
        return cell
    try:
        found = json.loads(cell, parse_constant=no_number)
    except (ValueError, RecursionError):
        return cell
    return found if json.dumps(found, ensure_ascii=False) == cell else cell


def count_bare(entry: Entry, tally: Tally) -> None:
    """Count what a row loses in a format of only texts and labels."""
    for code, value in (
        ("ids", entry.id),
        ("groups", entry.group),
        ("times", entry.time),
        ("metadata", entry.metadata),
    ):
        tally.losses[code] += bool(value)
