"""doccano: {"text", "label" or "labels" or "cats": […] or "entities": […], "Comments": […], …}, one object a
line.

A zip with one file for each member of the project: <user>.jsonl has that user's annotations. An empty list
isn't an annotation: doccano also writes it for users who didn't annotate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from datasets_app.datasets.importing.readers.jsons import Pairs, cell_of
from datasets_app.datasets.importing.readers.shapes import Answer
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.readers.tools.parts import (
    Parsed,
    name_of,
    names_cell,
    parsed,
    spans_cell,
)
from lifecycle.runtime.task_types.inputs import Cell

NAMES = ("label", "labels", "cats")
SPANS = ("entities", "spans")
# Files of a zip that don't belong to a user.
WHOLE = re.compile(
    r"all|unknown|data|(part|chunk|shard|file|data)s?[-_ ]?\d+([-_ ]of[-_ ]\d+)?", re.IGNORECASE
)


def person_of(member: Member) -> str:
    """The user of a file in a zip; empty for a project-wide file, one of a split, or a file outside a zip."""
    stem = member.name.rpartition("/")[2].rpartition(".")[0]
    return "" if member.split or WHOLE.fullmatch(stem) else name_of(stem)


def is_exported(found: Pairs, members: Iterable[Member]) -> bool:
    """Whether doccano wrote an object, rather than another tool with lists of labels."""
    return "Comments" in found or any(person_of(member) for member in members if member.name)


def from_doccano(found: Pairs, member: Member) -> Parsed:
    """One example."""
    cells: dict[str, Cell] = {}
    for key in NAMES:
        if listed := labels_in(found.get(key)):
            cells.setdefault(
                "label", spans_cell(listed) if isinstance(listed[0], list | dict) else names_cell(listed)
            )
    for key in SPANS:
        if listed := labels_in(found.get(key)):
            cells.setdefault("entities", spans_cell(listed))
    text = found["text"] if "text" in found else found.get("data")
    values = Pairs(
        {"text": cell_of(text)}
        | {key: value for key, value in found.items() if key not in ("text", "data", *NAMES, *SPANS)}
    )
    for column, keys in (("label", NAMES), ("entities", SPANS)):
        if any(key in found for key in keys):
            values[column] = ""
    return parsed(values, [Answer(person_of(member), cells)] if cells else [])


def labels_in(value: Any) -> list[Any]:
    """The labels of an example: a list, or one name; empty for none."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]
