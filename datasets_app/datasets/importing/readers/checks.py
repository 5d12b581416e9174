"""Checks of cells in any file format."""

from __future__ import annotations

from datasets_app.datasets.importing.readers.shapes import Row
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.rules import CELL_LIMIT


def checked(row: Row, place: str = "Line") -> Row | Problem:
    """The row, or a Problem if a cell is too long or can't be stored in a database."""
    joined = "\n".join((*row.values, *row.values.values()))
    if len(joined) <= CELL_LIMIT and "\0" not in joined and whole(joined):
        return row
    return first_fault(row, f"{place} {row.line:,}") or row


def first_fault(row: Row, where: str) -> Problem | None:
    """The problem of the first invalid cell, if any."""
    for column, cell in row.values.items():
        if "\0" in cell or "\0" in column:
            sentence = f"{where} has a NUL character in column {column!r}."
            return Problem(row.line, "nul", sentence, "Remove it, or choose another encoding.")
        if len(cell) > CELL_LIMIT:
            sentence = (
                f"{where} has {len(cell):,} characters in column {column!r}; the limit is {CELL_LIMIT:,}."
            )
            return Problem(row.line, "long_cell", sentence, "Shorten the cell, or remove the column.")
        if not (whole(cell) and whole(column)):
            sentence = f"{where} has an unpaired surrogate in column {ascii(column)}."
            return Problem(
                row.line, "surrogate", sentence, r"Write the character itself, or both halves (\ud83d\ude00)."
            )
    return None


def whole(text: str) -> bool:
    """Whether the text can be written as UTF-8: no half of a surrogate pair, which JSON allows."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
