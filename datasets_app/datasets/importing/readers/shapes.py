"""How a file is read and what reading it yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from datasets_app.datasets.importing.report import Problem
from lifecycle.runtime.task_types.inputs import Cell

PARSERS = {
    "csv": "CSV: cells may be quoted",
    "tsv": "TSV: quotes are plain characters",
    "jsonl": "JSONL: one object a line",
    "json": "JSON: a list of objects",
    "json_columns": "JSON: an object of columns",
    "txt": "Plain text: one text a line",
    "fasttext": "fastText: __label__name and the text",
    "conll": "CoNLL: a token a line, with its tag in the last column",
    "doccano": "doccano: JSONL, also a zip with a file for each person",
    "labelstudio": "Label Studio: JSON of tasks, or JSON_MIN",
    "prodigy": "Prodigy: JSONL of classes or spans",
    "argilla": "Argilla: records, flattened or not",
    "parquet": "Parquet",
    "xlsx": "Excel workbook (.xlsx)",
}
BINARY = ("parquet", "xlsx")  # kinds that are told by their first bytes and have no encoding
TEXTUAL = tuple(parser for parser in PARSERS if parser not in BINARY)
WITH_HEADER = ("csv", "tsv", "xlsx")
DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}
COLUMNS_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. encoding: none for Parquet and Excel. delimiter: of csv alone. has_header: the first row names the columns."""

    encoding: str
    parser: str
    delimiter: str = ","
    has_header: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person, or one model, said of a row in the tool that it comes from. cells: by column of the question.

    person: an e-mail address, a name or a number, or the model's name; empty where the file does not say. score: of a model, 0 to 1.
    gold: the tool calls it ground truth. seconds, at: how long it took and when, as the file writes them.
    """

    person: str
    cells: dict[str, Cell]
    skipped: bool = False
    gold: bool = False
    seconds: str = ""
    at: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """All that was said of a row in another tool: by people, and by models."""

    answers: tuple[Answer, ...] = ()
    guesses: tuple[Answer, ...] = ()


class Row(NamedTuple):
    """One row. line: its first physical line, or its number where the format has no lines; from 1. values: text by column.

    member: the file inside an archive that it stands in. brought: of a row of another labeling tool; the columns of its questions show
    its answers in `values`, to be looked at.
    """

    line: int
    values: dict[str, str]
    member: str = ""
    brought: Brought | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file in their order, and what is odd about them or about the file as a whole."""

    columns: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def named(cells: list[str], at: str = "Line 1") -> Header:
    """A header row with every name made unique and none empty; what had to be changed is told. at: where it stands."""
    columns: list[str] = []
    problems: list[Problem] = []
    for number, cell in enumerate(cells, start=1):
        name = cell.strip().replace("\0", "")[:200] or f"column {number}"
        if name in columns:
            fresh = next(f"{name} ({count})" for count in range(2, len(cells) + 2) if f"{name} ({count})" not in columns)
            sentence = f"{at} names two columns {name!r}; the second is called {fresh!r} here."
            problems.append(Problem(1, "header", sentence, "Check which of the two is mapped, or rename one in the file."))
            name = fresh
        columns.append(name)
    if len(columns) > COLUMNS_LIMIT:
        sentence = f"{at} has {len(columns):,} columns; at most {COLUMNS_LIMIT} can be read."
        problems.append(Problem(1, "header", sentence, "Choose another delimiter, or leave out columns.", blocks=True))
    return Header(tuple(columns[:COLUMNS_LIMIT]), tuple(problems))


def numbered(count: int) -> Header:
    """Made-up names for the columns of a file without a header."""
    return Header(tuple(f"column {number}" for number in range(1, count + 1)))


def unreadable(sentence: str, mend: str, line: int = 0) -> Header:
    """A header that cannot be read, so that nothing can."""
    return Header((), (Problem(line, "type", sentence, mend, blocks=True),))
