"""How a file is read and what reading it yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from datasets_app.datasets.importing.report import Problem
from lifecycle.runtime.task_types.inputs import Cell

PARSERS = {
    "csv": "CSV: quoted cells",
    "tsv": "TSV: literal quotes",
    "jsonl": "JSONL: one object per line",
    "json": "JSON: a list of objects",
    "json_columns": "JSON: an object of columns",
    "txt": "Plain text: one text per line",
    "fasttext": "fastText: __label__name and the text",
    "conll": "CoNLL: one token per line, tag in the last column",
    "doccano": "doccano: JSONL, or a zip with one file per person",
    "labelstudio": "Label Studio: tasks as JSON, or JSON_MIN",
    "prodigy": "Prodigy: JSONL with labels or spans",
    "argilla": "Argilla: records, flattened or not",
    "parquet": "Parquet",
    "xlsx": "Excel workbook (.xlsx)",
}
BINARY = ("parquet", "xlsx")  # types recognized by their first bytes, without an encoding
TEXTUAL = tuple(parser for parser in PARSERS if parser not in BINARY)
WITH_HEADER = ("csv", "tsv", "xlsx")
DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}
COLUMNS_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. encoding: none for Parquet and Excel. delimiter: of csv alone. has_header: the
    first row names the columns.
    """

    encoding: str
    parser: str
    delimiter: str = ","
    has_header: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An annotation or prediction of a row in its source tool. cells: by column of the question.

    person: an e-mail address, a name or a number, or the model's name; empty if not given. score: of a model,
    0 to 1. gold: marked as ground truth in the tool. seconds, at: how long it took and when, as the file
    writes them.
    """

    person: str
    cells: dict[str, Cell]
    skipped: bool = False
    gold: bool = False
    seconds: str = ""
    at: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class RawLabeling:
    """All annotations and predictions of a row in another tool."""

    answers: tuple[Answer, ...] = ()
    guesses: tuple[Answer, ...] = ()


class Row(NamedTuple):
    """One row. line: its first physical line, or its number where the format has no lines; from 1. values:
    text by column.

    member: the file inside an archive that contains it. raw: its annotations and predictions in another
    labeling tool; the columns of its questions show them in `values`, for review.
    """

    line: int
    values: dict[str, str]
    member: str = ""
    raw: RawLabeling | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file in their order, and problems with them or with the file as a whole."""

    columns: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def named(cells: list[str], at: str = "Line 1") -> Header:
    """A header row with every name made unique and none empty; changes are reported. at: its position."""
    columns: list[str] = []
    problems: list[Problem] = []
    for number, cell in enumerate(cells, start=1):
        name = cell.strip().replace("\0", "")[:200] or f"column {number}"
        if name in columns:
            fresh = next(
                f"{name} ({count})"
                for count in range(2, len(cells) + 2)
                if f"{name} ({count})" not in columns
            )
            sentence = f"{at} has two columns named {name!r}; the second is called {fresh!r} here."
            problems.append(
                Problem(1, "header", sentence, "Check which one is mapped, or rename one in the file.")
            )
            name = fresh
        columns.append(name)
    if len(columns) > COLUMNS_LIMIT:
        sentence = f"{at} has {len(columns):,} columns; the limit is {COLUMNS_LIMIT}."
        problems.append(
            Problem(1, "header", sentence, "Choose another delimiter, or remove columns.", blocks=True)
        )
    return Header(tuple(columns[:COLUMNS_LIMIT]), tuple(problems))


def numbered(count: int) -> Header:
    """Generated names for the columns of a file without a header."""
    return Header(tuple(f"column {number}" for number in range(1, count + 1)))


def unreadable(sentence: str, fix: str, line: int = 0) -> Header:
    """The header of an unreadable file."""
    return Header((), (Problem(line, "type", sentence, fix, blocks=True),))
