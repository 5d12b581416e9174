"""Reading a file row by row in flat memory. All cells stay text; what cannot be read is told with its line."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.rules import CELL_LIMIT

CHUNK = 1 << 20
LINE_LIMIT = 4_000_000  # characters of one physical line
COLUMNS_LIMIT = 200
JSON_SAMPLE = 1_000  # rows whose keys are taken as the columns
csv.field_size_limit(CELL_LIMIT)

ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with byte order mark",
    "utf-16": "UTF-16 with byte order mark",
    "utf-16-le": "UTF-16, little endian",
    "utf-16-be": "UTF-16, big endian",
    "cp1252": "Windows Western (1252)",
    "iso-8859-1": "Latin 1 (ISO 8859-1)",
    "iso-8859-15": "Latin 9 (ISO 8859-15)",
    "cp1250": "Windows Central European (1250)",
    "cp1251": "Windows Cyrillic (1251)",
    "cp1253": "Windows Greek (1253)",
    "cp1254": "Windows Turkish (1254)",
    "cp850": "DOS Western (850)",
    "mac-roman": "Mac Roman",
    "shift_jis": "Japanese (Shift JIS)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
    "euc-kr": "Korean (EUC-KR)",
}
PARSERS = {"csv": "CSV: cells may be quoted", "tsv": "TSV: quotes are plain characters", "jsonl": "JSONL: one object a line"}
DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
MAGIC = {
    b"PK\x03\x04": "an Excel or ZIP file", b"\x1f\x8b": "a gzip file", b"%PDF": "a PDF", b"PAR1": "a Parquet file", b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"\xd0\xcf\x11\xe0": "an old Excel or Word file", b"SQLite format 3": "a database",
    b"\x7fELF": "a program", b"7z\xbc\xaf": "a 7z archive", b"BZh": "a bzip2 file", b"\xff\xfe\x00\x00": "a UTF-32 file",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. parser: csv, tsv or jsonl. delimiter: of csv alone. has_header: whether the first row names the columns."""

    encoding: str
    parser: str
    delimiter: str = ","
    has_header: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One row. line: its first physical line in the file, from 1. values: text by column."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file in their order, and what is odd about their names."""

    columns: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def foreign_kind(path: Path) -> str:
    """What the file is when it is no text at all, or the empty text."""
    with path.open("rb") as file:
        head = file.read(4096)
    if kind := next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), ""):
        return kind
    if any(head.startswith(mark) for mark, _ in MARKS):
        return ""
    return "a binary file" if head.count(0) > len(head) // 20 and not looks_utf16(head) else ""


def looks_utf16(head: bytes) -> bool:
    """Whether every second byte is mostly NUL, as in Western text in UTF-16 without a mark."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    return bool(head) and (min(even, odd) == 0) and max(even, odd) > len(head) // 4


def find_encoding(path: Path) -> tuple[str, int | None]:
    """The encoding by byte order mark, else strict UTF-8, else the empty text: a person chooses. With the first line that does not fit."""
    with path.open("rb") as file:
        head = file.read(4096)
    marked = next((name for mark, name in MARKS if head.startswith(mark)), "")
    if not marked and looks_utf16(head):
        return "", 1
    name = marked or "utf-8"
    line = first_unreadable(path, name)
    return (name if marked or line is None else ""), line


def first_unreadable(path: Path, encoding: str) -> int | None:
    """The first line whose bytes do not fit the encoding, or None."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].decode(encoding, "ignore").count("\n")
            if not chunk:
                return None


