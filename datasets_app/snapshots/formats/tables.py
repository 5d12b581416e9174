"""One table with all data of the rows: CSV, Excel, JSONL, and Parquet. Pure except for writing the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_app.snapshots.formats.entries import About
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.exports import Entry, Tally
from lifecycle.ui.cells import CONTROL, inert_cell, kept_by_sheets

COLUMNS = ("id", "text", "label", "split", "group", "time", "item", "decision", "metadata")
ROW_GROUP = 10_000
CELL_LIMIT = 32_767  # characters of a cell in Excel
SHEET_ROWS = 1_048_575  # below the header
# json.dumps with options makes an encoder for every row
TO_JSON = json.JSONEncoder(ensure_ascii=False).encode


def columns_of(about: About) -> tuple[str, ...]:
    """The columns of a table, in order; with content if items are more than a text."""
    return (*COLUMNS, "content") if about.content else COLUMNS


def line_of(entry: Entry) -> dict[str, Any]:
    """A row with all columns of any table."""
    return {
        "id": entry.id,
        "text": entry.text,
        "label": entry.label,
        "split": entry.split,
        "group": entry.group,
        "time": entry.time,
        "item": entry.item,
        "decision": entry.decision,
        "metadata": entry.metadata,
        "content": entry.content,
    }


def cells_of(entry: Entry, columns: tuple[str, ...]) -> list[str]:
    """The cells of a row as text: non-text as JSON, empty if missing."""
    line = line_of(entry)
    return [cell_of(line[column], column) for column in columns]


def cell_of(value: Any, column: str) -> str:
    """One cell."""
    if isinstance(value, str):
        return value
    return (
        ""
        if value is None or (column == "content" and not value)
        else json.dumps(value, ensure_ascii=False, sort_keys=column == "metadata")
    )


def inert_cells(cells: list[str], tally: Tally) -> list[str]:
    """Cells that no spreadsheet runs as formulas; changed ones are counted."""
    inert = [inert_cell(cell) for cell in cells]
    tally.neutralised += sum(before != after for before, after in zip(cells, inert, strict=True))
    return inert


def write_csv(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """UTF-8, quoted where needed, formulae neutralised."""
    columns = columns_of(about)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for entry in entries:
            writer.writerow(inert_cells(cells_of(entry, columns), tally))
            tally.rows += 1


def write_xlsx(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """One sheet with text cells, formulae neutralised. What Excel can't represent is counted."""
    import openpyxl  # slow import, only needed for workbooks

    columns = columns_of(about)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("rows")
    sheet.append(columns)
    formats = formats_of(about.task)
    for entry in entries:
        if kept_by_sheets(entry.text) != entry.text:
            label = formats.beside_kept(entry.label, entry.text, kept_by_sheets)
            entry = entry._replace(label=label)
        cells = [fit_for_excel(cell, tally) for cell in cells_of(entry, columns)]
        if max(map(len, cells)) >= CELL_LIMIT:
            tally.losses["long_cell"] += 1
            continue
        sheet.append(inert_cells(cells, tally))
        tally.rows += 1
    book.save(path)


def fit_for_excel(cell: str, tally: Tally) -> str:
    """The cell as a sheet keeps it; what is lost is counted."""
    clean = CONTROL.sub("", cell)
    tally.losses["control"] += clean != cell
    tally.losses["returns"] += "\r" in clean
    return kept_by_sheets(cell)


def write_jsonl(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """One object per line; texts unchanged, structures as JSON."""
    with path.open("w", encoding="utf-8") as file:
        for entry in entries:
            line = line_of(entry)
            if not about.content:
                del line["content"]
            file.write(TO_JSON(line) + "\n")
            tally.rows += 1


def write_parquet(path: Path, entries: Iterator[Entry], tally: Tally, about: About) -> None:
    """Text columns; texts unchanged, structures as JSON text."""
    columns = columns_of(about)
    schema = pa.schema([(column, pa.string()) for column in columns])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while rows := [cells_of(entry, columns) for entry in islice(entries, ROW_GROUP)]:
            writer.write_table(
                pa.table([pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)], schema=schema)
            )
            tally.rows += len(rows)
