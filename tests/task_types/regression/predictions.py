"""predictions.parquet of regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from lifecycle.runtime.task_types.grouped import Grouped, mean
from lifecycle.runtime.task_types.predictions import CLUSTER, PredictionsFile, clusters_in, known, read_table
from tests.task_types.regression.measures import Numbers, ScoredNumbers, nearness


class NumberFile(PredictionsFile[Numbers]):
    """The annotated and the predicted number."""

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("number", pa.float64()),
            ("predicted", pa.float64()),
            ("split", pa.string()),
            (CLUSTER, pa.int32()),
        ]
    )

    def columns(self, rows: Numbers) -> Mapping[str, Any]:
        """Both numbers."""
        return {"number": rows.truth, "predicted": rows.predicted}

    def read(
        self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None
    ) -> Numbers:
        """All columns."""
        table = read_table(path, ["id", "number", "predicted"], rows, only)
        truth, predicted = (table[name].to_numpy() for name in ("number", "predicted"))
        return Numbers(tuple(table["id"].to_pylist()), truth, predicted, clusters_in(table))

    def losses(self, path: Path) -> dict[str, float]:
        """The squared distance."""
        found = self.read(path)
        return known(found.ids, ScoredNumbers(found.truth, found.predicted).loss)

    def measured(self, path: Path) -> Grouped:
        """Nearness as a share of the range."""
        found = self.read(path)
        near = nearness(found.truth, found.predicted)
        return Grouped(found.ids, (mean("nearness", near),), None, 1 - near)


ENTRY = NumberFile("regression")