class Lines:
    """The physical lines of a text file, counted from 1. A line over the limit raises OverflowError once and is then passed over."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LINE_LIMIT)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == LINE_LIMIT and not line.endswith(("\n", "\r")):
            while (rest := self._file.readline(LINE_LIMIT)) and not rest.endswith(("\n", "\r")):
                pass
            raise OverflowError
        return line


def open_lines(path: Path, encoding: str) -> tuple[io.TextIOWrapper, Lines]:
    """The file as text with its line ends as they are. Only a file without any newline is split at carriage returns."""
    with path.open("rb") as raw:
        head = raw.read(CHUNK).decode(encoding, "ignore")
    newline = "\r" if "\r" in head and "\n" not in head else "\n"
    file = path.open("r", encoding=encoding, newline=newline)
    return file, Lines(file)


def read_rows(path: Path, reading: Reading) -> Iterator[Row | Problem]:
    """Every row of the file in order, and a Problem in the place of each that cannot be read; `header` tells those of the header."""
    columns = header(path, reading).columns
    file, lines = open_lines(path, reading.encoding)
    with file:
        if reading.parser == "jsonl":
            yield from json_rows(lines)
        else:
            yield from cell_rows(lines, reading, columns)


def header(path: Path, reading: Reading) -> Header:
    """The names of the columns: from the first row, from the keys of the first objects, or made up where there is no header."""
    file, lines = open_lines(path, reading.encoding)
    with file:
        if reading.parser == "jsonl":
            return json_header(lines)
        for _, cells in cells_of(lines, reading):
            if isinstance(cells, Problem):
                return Header((), (Problem(cells.line, cells.code, cells.sentence, cells.mend, blocks=True),))
            return named(cells) if reading.has_header else Header(tuple(f"column {number}" for number in range(1, len(cells) + 1)))
    return Header(())


def named(cells: list[str]) -> Header:
    """A header row with every name made unique and none empty; what had to be changed is told."""
    columns: list[str] = []
    problems: list[Problem] = []
    for number, cell in enumerate(cells, start=1):
        name = cell.strip().replace("\0", "")[:200] or f"column {number}"
        if name in columns:
            fresh = next(f"{name} ({count})" for count in range(2, len(cells) + 2) if f"{name} ({count})" not in columns)
            sentence = f"Line 1 names two columns {name!r}; the second is called {fresh!r} here."
            problems.append(Problem(1, "header", sentence, "Check which of the two is mapped, or rename one in the file."))
            name = fresh
        columns.append(name)
    if len(columns) > COLUMNS_LIMIT:
        sentence = f"Line 1 has {len(columns):,} columns; at most {COLUMNS_LIMIT} can be read."
        problems.append(Problem(1, "header", sentence, "Choose another delimiter, or leave out columns.", blocks=True))
    return Header(tuple(columns[:COLUMNS_LIMIT]), tuple(problems))


def cells_of(lines: Lines, reading: Reading) -> Iterator[tuple[int, list[str] | Problem]]:
    """The cells of each row with its first line. Blank lines are passed over."""
    if reading.parser == "tsv":
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(lines, delimiter=reading.delimiter, strict=True)
    while True:
        line = lines.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except OverflowError:
            yield (
                line,
                Problem(lines.number, "long_line", f"Line {lines.number:,} is longer than {LINE_LIMIT:,} characters.", "Shorten it."),
            )
        except csv.Error as error:
            yield line, quoting_problem(line, lines.number, str(error))
        else:
            if cells:
                yield line, cells


def too_long(line: int) -> Problem:
    """A physical line that is not kept in memory."""
    return Problem(line, "long_line", f"Line {line:,} is longer than {LINE_LIMIT:,} characters.", "Shorten it.")


def quoting_problem(first: int, last: int, error: str) -> Problem:
    """What the csv module could not read, in words."""
    where = f"Line {first:,}" if first == last else f"The row in lines {first:,} to {last:,}"
    if "field limit" in error:
        sentence = f"{where} has a cell of more than {CELL_LIMIT:,} characters; perhaps a quote is not closed."
        return Problem(first, "long_cell", sentence, "Close the quote, or shorten the cell.")
    if "unexpected end" in error:
        return Problem(first, "quoting", f"The quote that opens in line {first:,} is not closed before the file ends.", "Close the quote.")
    if "new-line" in error:
        return Problem(first, "quoting", f"{where} has a carriage return outside quotes.", "Put the cell into quotes.")
    return Problem(
        first, "quoting", f"{where} has a quote inside a quoted cell that is not doubled.", 'Write "" for a quote inside quotes.'
    )


def cell_rows(lines: Lines, reading: Reading, columns: tuple[str, ...]) -> Iterator[Row | Problem]:
    """Rows of delimited cells; those whose number of cells is not that of the columns are problems."""
    skip = reading.has_header
    width = len(columns)
    for line, cells in cells_of(lines, reading):
        if skip:
            skip = False
        elif isinstance(cells, Problem):
            yield cells
        elif len(cells) != width:
            sentence = f"Line {line:,} has {len(cells):,} {'cell' if len(cells) == 1 else 'cells'}; there are {width:,} columns."
            yield Problem(line, "ragged", sentence, "Quote cells that hold the delimiter, or choose another delimiter.")
        else:
            yield checked(Row(line, dict(zip(columns, cells, strict=True))))


def checked(row: Row) -> Row | Problem:
    """The row, unless a cell holds what no database keeps or is too long."""
    for column, cell in row.values.items():
        if "\0" in cell or "\0" in column:
            return Problem(
                row.line, "nul", f"Line {row.line:,} has a NUL character in column {column!r}.", "Remove it, or choose another encoding."
            )
        if len(cell) > CELL_LIMIT:
            sentence = f"Line {row.line:,} has {len(cell):,} characters in column {column!r}; at most {CELL_LIMIT:,} are kept."
            return Problem(row.line, "long_cell", sentence, "Shorten the cell, or leave out the column.")
        if not (whole(cell) and whole(column)):
            sentence = f"Line {row.line:,} has half of a surrogate pair in column {ascii(column)}."
            return Problem(row.line, "surrogate", sentence, r"Write the character itself, or both halves (\ud83d\ude00).")
    return row


def whole(text: str) -> bool:
    """Whether the text can be written as UTF-8: no half of a surrogate pair, which JSON allows."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def json_rows(lines: Lines) -> Iterator[Row | Problem]:
    """One row for each line that holds an object, nested keys joined with dots; blank lines are passed over."""
    while True:
        try:
            text = next(lines)
        except StopIteration:
            return
        except OverflowError:
            yield too_long(lines.number)
            continue
        if text.strip():
            found = json_object(text, lines.number)
            yield found if isinstance(found, Problem) else checked(Row(lines.number, found))


