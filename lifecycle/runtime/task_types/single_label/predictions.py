"""predictions.parquet of single-label classification."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.runtime.statistics.deciding import Cut
from lifecycle.runtime.statistics.groups import MacroF1
from lifecycle.runtime.statistics.metrics import Ints
from lifecycle.runtime.statistics.operating.curves import Scores
from lifecycle.runtime.task_types.grouped import Classes, Grouped, share
from lifecycle.runtime.task_types.predictions import (
    CLUSTER,
    PredictionsFile,
    clusters_in,
    labels_in,
    probabilities,
    read_clusters,
    read_table,
)
from lifecycle.runtime.task_types.single_label.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.single_label.measures import Predictions


@dataclass(frozen=True)
class Answers:
    """The file without probabilities, in file order. truth, predicted: label numbers; all arrays (N,)."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: Ints
    predicted: Ints
    confidence: NDArray[np.float64]
    loss: NDArray[np.float64]


class LabelFile(PredictionsFile[Predictions]):
    """True and predicted label by name, with the probability of each label in order. loss: negative
    log-probability of the true one.
    """

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("label", pa.string()),
            ("predicted", pa.string()),
            ("confidence", pa.float64()),
            ("probabilities", pa.list_(pa.float64())),
            ("loss", pa.float64()),
            ("split", pa.string()),
            (CLUSTER, pa.int32()),
        ]
    )

    def columns(self, rows: Predictions) -> dict[str, Any]:
        """Labels by name, probabilities, losses."""
        scored = MEASURES.score(rows)
        return {
            "label": [rows.labels[each] for each in rows.truth],
            "predicted": [rows.labels[each] for each in scored.predicted],
            "confidence": scored.confidence,
            "probabilities": list(rows.probabilities),
            "loss": scored.loss,
        }

    def kept(self, rows: Predictions) -> dict[str, str]:
        """Labels in order, and the one with a threshold."""
        cut = {"cut": json.dumps(asdict(rows.cut))} if rows.cut else {}
        return {"labels": json.dumps(rows.labels, ensure_ascii=False), **cut}

    def read(
        self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None
    ) -> Predictions:
        """With all probabilities."""
        table = read_table(path, ["id", "label", "probabilities"], rows, only)
        labels, cut = labels_in(table.schema), table.schema.metadata.get(b"cut")
        flat = table["probabilities"].combine_chunks().flatten().to_numpy()
        return Predictions(
            labels=labels,
            ids=tuple(table["id"].to_pylist()),
            truth=_numbers(table["label"], labels),
            probabilities=flat.reshape(table.num_rows, len(labels)),
            cut=Cut(**json.loads(cut)) if cut is not None else None,
            clusters=clusters_in(table),
        )

    def scores(self, path: Path, label: str = "") -> Scores:
        """The rows for one label; if empty, by confidence: whether the prediction is correct. Probabilities
        of other labels are read in batches and not kept.
        """
        if not label:
            answers = read_answers(path)
            right = answers.truth == answers.predicted
            return Scores(answers.confidence, right, np.ones(len(right), dtype=np.bool_), read_clusters(path))
        number = labels_in(pq.read_schema(path)).index(label)
        table = pq.read_table(path, columns=["label", "predicted"])
        positive, called = (
            np.asarray(pc.equal(column.combine_chunks(), label), dtype=np.bool_) for column in table.columns
        )
        found = [each[:, number].copy() for each in probabilities(path)]
        return Scores(np.concatenate(found) if found else np.empty(0), positive, called, read_clusters(path))

    def measured(self, path: Path) -> Grouped:
        """Accuracy and macro-F1; the most confident errors weigh most."""
        found = read_answers(path)
        right = found.truth == found.predicted
        measures = share("accuracy", right), MacroF1(found.truth, found.predicted, len(found.labels))
        return Grouped(
            found.ids, measures, ~right, found.confidence, Classes(found.labels, found.truth, found.predicted)
        )


ENTRY = LabelFile("single_label")


def _numbers(column: pa.ChunkedArray, labels: Sequence[str]) -> Ints:
    """The labels of a column by number (N,)."""
    found: Ints = pc.index_in(column, value_set=pa.array(labels, pa.string())).to_numpy().astype(np.int64)
    return found


def read_answers(path: Path) -> Answers:
    """Read the predictions without probabilities, which are most of the file if there are many labels."""
    table = pq.read_table(path, columns=["id", "label", "predicted", "confidence", "loss"])
    labels = labels_in(table.schema)
    truth, predicted = (_numbers(table[name], labels) for name in ("label", "predicted"))
    return Answers(
        labels,
        tuple(table["id"].to_pylist()),
        truth,
        predicted,
        table["confidence"].to_numpy(),
        table["loss"].to_numpy(),
    )
