"""predictions.parquet of a model that orders responses: one row an item, in file order, with its ranks and strengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.statistics import metrics
from lifecycle.statistics.metrics import Floats, Ints
from lifecycle.task_types.ranking import measures as ranking
from lifecycle.task_types.ranking.measures import Ranked, ScoredRanks
from lifecycle.task_types.single_label.predictions import CLUSTER, clusters_in, counted_clusters, kept_clusters, shared_clusters

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("ranks", pa.list_(pa.int64())),
        ("lengths", pa.list_(pa.int64())),
        ("strengths", pa.list_(pa.float64())),
        ("split", pa.string()),
        (CLUSTER, pa.int32()),
    ]
)


@dataclass(frozen=True)
class RankedAnswers:
    """A model's strengths of responses that people put in order, of each row as many. lengths: characters of the responses, whose texts are
    not kept. clusters: number of each row's cluster (N,); None where a file was written before that was kept."""

    ids: tuple[str, ...]
    ranks: tuple[tuple[int, ...], ...]
    lengths: tuple[tuple[int, ...], ...]
    strengths: tuple[tuple[float, ...], ...]
    clusters: Ints | None = field(default=None, compare=False)

    @classmethod
    def of(cls, ids: Sequence[str], strengths: Floats, truth: Sequence[Ranked], clusters: Ints | None = None) -> RankedAnswers:
        """Of a model's strengths (N, M)."""
        known = tuple(tuple(row[: len(each.ranks)].tolist()) for row, each in zip(strengths, truth, strict=True))
        return cls(tuple(ids), tuple(each.ranks for each in truth), tuple(each.lengths for each in truth), known, clusters)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def truth(self) -> tuple[Ranked, ...]:
        """The rows as they are scored, without texts."""
        return tuple(map(Ranked, self.ranks, self.lengths))

    @property
    def matrix(self) -> Floats:
        """Strengths (N, M), NaN where a row has fewer."""
        return ranking.padded(self.strengths, np.nan)

    @property
    def scored(self) -> ScoredRanks:
        """Ready to be counted."""
        return ranking.score(self.matrix, self.truth)

    @property
    def surest_error(self) -> Floats:
        """How sure the model is of the worst pair that it has the wrong way round (N,), a half to 1; 0 where it has none."""
        pairs = ranking.pairs_of(self.matrix, self.truth)
        wrong = pairs.decided & (pairs.right < 1)
        found = np.zeros(len(self))
        np.maximum.at(found, pairs.rows[wrong], pairs.confidence[wrong])
        return found


def write(path: Path, answers: RankedAnswers, split: str) -> None:
    """Write the rows."""
    columns: dict[str, Any] = {
        "id": list(answers.ids), "ranks": list(answers.ranks), "lengths": list(answers.lengths), "strengths": list(answers.strengths),
        "split": [split] * len(answers), CLUSTER: kept_clusters(answers.clusters, len(answers)),
    }  # fmt: skip
    temporary = path.with_name(f".{path.name}")
    pq.write_table(pa.table(columns, schema=SCHEMA), temporary, compression="zstd")
    temporary.replace(path)


def read(path: Path) -> RankedAnswers:
    """Read the rows back."""
    table = pq.read_table(path)
    ranks, lengths, strengths = (tuple(map(tuple, table[name].to_pylist())) for name in ("ranks", "lengths", "strengths"))
    return RankedAnswers(tuple(table["id"].to_pylist()), ranks, lengths, strengths, clusters_in(table))


def shared(one: RankedAnswers, two: RankedAnswers) -> tuple[Ints, Ints]:
    """Rows of each that answer the same item with the same ranks, side by side."""
    theirs = {item: row for row, item in enumerate(two.ids)}
    pairs = [(row, theirs[item]) for row, item in enumerate(one.ids) if item in theirs and two.ranks[theirs[item]] == one.ranks[row]]
    first, second = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(first, dtype=np.int64), np.array(second, dtype=np.int64)


def some(answers: RankedAnswers, rows: Sequence[int] | Ints) -> RankedAnswers:
    """A few of the rows, in this order."""
    parts = {name: tuple(getattr(answers, name)[row] for row in rows) for name in ("ids", "ranks", "lengths", "strengths")}
    clusters = None if answers.clusters is None else answers.clusters[np.asarray(rows, dtype=np.int64)]
    return RankedAnswers(**parts, clusters=clusters)


def compare(one: RankedAnswers, two: RankedAnswers, *, count: int = metrics.RESAMPLES, seed: int = 1) -> dict[str, Any]:
    """ranking.paired over the items that both ordered with the same truth, and how many those are.

    Returns rows (compared), clusters (of these), left_out (items of only one side, or whose truth differs), and `metrics`. Raises
    ValueError when no item is shared.
    """
    first, second = shared(one, two)
    if not len(first):
        raise ValueError("The two evaluations share no item, so they cannot be compared. Evaluate both on the same snapshot and split.")
    left_out = len(set(one.ids) | set(two.ids)) - len(first)
    clusters = shared_clusters(one.clusters, two.clusters, first, second)
    options: dict[str, Any] = {"count": count, "seed": seed, "clusters": clusters, "swaps": metrics.SWAPS}
    found = ranking.paired(some(one, first).scored, some(two, second).scored, **options)
    return {"rows": len(first), **counted_clusters(clusters), "left_out": left_out, "metrics": found}
