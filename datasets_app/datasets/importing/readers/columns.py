"""Parquet: row groups are streamed, nested columns flattened, and class numbers replaced by the file's class
names.
"""

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

from datasets_app.datasets.importing.readers.archives import RATIO_FROM, RATIO_LIMIT
from datasets_app.datasets.importing.readers.checks import checked
from datasets_app.datasets.importing.readers.shapes import COLUMNS_LIMIT, Header, Reading, Row, unreadable
from datasets_app.datasets.importing.readers.sources import Member, Names
from datasets_app.datasets.importing.readers.watching import step
from datasets_app.datasets.importing.report import Problem

BATCH, VALUES = 500, 100_000  # rows, and values of any one column, that are in memory at once
ROWS_LIMIT = 20_000_000  # of a file; also values of any one column of a row group
GROUP_LIMIT = 2_000_000_000  # bytes of one unpacked row group
READ = 1 << 20  # packed bytes of a column that are in memory at once
FIX = "Write it again with pyarrow, polars, or datasets, or export CSV or JSONL."


def header(member: Member, reading: Reading) -> Header:
    """The names of the flat columns; binary columns are reported as ignored."""
    with member.local() as path, opened(path) as file:
        if file is None:
            return unreadable("This isn't a Parquet file, or it's damaged.", FIX)
        if fault := too_large(file, path.stat().st_size):
            return unreadable(fault, "Split it, or export CSV or JSONL.")
        found = list(leaves(file.schema_arrow))
        columns = [name for name, kind in found if not is_bytes(kind)]
        dropped = [name for name, kind in found if is_bytes(kind)]
    problems = []
    if dropped:
        sentence = (
            f"{named_list(dropped)} {'has' if len(dropped) == 1 else 'have'} bytes, which aren't supported."
        )
        problems.append(Problem(0, "header", sentence, "No action needed if you only use texts."))
    if len(columns) > COLUMNS_LIMIT:
        sentence = f"The file has {len(columns):,} columns; the limit is {COLUMNS_LIMIT}."
        problems.append(Problem(0, "header", sentence, "Remove columns.", blocks=True))
    return Header(tuple(columns[:COLUMNS_LIMIT]), tuple(problems))


def named_list(names: list[str]) -> str:
    """Columns in a sentence."""
    return f"Column {names[0]!r}" if len(names) == 1 else f"The columns {', '.join(map(repr, names[:5]))}"


def count_rows(member: Member) -> int:
    """The number of rows in the file's metadata."""
    with member.local() as path, opened(path) as file:
        return file.metadata.num_rows if file else 0


def rows(member: Member, reading: Reading) -> Iterator[Row | Problem]:
    """Every row, a batch at a time."""
    with member.local() as path, opened(path) as file:
        if file is None or too_large(file, path.stat().st_size):
            return
        names = class_names(file.schema_arrow)
        kept = [field.name for field in file.schema_arrow if not is_bytes(field.type)]
        number = 0
        try:
            for batch in file.iter_batches(batch_size=batch_size(file), columns=kept, use_threads=False):
                for values in one_by_one(batch):
                    step()
                    number += 1
                    yield row_of(number, values, names)
        except MemoryError:
            raise
        except (pa.ArrowException, OSError, ValueError):
            sentence = f"The file is damaged after row {number:,}."
            yield Problem(number + 1, "type", sentence, FIX, blocks=True)


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile | None]:
    """The file, or None if it isn't a Parquet file. Texts are read dictionary-encoded."""
    try:
        found = pq.read_metadata(path)
        texts = [
            each.path
            for at, each in enumerate(columns_of(found.schema))
            if each.physical_type == "BYTE_ARRAY"
            and each.logical_type.type == "STRING"
            and not has_deltas(found, at)
        ]
        # pre_buffer would keep all data in memory until the end
        file = pq.ParquetFile(path, metadata=found, read_dictionary=texts, pre_buffer=False, buffer_size=READ)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError):
        yield None
        return
    with file:
        yield file


def columns_of(schema: pq.ParquetSchema) -> Iterator[Any]:
    """The file's physical columns, including nested ones."""
    return (schema.column(at) for at in range(len(schema)))


def has_deltas(found: pq.FileMetaData, at: int) -> bool:
    """Whether a column is delta-encoded, which can't be read dictionary-encoded."""
    groups = (found.row_group(group) for group in range(found.num_row_groups))
    return any(encoding.startswith("DELTA") for group in groups for encoding in group.column(at).encodings)


