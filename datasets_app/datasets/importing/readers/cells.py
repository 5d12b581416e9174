"""CSV and TSV: rows of delimited cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.lines import Lines, open_text, too_long
from datasets_app.datasets.importing.readers.shapes import Header, Reading, Row, named, numbered
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.rules import CELL_LIMIT

csv.field_size_limit(CELL_LIMIT)


def header(member: Member, reading: Reading) -> Header:
    """The names of the columns: from the first row, or generated without a header."""
    with open_text(member, reading.encoding) as file:
        for _, cells in cells_of(Lines(file), reading):
            if isinstance(cells, Problem):
                return Header((), (Problem(cells.line, cells.code, cells.sentence, cells.fix, blocks=True),))
            return named(cells) if reading.has_header else numbered(len(cells))
    return Header(())


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """Rows of delimited cells; a Problem for rows with a wrong number of cells."""
    columns = header(member, reading).columns
    skip = reading.has_header
    width = len(columns)
    with open_text(member, reading.encoding) as file:
        for line, cells in cells_of(Lines(file), reading):
            if skip:
                skip = False
            elif isinstance(cells, Problem):
                yield cells
            elif len(cells) != width:
                sentence = (
                    f"Line {line:,} has {len(cells):,} {'cell' if len(cells) == 1 else 'cells'}; there are"
                    f" {width:,} columns."
                )
                yield Problem(
                    line,
                    "ragged",
                    sentence,
                    "Quote cells that contain the delimiter, or choose another delimiter.",
                )
            else:
                yield checked(Row(line, dict(zip(columns, cells, strict=True))))


def cells_of(lines: Lines, reading: Reading) -> Iterator[tuple[int, list[str] | Problem]]:
    """The cells of each row with its first line. Blank lines are skipped."""
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
            yield line, too_long(lines.number)
        except csv.Error as error:
            yield line, quoting_problem(line, lines.number, str(error))
        else:
            if cells:
                yield line, cells


def quoting_problem(first: int, last: int, error: str) -> Problem:
    """An error of the csv module as a Problem."""
    where = f"Line {first:,}" if first == last else f"The row in lines {first:,} to {last:,}"
    if "field limit" in error:
        sentence = f"{where} has a cell of more than {CELL_LIMIT:,} characters; a quote may be unclosed."
        return Problem(first, "long_cell", sentence, "Close the quote, or shorten the cell.")
    if "unexpected end" in error:
        return Problem(
            first, "quoting", f"The quote opened in line {first:,} isn't closed.", "Close the quote."
        )
    if "new-line" in error:
        return Problem(first, "quoting", f"{where} has a carriage return outside quotes.", "Quote the cell.")
    return Problem(
        first,
        "quoting",
        f"{where} has an unescaped quote inside a quoted cell.",
        'Write "" for a quote inside quotes.',
    )
