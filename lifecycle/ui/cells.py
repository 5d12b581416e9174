"""Cells of exported tables. A spreadsheet runs a cell that begins like a formula, so such a cell gets an
apostrophe in front.
"""

from __future__ import annotations

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
MARK = "'"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # no character of XML


def inert_cell(value: object) -> str:
    """The text of a cell that no spreadsheet runs; NUL is dropped, since no reader of CSV takes it.

    A cell that already begins with such an apostrophe gets one more, so that `live_cell` gives back every
    text.
    """
    text = "" if value is None else str(value).replace("\x00", "")
    return f"{MARK}{text}" if text.lstrip(MARK).startswith(FORMULA) else text


def live_cell(cell: str) -> str:
    """The text that `inert_cell` was given, but for NUL."""
    return cell[1:] if cell.startswith(MARK) and cell.lstrip(MARK).startswith(FORMULA) else cell


def kept_by_sheets(cell: str) -> str:
    """The text that a spreadsheet saves: without characters that are invalid in XML, with plain line ends."""
    return CONTROL.sub("", cell).replace("\r\n", "\n").replace("\r", "\n")
