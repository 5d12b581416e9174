"""Excel workbooks: the first sheet, with raw cells and the last computed value of each formula."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.shapes import (
    COLUMNS_LIMIT,
    Header,
    Reading,
    Row,
    named,
    numbered,
    unreadable,
)
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.readers.watching import Watched, step
from datasets_app.datasets.importing.report import Problem

ROWS_LIMIT = 1_048_576  # of one sheet, whatever its row numbers
WIDTH = COLUMNS_LIMIT + 1  # cells of a row that are read
DAMAGED = (
    InvalidFileException,
    zipfile.BadZipFile,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    OSError,
    EOFError,
    IndexError,
)
FIX = "Open it in a spreadsheet program and save it again as .xlsx or CSV (UTF-8)."
Cells = list[str]


def header(member: Member, reading: Reading) -> Header:
    """The column names, from the first row that isn't empty. Other sheets are reported as ignored."""
    with member.local() as path, opened(path) as workbook:
        if workbook is None or not workbook.worksheets:
            return unreadable("This isn't an Excel workbook with a sheet, or it's damaged.", FIX)
        sheet, *others = workbook.worksheets
        try:
            number, cells = next(filled(sheet), (1, []))
        except DAMAGED:
            return unreadable(f"The sheet {sheet.title!r} is damaged.", FIX)
        found = named(cells, f"Row {number:,}") if reading.has_header else numbered(len(cells))
        if others:
            titles = ", ".join(repr(other.title) for other in others[:5])
            sentence = (
                f"Only sheet {sheet.title!r} is read; {titles} {'is' if len(others) == 1 else 'are'} ignored."
            )
            note = Problem(
                0,
                "header",
                sentence,
                "To read another sheet, move it to the front and upload the file again.",
            )
            found = Header(found.columns, (note, *found.problems))
        return found


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """The rows of the first sheet; empty ones are skipped, missing cells at the end are empty."""
    columns = header(member, reading).columns
    with member.local() as path, opened(path) as workbook:
        if workbook is None or not columns:
            return
        skip = int(reading.has_header)
        number = 0
        try:
            for number, cells in islice(filled(workbook.worksheets[0]), skip, None):
                if len(cells) > len(columns):
                    sentence = f"Row {number:,} has {len(cells):,} cells; there are {len(columns):,} columns."
                    yield Problem(number, "ragged", sentence, "Give each column a name in the first row.")
                else:
                    padded = cells + [""] * (len(columns) - len(cells))
                    yield checked(Row(number, dict(zip(columns, padded, strict=True))), "Row")
        except DAMAGED:
            yield Problem(number + 1, "type", f"The sheet is damaged after row {number:,}.", FIX, blocks=True)


@contextmanager
def opened(path: Path) -> Iterator[openpyxl.Workbook | None]:
    """The workbook, or None if it isn't one."""
    with path.open("rb") as file:
        try:
            workbook = openpyxl.load_workbook(Watched(file), read_only=True, data_only=True, keep_links=False)
        except DAMAGED:
            workbook = None
        yield workbook


def filled(sheet: Any) -> Iterator[tuple[int, Cells]]:
    """The rows that aren't empty, with their numbers, without trailing empty cells; ignores the sheet's
    stated size.
    """
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(max_row=ROWS_LIMIT, values_only=True), start=1):
        step()
        cells = [cell_of(value) for value in row[: WIDTH + 1]]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells


def cell_of(value: Any) -> str:
    """A cell as text: dates in ISO 8601, a date alone where its time is midnight."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
