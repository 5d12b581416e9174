"""Parquet: row groups streamed, nested columns flattened, class numbers turned into the names that the file holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.shapes import COLUMNS_LIMIT, Header, Reading, Row, unreadable
from datasets_app.datasets.importing.readers.sources import Member, Names
from datasets_app.datasets.importing.report import Problem

BATCH = 500  # rows that are in memory at once
GROUP_LIMIT = 2_000_000_000  # bytes of one unpacked row group
MEND = "Write it anew with pyarrow, polars or datasets, or export CSV or JSONL."


def header(member: Member, reading: Reading) -> Header:
    """The names of the flat columns; columns of bytes are named as left out."""
    with member.local() as path, opened(path) as file:
        if file is None:
            return unreadable("This is not a Parquet file, or it is damaged.", MEND)
        if fault := too_large(file):
            return unreadable(fault, "Write it with smaller row groups.")
        found = list(leaves(file.schema_arrow))
        columns = [name for name, kind in found if not is_bytes(kind)]
        dropped = [name for name, kind in found if is_bytes(kind)]
    problems = []
    if dropped:
        sentence = f"{named_list(dropped)} {'holds' if len(dropped) == 1 else 'hold'} bytes and cannot be read."
        problems.append(Problem(0, "header", sentence, "Nothing, if only texts matter."))
    if len(columns) > COLUMNS_LIMIT:
        sentence = f"The file has {len(columns):,} columns; at most {COLUMNS_LIMIT} can be read."
        problems.append(Problem(0, "header", sentence, "Leave out columns.", blocks=True))
    return Header(tuple(columns[:COLUMNS_LIMIT]), tuple(problems))


def named_list(names: list[str]) -> str:
    """Columns in a sentence."""
    return f"Column {names[0]!r}" if len(names) == 1 else f"The columns {', '.join(map(repr, names[:5]))}"


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """Every row, a batch at a time."""
    with member.local() as path, opened(path) as file:
        if file is None or too_large(file):
            return
        names = class_names(file.schema_arrow)
        kept = [field.name for field in file.schema_arrow if not is_bytes(field.type)]
        number = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH, columns=kept):
                for values in batch.to_pylist():
                    number += 1
                    yield row_of(number, values, names)
        except (pa.ArrowException, OSError, ValueError):
            sentence = f"The file is damaged behind row {number:,}."
            yield Problem(number + 1, "type", sentence, MEND, blocks=True)


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile | None]:
    """The file, or None where it is no Parquet file."""
    try:
        file = pq.ParquetFile(path, pre_buffer=False)  # which would keep all that was read until the end
    except (pa.ArrowException, OSError, ValueError):
        yield None
        return
    with file:
        yield file


def too_large(file: pq.ParquetFile) -> str:
    """Why the file would not fit into memory, or the empty text."""
    sizes = [file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups)]
    return f"A row group unpacks to {max(sizes) // 1024**2:,} MB." if sizes and max(sizes) > GROUP_LIMIT else ""


def leaves(fields: Any, prefix: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """The flat columns with their types: fields of structs under dotted names."""
    for field in fields:
        name = f"{prefix}.{field.name}" if prefix else field.name
        if pa.types.is_struct(field.type):
            yield from leaves(field.type, name)
        else:
            yield name, field.type


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values are bytes that are no text."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def row_of(number: int, values: dict[str, Any], names: Names) -> Row | Problem:
    """One row as text."""
    flat: dict[str, str] = {}
    for column, value in values.items():
        flatten(column, value, flat)
    return checked(Row(number, flat if not names else {c: class_name(v, names.get(c)) for c, v in flat.items()}), "Row")


def flatten(name: str, value: Any, flat: dict[str, str]) -> None:
    """Put a value under its dotted name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            flatten(f"{name}.{key}", inner, flat)
    elif not isinstance(value, bytes):
        flat[name] = cell_of(value)


def cell_of(value: Any) -> str:
    """A value as text: null empty, times in ISO 8601, lists as JSON text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=plain)
    return str(value)


def plain(value: Any) -> str:
    """What JSON has no form for."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value) if isinstance(value, timedelta) else cell_of(value)


def class_names(schema: pa.Schema) -> Names:
    """The names that Hugging Face's `datasets` writes into a file for its columns of class numbers and of lists of them."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = found["info"]["features"]
        return {column: names for column, feature in features.items() if (names := names_of(feature))}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def names_of(feature: Any) -> list[str]:
    """The names of one feature: a ClassLabel, or a Sequence, List or plain list of them; empty for any other."""
    if isinstance(feature, list) and len(feature) == 1:
        return names_of(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel":
        return [str(name) for name in feature.get("names") or []]
    return names_of(feature.get("feature"))


def class_name(cell: str, names: list[str] | None) -> str:
    """The names behind a class number or a list of them; -1 says that there is none. What is no such number stays as it is."""
    if names and cell.startswith("[") and re.fullmatch(r"\[[\d\s,-]*\]", cell):
        return json.dumps([class_name(each.strip(), names) for each in cell[1:-1].split(",") if each.strip()], ensure_ascii=False)
    if not names or len(cell) > 9 or not cell.removeprefix("-").isdecimal():
        return cell
    number = int(cell)
    return "" if number == -1 else names[number] if 0 <= number < len(names) else cell
