"""losses.parquet: the loss of each row under an artifact, in nats. The task's file of predictions gives those
of the rows of an evaluation, by the same rule. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.predictions import known


def write(path: Path, ids: Sequence[str], losses: Floats) -> None:
    """Write the losses (N,) of the rows, NaN where a row has none."""
    pq.write_table(pa.table({"id": list(ids), "loss": losses}), path, compression="zstd")


def read(path: Path) -> dict[str, float]:
    """What `write` wrote, of the rows that have a loss, by id."""
    table = pq.read_table(path, columns=["id", "loss"])
    return known(table["id"].to_pylist(), table["loss"].to_numpy())
