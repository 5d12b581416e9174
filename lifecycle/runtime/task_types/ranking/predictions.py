"""predictions.parquet of a ranking model: ranks, lengths, and scores of each row's responses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from lifecycle.runtime.statistics.groups import Quotient
from lifecycle.runtime.task_types.grouped import Grouped, mean
from lifecycle.runtime.task_types.predictions import CLUSTER, PredictionsFile, clusters_in, known, read_table
from lifecycle.runtime.task_types.ranking.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.ranking.measures import RankedAnswers

LISTS = ("ranks", "lengths", "strengths")


class RankingFile(PredictionsFile[RankedAnswers]):
    """Reads all rows, which are few and short."""

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("ranks", pa.list_(pa.int64())),
            ("lengths", pa.list_(pa.int64())),
            ("strengths", pa.list_(pa.float64())),
            ("split", pa.string()),
            (CLUSTER, pa.int32()),
        ]
    )

    def columns(self, rows: RankedAnswers) -> dict[str, Any]:
        """The lists of each row."""
        return {name: list(getattr(rows, name)) for name in LISTS}

    def read(
        self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None
    ) -> RankedAnswers:
        """All columns."""
        table = read_table(path, ["id", *LISTS], rows, only)
        ranks, lengths, strengths = (tuple(map(tuple, table[name].to_pylist())) for name in LISTS)
        return RankedAnswers(tuple(table["id"].to_pylist()), ranks, lengths, strengths, clusters_in(table))

    def losses(self, path: Path) -> dict[str, float]:
        """Mean over the row's pairs."""
        found = self.read(path)
        return known(found.ids, MEASURES.losses(found))

    def measured(self, path: Path) -> Grouped:
        """Correctly ordered pairs, and rows whose best response is correct; the most confident errors weigh
        most.
        """
        found = self.read(path)
        scored = found.scored
        measures = Quotient("pair_accuracy", scored.right, scored.decided), mean("best_first", scored.best)
        return Grouped(found.ids, measures, scored.right < scored.decided, found.surest_error)


ENTRY = RankingFile("ranking")
