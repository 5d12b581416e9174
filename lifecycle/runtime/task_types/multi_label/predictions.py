"""predictions.parquet of multi-label classification."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.runtime.statistics.groups import Quotient
from lifecycle.runtime.statistics.operating.curves import Scores
from lifecycle.runtime.task_types.grouped import Classes, Grouped, share
from lifecycle.runtime.task_types.multi_label.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.multi_label.measures import Bools, SetPredictions
from lifecycle.runtime.task_types.predictions import (
    CLUSTER,
    PredictionsFile,
    clusters_in,
    labels_in,
    probabilities,
    read_clusters,
    read_table,
)


@dataclass(frozen=True)
class Sets:
    """The file without probabilities, in file order. truth, decided: (N, C); loss: (N,)."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: Bools
    decided: Bools
    loss: NDArray[np.float64]


class SetsFile(PredictionsFile[SetPredictions]):
    """True and predicted labels by name, with the probability of each label. loss: mean over labels of the
    negative log-probability of their true value.
    """

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("labels", pa.list_(pa.string())),
            ("predicted", pa.list_(pa.string())),
            ("probabilities", pa.list_(pa.float64())),
            ("loss", pa.float64()),
            ("split", pa.string()),
            (CLUSTER, pa.int32()),
        ]
    )

    def columns(self, rows: SetPredictions) -> dict[str, Any]:
        """Sets by name, probabilities, losses."""
        scored = MEASURES.score(rows)
        named = (
            [[rows.labels[at] for at in np.flatnonzero(row)] for row in sets]
            for sets in (scored.truth, scored.decided)
        )
        return dict(zip(("labels", "predicted"), named, strict=True)) | {
            "probabilities": list(rows.probabilities),
            "loss": scored.loss,
        }

    def kept(self, rows: SetPredictions) -> dict[str, str]:
        """Labels in order, and their thresholds."""
        return {
            "labels": json.dumps(rows.labels, ensure_ascii=False),
            "thresholds": json.dumps(rows.thresholds),
        }

    def read(
        self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None
    ) -> SetPredictions:
        """With all probabilities."""
        table = read_table(path, ["id", "labels", "probabilities"], rows, only)
        labels = labels_in(table.schema)
        flat = table["probabilities"].combine_chunks().flatten().to_numpy()
        return SetPredictions(
            labels=labels,
            ids=tuple(table["id"].to_pylist()),
            truth=_held(table["labels"].combine_chunks(), labels),
            probabilities=flat.reshape(table.num_rows, len(labels)),
            thresholds=tuple(json.loads(table.schema.metadata[b"thresholds"])),
            clusters=clusters_in(table),
        )

    def scores(self, path: Path, label: str = "") -> Scores:
        """The rows for one label. Probabilities of other labels are read in batches and not kept."""
        number = labels_in(pq.read_schema(path)).index(label)
        table = pq.read_table(path, columns=["labels", "predicted"])
        positive, called = (_held(column.combine_chunks(), (label,))[:, 0] for column in table.columns)
        found = [each[:, number].copy() for each in probabilities(path)]
        return Scores(np.concatenate(found) if found else np.empty(0), positive, called, read_clusters(path))

    def measured(self, path: Path) -> Grouped:
        """Rows with all labels correct, and micro-F1; the highest losses weigh most."""
        found = read_sets(path)
        hits, held, given = (
            each.sum(axis=1).astype(np.float64)
            for each in (found.truth & found.decided, found.truth, found.decided)
        )
        right = (found.truth == found.decided).all(axis=1)
        measures = share("subset_accuracy", right), Quotient("micro_f1", 2 * hits, held + given)
        return Grouped(
            found.ids, measures, ~right, found.loss, Classes(found.labels, found.truth, found.decided)
        )


ENTRY = SetsFile("multi_label")


def _held(column: pa.ListArray, labels: Sequence[str]) -> Bools:
    """Which of these labels each row of a column has (N, C)."""
    found = np.zeros((len(column), len(labels)), dtype=np.bool_)
    numbers = pc.index_in(column.flatten(), value_set=pa.array(labels, pa.string()))
    some = pc.is_valid(numbers)
    found[pc.list_parent_indices(column).filter(some).to_numpy(), numbers.filter(some).to_numpy()] = True
    return found


def read_sets(path: Path) -> Sets:
    """Read the predictions without probabilities, which are most of the file if there are many labels."""
    table = pq.read_table(path, columns=["id", "labels", "predicted", "loss"])
    labels = labels_in(table.schema)
    truth, decided = (_held(table[name].combine_chunks(), labels) for name in ("labels", "predicted"))
    return Sets(labels, tuple(table["id"].to_pylist()), truth, decided, table["loss"].to_numpy())


def read_sureness(path: Path, sets: Sets) -> NDArray[np.float64]:
    """The confidence of each row's most confident wrong label decision, or of its least confident one if all
    are correct (N,). sets: of the same file.
    """
    parts, start = [], 0
    for some in probabilities(path):
        rows = slice(start, start := start + len(some))
        parts.append(sureness(some, sets.truth[rows], sets.decided[rows]))
    return np.concatenate(parts) if parts else np.empty(0)


def sureness(values: NDArray[np.float64], truth: Bools, decided: Bools) -> NDArray[np.float64]:
    """The same for arrays (N, C)."""
    wrong, sure = truth != decided, np.where(decided, values, 1 - values)
    found: NDArray[np.float64] = np.where(
        wrong.any(axis=1), np.where(wrong, sure, 0.0).max(axis=1), sure.min(axis=1)
    )
    return found
