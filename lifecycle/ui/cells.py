"""Cells of exported tables. A spreadsheet runs a cell that begins like a formula, so such a cell gets an apostrophe in front."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def inert_cell(value: object) -> str:
    """The text of a cell that no spreadsheet runs; NUL is dropped, since no reader of CSV takes it."""
    text = "" if value is None else str(value).replace("\x00", "")
    return f"'{text}" if text.startswith(FORMULA) else text
