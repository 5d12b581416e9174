"""The Parquet file of a dataset version: one row per item, ordered by item digest, without texts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datasets_app.snapshots.rules import Placed

COLUMNS = ("item", "item_uuid", "decision", "decision_uuid", "label", "split", "cluster")
SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in COLUMNS])
ROW_GROUP = 20_000
BATCH = 1_000
COMPARED = 100_000  # rows compared with another file at once


class ManifestRow(NamedTuple):
    """One row of a snapshot. item, decision: digests; item_uuid, decision_uuid: the rows in the database;
    cluster: rows kept in one split.
    """

    item: str
    item_uuid: str
    decision: str
    decision_uuid: str
    label: str
    split: str
    cluster: str


def write(path: Path, placed: Sequence[Placed], filters_digest: str = "") -> None:
    """Write ordered rows. The same rows give the same bytes. filters_digest: of a slice, stored in the file's
    metadata.
    """
    schema = SCHEMA.with_metadata({"filters": filters_digest}) if filters_digest else SCHEMA
    with pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=["label", "split"], write_statistics=True
    ) as writer:
        for start in range(0, len(placed), ROW_GROUP):
            rows = placed[start : start + ROW_GROUP]
            columns = [
                [each.row.item for each in rows],
                [each.row.item_uuid for each in rows],
                [each.row.decision for each in rows],
                [each.row.decision_uuid for each in rows],
                [each.row.label for each in rows],
                [each.split for each in rows],
                [each.cluster for each in rows],
            ]
            writer.write_table(pa.table(columns, schema=schema))


def read(path: Path) -> Iterator[ManifestRow]:
    """All rows in order, in constant memory."""
    # pre-buffering would keep all read data until the end
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=list(COLUMNS)):
            columns = [batch.column(name).to_pylist() for name in COLUMNS]
            yield from map(ManifestRow, *columns)


def find(path: Path, item: str) -> ManifestRow | None:
    """The row of one item digest; reads only the part of the file that can contain it."""
    return next(iter(find_all(path, [item])), None)


def find_all(path: Path, items: Collection[str]) -> list[ManifestRow]:
    """The rows of these item digests, in file order; reads only the parts of the file that can contain
    them.
    """
    return [
        ManifestRow(**row)
        for row in pq.read_table(path, columns=list(COLUMNS), filters=[("item", "in", items)]).to_pylist()
    ]


def items_at(path: Path, split: str, numbers: Collection[int]) -> dict[int, str]:
    """The item digests of some rows of a split by number, from 0 in file order; numbers beyond its end are
    left out.
    """
    table = pq.read_table(path, columns=["item"], filters=[("split", "=", split)])
    return {number: table["item"][number].as_py() for number in numbers if 0 <= number < len(table)}


def newer(path: Path, before: Path | None, split: str = "") -> Iterator[tuple[list[str], list[str]]]:
    """Rows of a file, or of one split, that `before` lacks: uuids of new items, and of other decisions on
    items in both. Without `before` all items are new.
    """
    known = pq.read_table(before, columns=["item_uuid", "decision_uuid"]) if before else None
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=COMPARED, columns=["item_uuid", "decision_uuid", "split"]):
            rows = batch.filter(pc.equal(batch["split"], split)) if split else batch
            if known is None:
                yield rows["item_uuid"].to_pylist(), []
                continue
            rows = rows.filter(pc.invert(pc.is_in(rows["decision_uuid"], value_set=known["decision_uuid"])))
            had = pc.is_in(rows["item_uuid"], value_set=known["item_uuid"])
            yield (
                rows["item_uuid"].filter(pc.invert(had)).to_pylist(),
                rows["decision_uuid"].filter(had).to_pylist(),
            )
