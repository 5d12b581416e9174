"""A whole file: its parser, applied to one file or to all files of an archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from datasets_app.datasets.importing.readers import cells, conll, json_columns, jsons, texts, tools
from datasets_app.datasets.importing.readers.columns import class_name
from datasets_app.datasets.importing.readers.confined import Confined
from datasets_app.datasets.importing.readers.shapes import COLUMNS_LIMIT, Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import CHUNK, Member, Names, open_source
from datasets_app.datasets.importing.report import Problem

SPLIT = "split"  # the column of splits from file names


class Parser(Protocol):
    """The interface of each file reader."""

    def header(self, member: Member, reading: Reading) -> Header:
        """The columns of one file."""

    def rows(self, member: Member, reading: Reading) -> Iterator[Row | Problem]:
        """The rows of one file in order, with a Problem in place of each unreadable one."""


CONFINED = Confined()
PARSER_OF: dict[str, Parser] = {
    "csv": cells,
    "tsv": cells,
    "jsonl": jsons,
    "json": jsons,
    "json_columns": json_columns,
    "txt": texts,
    "fasttext": texts,
    "conll": conll,
    "parquet": CONFINED,
    "xlsx": CONFINED,
    "doccano": tools,
    "labelstudio": tools,
    "prodigy": tools,
    "argilla": tools,
}


def about_rows(path: Path, reading: Reading) -> int | None:
    """An upper bound of the number of rows, for progress; None if it can't be known without parsing."""
    if reading.parser in ("json", "json_columns", "xlsx"):
        return None
    members = open_source(path).members
    return sum(
        CONFINED.count_rows(member, reading) if reading.parser == "parquet" else count_lines(member)
        for member in members
    )


def count_lines(member: Member) -> int:
    """The number of line ends of a text."""
    with member.open() as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK), b""))


def header(path: Path, reading: Reading) -> Header:
    """The columns of all files, in the order of their first use, and the split column from file names."""
    source = open_source(path)
    parser = PARSER_OF[reading.parser]
    found = [(member, parser.header(member, reading)) for member in source.members]
    names = dict.fromkeys(name for _, each in found for name in each.columns)
    problems = [replace(problem, member=member.name) for member, each in found for problem in each.problems]
    problems += [
        missing(member, each, names)
        for member, each in found
        if len(each.columns) < len(names) and not each.problems
    ]
    if any(member.split for member in source.members) and SPLIT not in names:
        names[SPLIT] = None
    if len(names) > COLUMNS_LIMIT:
        sentence = f"The files have {len(names):,} different columns in total; the limit is {COLUMNS_LIMIT}."
        problems.append(Problem(0, "header", sentence, "Use files with the same columns.", blocks=True))
    return Header(tuple(names)[:COLUMNS_LIMIT], tuple(problems))


def missing(member: Member, found: Header, names: dict[str, None]) -> Problem:
    """A problem for a file without some columns of the others."""
    absent = [repr(name) for name in names if name not in found.columns]
    sentence = f"{member.name} has no column {', '.join(absent[:5])}; its rows are empty there."
    return Problem(0, "header", sentence, "No action needed if that's right.", member=member.name)


def read_rows(path: Path, reading: Reading) -> Iterator[Row | Problem]:
    """Every row of the file in order, with a Problem in place of each unreadable one; `header` has those of
    the header.
    """
    source = open_source(path)
    parser = PARSER_OF[reading.parser]
    for member in source.members:
        found = parser.rows(member, reading)
        yield from in_archive(member, found, source.names) if member.name else found


def in_archive(member: Member, found: Iterator[Row | Problem], names: Names) -> Iterator[Row | Problem]:
    """The rows of one file of an archive: with its name, its split, and names for class numbers."""
    for row in found:
        if isinstance(row, Problem):
            yield replace(row, member=member.name)
            continue
        values = row.values
        for column, classes in names.items():
            if column in values:
                values[column] = class_name(values[column], classes)
        if member.split:
            values.setdefault(SPLIT, member.split)
        yield Row(row.line, values, member.name, row.raw)
