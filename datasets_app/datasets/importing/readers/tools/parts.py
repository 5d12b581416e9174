"""Shared by the readers of labeling tools: an object of the file becomes flat values, annotations, and
predictions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from datasets_app.datasets.importing.readers.jsons import Pairs, cell_of, json_text
from datasets_app.datasets.importing.readers.shapes import Answer, RawLabeling
from lifecycle.runtime.task_types.inputs import Cell, CellKind

PERSON_LIMIT = 100
SHOWN = 200  # characters of an answer in the column of its question, which is only for review
UNKNOWN = "unknown"  # an annotator without a name in the file


class Unfit(Exception):
    """An object that can't become a row. Has the problem's code and sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


@dataclass(frozen=True, slots=True)
class Parsed:
    """An object as a row. ignored: descriptions of content that isn't imported, each reported once per
    file.
    """

    values: Pairs
    raw: RawLabeling
    ignored: tuple[str, ...] = ()


def parsed(
    values: Pairs, answers: Iterable[Answer], guesses: Iterable[Answer] = (), ignored: Iterable[str] = ()
) -> Parsed:
    """A parsed object, with a column for each question that shows its answers."""
    raw = RawLabeling(tuple(answers), tuple(guesses))
    shown: dict[str, list[str]] = {}
    for each in (*raw.answers, *raw.guesses):
        for column, cell in each.cells.items():
            if cell.kind != CellKind.PLAIN:
                shown.setdefault(column, []).append(
                    f"{each.person}: {cell.text}" if each.person else cell.text
                )
    values = Pairs(values)
    values |= {column: "; ".join(cells)[:SHOWN] for column, cells in shown.items()}
    return Parsed(values, raw, tuple(ignored))


def name_of(value: Any) -> str:
    """The name of a person or model, in printable characters; empty for none."""
    word = " ".join(cell_of(value).split())
    return "".join(character for character in word if character.isprintable())[:PERSON_LIMIT]


def names_cell(names: Iterable[Any]) -> Cell:
    """Names of classes."""
    return Cell(CellKind.NAMES, json_text([cell_of(each) for each in names]))


def texts_cell(texts: Iterable[Any]) -> Cell:
    """Generated texts."""
    return Cell(CellKind.TEXTS, json_text([cell_of(each) for each in texts]))


def spans_cell(spans: Iterable[Any]) -> Cell:
    """Spans: [start, end, label] or objects, as annotations of spans read them."""
    return Cell(CellKind.SPANS, json_text(list(spans)))


def share(value: Any) -> float | None:
    """A score from 0 to 1; None for anything else."""
    try:
        score = float(value)
    except (TypeError, ValueError):
        return None
    return score if 0 <= score <= 1 else None


def flag(found: Mapping[str, Any], name: str) -> bool:
    """Whether this key of the object is true."""
    return found.get(name) is True


def listed(value: Any) -> list[Any]:
    """A list unchanged; empty for anything else."""
    return value if isinstance(value, list) else []
