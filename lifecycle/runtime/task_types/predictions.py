"""predictions.parquet: one row an item, in file order, with what is true of it and what a model answers. The truth behind every later
question. Its metadata names the task, where the file isn't from before that was kept."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.runtime.statistics.clustered import Ints
from lifecycle.runtime.statistics.operating import Scores
from lifecycle.runtime.task_types.grouped import Grouped
from lifecycle.runtime.task_types.measures import P

CLUSTER = "cluster"
ROWS_AT_ONCE = 8_192  # whose probabilities are held at a time, where few of them are kept


@dataclass(frozen=True)
class PredictionsFile(ABC, Generic[P]):
    """The file of one task. task: its key. schema: its columns, of which id, split and cluster are written for every task."""

    task: str
    schema: ClassVar[pa.Schema]

    @abstractmethod
    def columns(self, rows: P) -> Mapping[str, Any]:
        """The columns that are the task's own."""

    def kept(self, rows: P) -> Mapping[str, str]:
        """What the metadata holds beside the task."""
        return {}

    @abstractmethod
    def read(self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None) -> P:
        """The predictions. rows: these alone, in this order; only: those of these ids. All by default."""

    def scores(self, path: Path, label: str = "") -> Scores | None:
        """What a threshold of a label is chosen by, or where it is empty of confidence; None where there is nothing to choose."""
        return None

    def losses(self, path: Path) -> dict[str, float]:
        """What each row loses under the model, in nats, by id; rows that have no loss are left out. By default a column of the file."""
        table = pq.read_table(path, columns=["id", "loss"])
        return known(table["id"].to_pylist(), table["loss"].to_numpy())

    @abstractmethod
    def measured(self, path: Path) -> Grouped:
        """What groups of the rows are measured by, each a cluster of its own. Reads no column more."""

    def grouped(self, path: Path) -> Grouped:
        """The same, with the clusters that the rows come in."""
        found, clusters = self.measured(path), read_clusters(path)
        if clusters is None or int(clusters.max()) + 1 == len(clusters):
            return found
        measures: Any = found.measures
        return replace(found, measures=tuple(replace(each, clusters=clusters) for each in measures), clusters=clusters)

    def write(self, path: Path, rows: P, split: str) -> None:
        """Write the rows of a split."""
        count = len(rows.ids)
        clusters = np.arange(count) if rows.clusters is None else rows.clusters  # each row one of its own where none are known
        columns = {"id": list(rows.ids), "split": [split] * count, CLUSTER: clusters.astype(np.int32), **self.columns(rows)}
        schema = self.schema.with_metadata({"task": self.task, **self.kept(rows)})
        temporary = path.with_name(f".{path.name}")
        pq.write_table(pa.table({name: columns[name] for name in schema.names}, schema=schema), temporary, compression="zstd")
        temporary.replace(path)


def read_table(path: Path, columns: Sequence[str], rows: Sequence[int] | None, only: Sequence[str] | None) -> pa.Table:
    """These columns, and the clusters where the file has them, of these rows; as of `PredictionsFile.read`."""
    wanted = None if only is None else pc.field("id").isin(pa.array(only, pa.string()))
    known = [CLUSTER] if CLUSTER in pq.read_schema(path).names else []
    table = pq.read_table(path, columns=[*columns, *known], filters=wanted)
    return table if rows is None else table.take(pa.array(rows, type=pa.int64()))


def labels_in(schema: pa.Schema) -> tuple[str, ...]:
    """The labels of a file in the order of their numbers."""
    return tuple(json.loads(schema.metadata[b"labels"]))


def clusters_in(table: pa.Table) -> Ints | None:
    """Number of each row's cluster (N,); None where the file has no such column."""
    return table[CLUSTER].to_numpy().astype(np.int64) if CLUSTER in table.column_names else None


def read_clusters(path: Path) -> Ints | None:
    """The same of a file of any task."""
    return clusters_in(pq.read_table(path, columns=[CLUSTER])) if CLUSTER in pq.read_schema(path).names else None


def known(ids: Sequence[str], losses: NDArray[Any]) -> dict[str, float]:
    """The rows that have a loss, by id, in their order."""
    return {item: float(loss) for item, loss in zip(ids, losses, strict=True) if np.isfinite(loss)}


def probabilities(path: Path) -> Iterator[NDArray[np.float64]]:
    """Those of some rows after others (n, C)."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["probabilities"]):
            yield batch.column(0).flatten().to_numpy().reshape(batch.num_rows, -1)
