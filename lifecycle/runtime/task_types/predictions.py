"""predictions.parquet: one row per item, in file order, with truth and prediction; the source of every later
analysis. Its metadata names the task.
"""

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
from lifecycle.runtime.statistics.operating.curves import Scores
from lifecycle.runtime.task_types.grouped import Grouped
from lifecycle.runtime.task_types.measures import P

CLUSTER = "cluster"
ROWS_AT_ONCE = 8_192  # batch size when few probabilities are kept


@dataclass(frozen=True)
class PredictionsFile(ABC, Generic[P]):
    """The file of one task. task: its key. schema: its columns; id, split, and cluster are written for every
    task.
    """

    task: str
    schema: ClassVar[pa.Schema]

    @abstractmethod
    def columns(self, rows: P) -> Mapping[str, Any]:
        """The task's own columns."""

    def kept(self, rows: P) -> Mapping[str, str]:
        """The metadata besides the task."""
        return {}

    @abstractmethod
    def read(self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None) -> P:
        """The predictions. rows: only these, in this order; only: only these ids. All by default."""

    def scores(self, path: Path, label: str = "") -> Scores | None:
        """The data for choosing a label's threshold, or that of confidence if empty; None if there is nothing
        to choose.
        """
        return None

    def losses(self, path: Path) -> dict[str, float]:
        """The loss of each row in nats, by id, without rows that have none. By default a column of the
        file.
        """
        table = pq.read_table(path, columns=["id", "loss"])
        return known(table["id"].to_pylist(), table["loss"].to_numpy())

    @abstractmethod
    def measured(self, path: Path) -> Grouped:
        """The data for group metrics, with rows as independent clusters. Reads no additional column."""

    def grouped(self, path: Path) -> Grouped:
        """The data for group metrics, with the rows' clusters."""
        found, clusters = self.measured(path), read_clusters(path)
        if int(clusters.max()) + 1 == len(clusters):
            return found
        measures: Any = found.measures
        return replace(
            found, measures=tuple(replace(each, clusters=clusters) for each in measures), clusters=clusters
        )

    def write(self, path: Path, rows: P, split: str) -> None:
        """Write the rows of a split."""
        count = len(rows.ids)
        # each row is its own cluster if unknown
        clusters = np.arange(count) if rows.clusters is None else rows.clusters
        columns = {
            "id": list(rows.ids),
            "split": [split] * count,
            CLUSTER: clusters.astype(np.int32),
            **self.columns(rows),
        }
        schema = self.schema.with_metadata({"task": self.task, **self.kept(rows)})
        temporary = path.with_name(f".{path.name}")
        pq.write_table(
            pa.table({name: columns[name] for name in schema.names}, schema=schema),
            temporary,
            compression="zstd",
        )
        temporary.replace(path)


def read_table(
    path: Path, columns: Sequence[str], rows: Sequence[int] | None, only: Sequence[str] | None
) -> pa.Table:
    """These columns and clusters, for these rows; as in `PredictionsFile.read`."""
    wanted = None if only is None else pc.field("id").isin(pa.array(only, pa.string()))
    table = pq.read_table(path, columns=[*columns, CLUSTER], filters=wanted)
    return table if rows is None else table.take(pa.array(rows, type=pa.int64()))


def labels_in(schema: pa.Schema) -> tuple[str, ...]:
    """The labels of a file by number."""
    return tuple(json.loads(schema.metadata[b"labels"]))


def clusters_in(table: pa.Table) -> Ints:
    """Number of each row's cluster (N,)."""
    found: Ints = table[CLUSTER].to_numpy().astype(np.int64)
    return found


def read_clusters(path: Path) -> Ints:
    """Cluster numbers of a file of any task."""
    return clusters_in(pq.read_table(path, columns=[CLUSTER]))


def known(ids: Sequence[str], losses: NDArray[Any]) -> dict[str, float]:
    """The rows with a loss, by id, in order."""
    return {item: float(loss) for item, loss in zip(ids, losses, strict=True) if np.isfinite(loss)}


def probabilities(path: Path) -> Iterator[NDArray[np.float64]]:
    """Concatenated rows of batches (n, C)."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["probabilities"]):
            yield batch.column(0).flatten().to_numpy().reshape(batch.num_rows, -1)
