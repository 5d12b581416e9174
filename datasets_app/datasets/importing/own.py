"""Files that this product wrote: recognized by their columns `item` and `decision`, read so that an export
imports unchanged. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.ui.cells import live_cell

ITEM, DECISION = "item", "decision"
PREFIXES = ("metadata.", "content.")
SHEETS = ("csv", "tsv", "xlsx")  # file types with neutralised cells in exports


def is_own(columns: Sequence[str]) -> bool:
    """Whether an export wrote a file with these columns, or with these and others."""
    return ITEM in columns and DECISION in columns


def restored(values: dict[str, str]) -> dict[str, str]:
    """The cells of a row without the apostrophes that an export adds to formulas."""
    return {column: live_cell(cell) for column, cell in values.items()}


def metadata_name(column: str) -> str:
    """The name under which a metadata column was kept."""
    return column.removeprefix(PREFIXES[0])