def json_object(text: str, line: int) -> dict[str, str] | Problem:
    """The flat columns of one line."""
    whole = "Put one whole JSON object on each line."
    flat: dict[str, str] = {}
    try:
        value = DECODER.decode(text.strip())
        if isinstance(value, Pairs):
            flatten("", value, flat)
    except json.JSONDecodeError as error:
        if line == 1 and text.lstrip().startswith("["):
            mend = "Write one object a line, for example with: jq -c '.[]' file.json"
            return Problem(line, "json", "The file is one JSON list, not one object a line.", mend)
        return Problem(line, "json", f"Line {line:,} is not JSON: {error.msg.lower()} at character {error.pos + 1:,}.", whole)
    except RecursionError:
        return Problem(line, "json", f"Line {line:,} is nested too deeply.", whole)
    except ValueError as error:
        return Problem(line, "json", f"Line {line:,} {error}.", "Keep one of the two.")
    if not isinstance(value, Pairs):
        return Problem(line, "json", f"Line {line:,} is JSON, but not an object.", whole)
    return flat


class Pairs(dict[str, Any]):
    """A JSON object. Kept apart from other values by its class."""


def unique_pairs(pairs: list[tuple[str, Any]]) -> Pairs:
    """An object, unless it names a key twice. Raises ValueError."""
    found = Pairs(pairs)
    if len(found) != len(pairs):
        raise ValueError("names a key twice")
    return found


keep: Callable[[str], str] = str
DECODER = json.JSONDecoder(object_pairs_hook=unique_pairs, parse_int=keep, parse_float=keep, parse_constant=keep)


def flatten(prefix: str, value: Any, flat: dict[str, str]) -> None:
    """Put a JSON value under its dotted name: numbers as they were written, lists as JSON text, null as the empty text."""
    if isinstance(value, Pairs):
        for key, inner in value.items():
            flatten(f"{prefix}.{key}" if prefix else key, inner, flat)
    elif isinstance(value, str):
        flat[prefix] = value
    elif value is None:
        flat[prefix] = ""
    elif isinstance(value, bool):
        flat[prefix] = "true" if value else "false"
    else:
        flat[prefix] = json.dumps(value, ensure_ascii=False)


def json_header(lines: Lines) -> Header:
    """The keys of the first objects, in the order of their first use."""
    columns: dict[str, None] = {}
    for count, row in enumerate(json_rows(lines)):
        if isinstance(row, Row):
            columns |= dict.fromkeys(row.values)
        if count >= JSON_SAMPLE or len(columns) > COLUMNS_LIMIT:
            break
    if len(columns) > COLUMNS_LIMIT:
        sentence = f"The first rows have more than {COLUMNS_LIMIT} different keys."
        return Header(tuple(columns)[:COLUMNS_LIMIT], (Problem(1, "header", sentence, "Leave out keys that are not needed.", blocks=True),))
    return Header(tuple(columns))
