"""The example of each type for the contract suite: `tests/task_types/<key>/example.py` has one of these as
EXAMPLE.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from datasets_app.datasets.importing.mapping import Mapper
from datasets_app.datasets.importing.readers import Row
from datasets_app.snapshots.models import Snapshot
from lifecycle.runtime.task_types.answers import ItemContent, Labels, Value, canonical
from lifecycle.runtime.task_types.by_key.types import TYPES, type_of
from lifecycle.runtime.task_types.inputs import Cell, CellKind

ROOT = Path(__file__).parents[2]
IDS = {"PERSON": "p", "ORG": "o", "PLACE": "l"}  # stable ids by name
NAMES = {key: name for name, key in IDS.items()}
LABELS = Labels({**IDS, **{key: key for key in NAMES}})

HOSTILE = [  # texts that a format or its reader may change
    "=1+1 'quoted', \"twice\"",
    "'=already marked",
    "''-twice",
    "＠full width",
    "a\ttab",
    "two\nlines",
    "👩🏽‍🚒 has\r\ntwo lines",
    "an old\rline",
    "u\u0308 and ü",
    "👩🏽‍🚒 and 🇩🇪",
    "zero\u200bwidth\u2060",
    "\ufeffa mark",
    "a\u202eturned",
    "no\u00a0break",
    "a\u2028separator",
    "a\u0085next",
    "null",
    '["a", 1]',
    "a;b|c,d",
    "__label__x",
    "# 1\tO",
    "_x000D_ and _x0041_",
    "\\N and NaN",
]


@dataclass(frozen=True, kw_only=True)
class Example:
    """item: what everything else is about. row: that item as a row of a file without its label; the number
    makes it another item. labeled: a row of a file with its label, and a text in each place that takes any;
    numbers give different labels in turn.

    good: annotations as sent, with the parsed value. bad: annotations as sent, with the code of the error.
    cells: of files, with the parsed value by names, or None where it is empty; bad_cells: with the code.
    words: values with their lines. merges: lists of values with what they are together. frozen: values by
    names with their text in a manifest.

    snapshot: of a project, a person and other options, a dataset version with rows in all three splits; None
    of a type without models. flipped: a right annotation and two predictions, before and after a row was
    perturbed, as the engine writes them.
    """

    item: ItemContent
    good: Sequence[tuple[Any, Value]]
    bad: Sequence[tuple[Any, str]]
    cells: Sequence[tuple[Cell, Value | None]]
    bad_cells: Sequence[tuple[Cell, str]]
    words: Sequence[tuple[Value, str]]
    merges: Sequence[tuple[Sequence[Value], Value | None]]
    frozen: Sequence[tuple[Value, str]]
    row: Callable[[int], Mapping[str, Any]]
    labeled: Callable[[str, int], Mapping[str, Any]]
    snapshot: Callable[..., Snapshot] | None = None
    flipped: tuple[str, str, str] = ("", "", "")


def column(text: str) -> Cell:
    """A cell of a label column."""
    return Cell(CellKind.COLUMN, text)


BUILT_IN = [key for key in TYPES if (ROOT / "lifecycle" / "runtime" / "task_types" / key).is_dir()]
EXAMPLES: dict[str, Example] = {
    key: import_module(f"tests.task_types.{key}.example").EXAMPLE for key in TYPES
}
TRAINED = [key for key, example in EXAMPLES.items() if example.snapshot]  # those with models


def values_of(task: str) -> list[Value]:
    """Three or more different annotations of the example's item, labels by name; empty ones come last."""
    answers = type_of(task).answers
    found = {canonical(value): value for _, value in EXAMPLES[task].good}.values()
    named = [answers.rename(value, NAMES) or {} for value in found]
    return sorted(named, key=lambda value: not answers.parts(value))


def items_of(task: str, count: int) -> list[str | dict[str, Any]]:
    """Texts or contents of different items that all annotations of the example fit."""
    found: list[str | dict[str, Any]] = []
    for at in range(1, count + 1):
        cells = {
            name: cell if isinstance(cell, str) else json.dumps(cell)
            for name, cell in EXAMPLES[task].row(at).items()
        }
        draft = Mapper({name: name for name in cells}, task=task).draft(Row(at, cells))
        found.append(draft.content or draft.text)
    return found


def hostile_row(task: str, number: int) -> dict[str, Any]:
    """A row of a file with its label and a hostile text; every other one has further columns."""
    text = HOSTILE[number]
    more = {
        "id": f"=id{number}",
        "group": f"g{number}",
        "time": "2026-01-02T03:04:05+00:00",
        "source": f"'={text}",
        "tools": [{"a": 1.5}],
    }
    return {**EXAMPLES[task].labeled(f"{text} {number}", number), **({} if number % 2 else more)}
