"""What the readers of labeling tools share: an object of the file becomes flat values, plus annotations and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from datasets_app.datasets.importing.readers.jsons import Pairs, cell_of, json_text
from datasets_app.datasets.importing.readers.shapes import Answer, Brought
from lifecycle.runtime.task_types.inputs import Cell, CellKind

PERSON_LIMIT = 100
SHOWN = 200  # characters of an answer in the column of its question, which is only looked at
UNKNOWN = "unknown"  # an annotator whom the file does not name


class Unfit(Exception):
    """An object that cannot become a row. Has the code of the problem and its text."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code, self.said = code, said


@dataclass(frozen=True, slots=True)
class Taken:
    """An object as a row to be. left: what it holds that is kept in the file alone, each reported once per file."""

    values: Pairs
    brought: Brought
    left: tuple[str, ...] = ()


def taken(values: Pairs, answers: Iterable[Answer], guesses: Iterable[Answer] = (), left: Iterable[str] = ()) -> Taken:
    """With a column for each question that shows its answers."""
    brought = Brought(tuple(answers), tuple(guesses))
    shown: dict[str, list[str]] = {}
    for each in (*brought.answers, *brought.guesses):
        for column, cell in each.cells.items():
            if cell.kind != CellKind.PLAIN:
                shown.setdefault(column, []).append(f"{each.person}: {cell.text}" if each.person else cell.text)
    values = Pairs(values)
    values |= {column: "; ".join(told)[:SHOWN] for column, told in shown.items()}
    return Taken(values, brought, tuple(left))


def name_of(value: Any) -> str:
    """A person or a model by name, in characters that can be shown; empty for none."""
    word = " ".join(cell_of(value).split())
    return "".join(character for character in word if character.isprintable())[:PERSON_LIMIT]


def names_cell(names: Iterable[Any]) -> Cell:
    """Names of classes."""
    return Cell(CellKind.NAMES, json_text([cell_of(each) for each in names]))


def texts_cell(texts: Iterable[Any]) -> Cell:
    """Texts that were written."""
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
    """Whether the object says yes under this name."""
    return found.get(name) is True


def listed(value: Any) -> list[Any]:
    """A list as it is; anything else is none."""
    return value if isinstance(value, list) else []