def chunks(file: pq.ParquetFile) -> Iterator[pq.ColumnChunkMetaData]:
    """The metadata of each column of each row group."""
    groups = (file.metadata.row_group(at) for at in range(file.metadata.num_row_groups))
    return (group.column(at) for group in groups for at in range(group.num_columns))


def too_large(file: pq.ParquetFile, packed: int) -> str:
    """Why the file is rejected by its metadata, or empty. packed: its size in bytes."""
    found, sizes = (
        file.metadata,
        [file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups)],
    )
    if found.num_rows > ROWS_LIMIT:
        return f"The file has {found.num_rows:,} rows; the limit is {ROWS_LIMIT:,}."
    if sizes and max(sizes) > GROUP_LIMIT:
        return f"A row group expands to {max(sizes) // 1024**2:,} MB."
    if sum(sizes) > max(RATIO_FROM, RATIO_LIMIT * packed):
        return f"The file expands to more than {RATIO_LIMIT} times its size, so it's rejected."
    values = max((each.num_values for each in chunks(file)), default=0)
    return (
        f"A row group has {values:,} values in one column; the limit is {ROWS_LIMIT:,}."
        if values > ROWS_LIMIT
        else ""
    )


def batch_size(file: pq.ParquetFile) -> int:
    """How many rows are read at once: fewer where rows hold long lists."""
    most = max((each.num_values for each in chunks(file)), default=0)
    return max(1, min(BATCH, VALUES * file.metadata.num_rows // max(1, most)))


def one_by_one(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """The rows of a batch. Repeated texts share one object, and lists are unpacked one row at a time, to save
    memory.
    """
    columns = [shared(column) if pa.types.is_dictionary(column.type) else column for column in batch.columns]
    for at in range(batch.num_rows):
        yield {
            name: column[at] if isinstance(column, list) else column[at].as_py()
            for name, column in zip(batch.schema.names, columns, strict=True)
        }


def shared(column: pa.DictionaryArray) -> list[Any]:
    """The values of a dictionary-encoded column; equal values share one object."""
    places = column.indices.to_pylist()
    words = {at: column.dictionary[at].as_py() for at in set(places) - {None}}
    return [None if at is None else words[at] for at in places]


def leaves(fields: Any, prefix: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """The flat columns with their types: fields of structs under dotted names."""
    for field in fields:
        name = f"{prefix}.{field.name}" if prefix else field.name
        if pa.types.is_struct(field.type):
            yield from leaves(field.type, name)
        else:
            yield name, field.type


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values are binary."""
    if pa.types.is_dictionary(kind):
        return is_bytes(kind.value_type)
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def row_of(number: int, values: dict[str, Any], names: Names) -> Row | Problem:
    """One row as text."""
    flat: dict[str, str] = {}
    for column, value in values.items():
        flatten(column, value, flat)
    return checked(
        Row(number, flat if not names else {c: class_name(v, names.get(c)) for c, v in flat.items()}), "Row"
    )


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
    """A value that JSON can't represent, as text."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value) if isinstance(value, timedelta) else cell_of(value)


def class_names(schema: pa.Schema) -> Names:
    """The class names that Hugging Face's `datasets` stores in a file for ClassLabel columns and lists of
    them.
    """
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = found["info"]["features"]
        return {column: names for column, feature in features.items() if (names := names_of(feature))}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def names_of(feature: Any) -> list[str]:
    """The names of one feature: a ClassLabel, or a Sequence, List or plain list of them; empty for any
    other.
    """
    if isinstance(feature, list) and len(feature) == 1:
        return names_of(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel":
        return [str(name) for name in feature.get("names") or []]
    return names_of(feature.get("feature"))


def class_name(cell: str, names: list[str] | None) -> str:
    """The names behind a class number or a list of them; -1 means none. Other values stay unchanged."""
    if names and cell.startswith("[") and re.fullmatch(r"\[[\d\s,-]*\]", cell):
        return json.dumps(
            [class_name(each.strip(), names) for each in cell[1:-1].split(",") if each.strip()],
            ensure_ascii=False,
        )
    if not names or len(cell) > 9 or not cell.removeprefix("-").isdecimal():
        return cell
    number = int(cell)
    return "" if number == -1 else names[number] if 0 <= number < len(names) else cell
