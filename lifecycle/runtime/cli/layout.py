"""Tables and progress, drawn by rich: with styles on a terminal, as plain aligned text elsewhere; NO_COLOR is
obeyed.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.status import Status
from rich.table import Table as Grid
from rich.text import Text

from lifecycle.runtime.cli.screen import Table, plain

PIPED_WIDTH = 10_000  # columns: what is read by a program is never cut


def text(found: Table) -> str:
    """The lines of a table, as wide as the terminal."""
    grid = Grid(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(found.heads), header_style="bold"
    )
    cells = [[plain(cell) for cell in row] for row in found.rows]
    for at, head in enumerate(found.heads or ("", "")):
        right = bool(found.heads and cells) and all(is_number(row[at]) for row in cells)
        grid.add_column(Text(plain(head)), justify="right" if right else "left", overflow="fold")
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    with console.capture() as drawn:
        console.print(grid)
    return "\n".join(line.rstrip() for line in drawn.get().rstrip("\n").split("\n"))


def status() -> Status:
    """A status line on stderr, with a spinner."""
    made = Console(file=sys.stderr, markup=False, highlight=False, emoji=False).status("")
    made.start()
    return made


def is_number(text: str) -> bool:
    """Whether a cell is a figure, or a dash for one that is missing."""
    return (
        text == "–"
        or text.replace(",", "").replace(".", "", 1).replace("%", "").strip().lstrip("-+").isdecimal()
    )
