"""losses.parquet: the loss of each row under an artifact, in nats. The same is read of the rows that an evaluation answered. No torch.

One class           minus the log of the probability of the true class
Several classes     mean over the classes, of minus the log of the probability of what is true of each
Marked parts        mean over the words of the text, or their pieces, of their tags
Responses in order  mean over the pairs of the row
Written texts       mean over the tokens of the true answer given all before it; of a dialogue, of its last one

A row has no loss where there is nothing to take a mean of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.statistics import metrics
from lifecycle.task_types.ranking import predictions as ranked_predictions

Floats = NDArray[np.float64]


def write(path: Path, ids: Sequence[str], losses: Floats) -> None:
    """Write the losses (N,) of the rows, NaN where a row has none."""
    pq.write_table(pa.table({"id": list(ids), "loss": losses}), path, compression="zstd")


def read(path: Path) -> dict[str, float]:
    """Of one class a text, or of several; and of what `write` wrote."""
    table = pq.read_table(path, columns=["id", "loss"])
    return known(table["id"].to_pylist(), table["loss"].to_numpy())


def of_tokens(nats: str) -> Callable[[Path], dict[str, float]]:
    """Of marked parts and written texts. nats: the column of what the tokens of a row lose together."""

    def losses(path: Path) -> dict[str, float]:
        table = pq.read_table(path, columns=["id", nats, "tokens"])
        return known(table["id"].to_pylist(), metrics.mean_loss(table[nats].to_numpy(), table["tokens"].to_numpy()))

    return losses


def of_orders(path: Path) -> dict[str, float]:
    """Of responses in order."""
    found = ranked_predictions.read(path)
    scored = found.scored
    return known(found.ids, metrics.mean_loss(scored.loss, scored.pairs))


def known(ids: Sequence[str], losses: NDArray[Any]) -> dict[str, float]:
    """The rows that have a loss, by id, in their order."""
    return {item: float(loss) for item, loss in zip(ids, losses, strict=True) if np.isfinite(loss)}


KEPT: Mapping[str, Callable[[Path], dict[str, float]]] = {  # of predictions.parquet, by task
    "single_label": read, "multi_label": read, "spans": of_tokens("loss"), "preference": of_orders, "ranking": of_orders,
    "free_text": of_tokens("nats"),
}  # fmt: skip
