"""The files that a snapshot is exported as. Pure but for writing the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_app.snapshots.rules import ExportFormat
from lifecycle.ui.cells import inert_cell

COLUMNS = ("id", "text", "label", "split", "group", "time", "item", "decision", "metadata")
BATCH = 1_000
Line = dict[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a file, in their order. structures: those whose cells are JSON, which JSONL holds as what it says."""

    columns: tuple[str, ...] = COLUMNS
    structures: tuple[str, ...] = ("metadata",)


def shape_of(*, structured: bool, content: bool) -> Shape:
    """structured: the label is JSON, since the task is not one class per text. content: the items are dialogues or responses."""
    more = ("content",) if content else ()
    return Shape((*COLUMNS, *more), ("metadata", *more, *(("label",) if structured else ())))


def write(path: Path, lines: Iterable[Line], kind: str, shape: Shape) -> tuple[int, int]:
    """Write the lines as CSV, JSONL or Parquet. Returns the number of rows and of neutralised cells (CSV alone has any)."""
    writers: dict[str, Callable[[Path, Iterator[Line], Shape], tuple[int, int]]] = {
        ExportFormat.CSV: write_csv, ExportFormat.JSONL: write_jsonl, ExportFormat.PARQUET: write_parquet,
    }  # fmt: skip
    return writers[kind](path, iter(lines), shape)


def write_csv(path: Path, lines: Iterator[Line], shape: Shape) -> tuple[int, int]:
    """UTF-8, quoted where needed, formulae neutralised."""
    rows = changed = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(shape.columns)
        for line in lines:
            cells = [inert_cell(line[column]) for column in shape.columns]
            changed += sum(cell != line[column] for cell, column in zip(cells, shape.columns, strict=True))
            writer.writerow(cells)
            rows += 1
    return rows, changed


def write_jsonl(path: Path, lines: Iterator[Line], shape: Shape) -> tuple[int, int]:
    """One object a line, texts as they are."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            value: dict[str, Any] = {**line, **{column: json.loads(line[column]) for column in shape.structures}}
            file.write(json.dumps(value, ensure_ascii=False) + "\n")
            rows += 1
    return rows, 0


def write_parquet(path: Path, lines: Iterator[Line], shape: Shape) -> tuple[int, int]:
    """Text columns, texts as they are; structures as JSON text."""
    schema = pa.schema([(column, pa.string()) for column in shape.columns])
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(lines, BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            rows += len(batch)
    return rows, 0
