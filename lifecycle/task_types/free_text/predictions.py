"""answers.parquet of a model that writes texts: one row an item, with its answer and what was counted of it.

The reference and the context are not in it: they are the dataset's. `target` is a digest of both, by which rows of two evaluations are
known to ask for the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.statistics import metrics
from lifecycle.statistics.clustered import Ints
from lifecycle.task_types.free_text import measures as text_scores
from lifecycle.task_types.free_text import verbatim
from lifecycle.task_types.free_text.measures import ScoredTexts
from lifecycle.task_types.single_label.predictions import CLUSTER, clusters_in, counted_clusters, kept_clusters, shared_clusters

FLAT = tuple(each.name for each in fields(ScoredTexts) if each.name not in ("bleu", "chrf"))


@dataclass(frozen=True)
class TextAnswers:
    """A model's answers. base_answers: of the model before it was tuned; None where that was not asked. copied: the longest run of words
    that an answer shares with a training completion. cut: whether an answer reached its longest length without an end; clusters: number of
    each row's cluster (N,); both None where a file was written before that was kept."""

    ids: tuple[str, ...]
    targets: tuple[str, ...]
    answers: tuple[str, ...]
    scored: ScoredTexts
    copied: tuple[verbatim.Run, ...]
    base_answers: tuple[str, ...] | None = None
    cut: tuple[bool, ...] | None = None
    clusters: Ints | None = None

    def __len__(self) -> int:
        return len(self.ids)


def target_of(reference: str, context: str) -> str:
    """The digest of what an answer is measured against."""
    return hashlib.sha256(f"{reference}\0{context}".encode()).hexdigest()


def write(path: Path, found: TextAnswers, split: str) -> None:
    """Write the rows."""
    count = len(found)
    columns: dict[str, Any] = {
        "id": list(found.ids),
        "target": list(found.targets),
        "answer": list(found.answers),
        "base_answer": list(found.base_answers or [None] * count),
        "copied_words": [each.words for each in found.copied],
        "copied_row": [each.row for each in found.copied],
        "copied_text": [each.text for each in found.copied],
        "split": [split] * count,
        CLUSTER: kept_clusters(found.clusters, count).astype(np.int32),
    }
    columns |= {"cut": list(found.cut)} if found.cut is not None else {}
    columns |= {name: getattr(found.scored, name) for name in FLAT}
    columns |= {name: list(getattr(found.scored, name)) for name in ("bleu", "chrf")}
    table = pa.table(columns).cast(
        pa.schema([(name, pa.string()) if name == "base_answer" else (name, kind) for name, kind in _types(columns)])
    )
    temporary = path.with_name(f".{path.name}")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def _types(columns: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, pa.table({name: values}).schema.field(0).type) for name, values in columns.items()]


def read(path: Path) -> TextAnswers:
    """Read what `write` wrote."""
    table = pq.read_table(path)
    column = {
        name: table[name].to_pylist() for name in ("id", "target", "answer", "base_answer", "copied_words", "copied_row", "copied_text")
    }
    numbers = {name: table[name].to_numpy().astype(np.float64) for name in FLAT}
    numbers |= {name: np.array(table[name].to_pylist(), dtype=np.float64) for name in ("bleu", "chrf")}
    runs = zip(column["copied_words"], column["copied_row"], column["copied_text"], strict=True)
    base = column["base_answer"]
    return TextAnswers(
        tuple(column["id"]),
        tuple(column["target"]),
        tuple(column["answer"]),
        ScoredTexts(**numbers),
        tuple(verbatim.Run(*each) for each in runs),
        None if any(each is None for each in base) else tuple(base),
        tuple(table["cut"].to_pylist()) if "cut" in table.column_names else None,
        clusters_in(table),
    )


def chosen(scored: ScoredTexts, rows: Sequence[int]) -> ScoredTexts:
    """Some of the rows, in this order."""
    return ScoredTexts(**{each.name: getattr(scored, each.name)[list(rows)] for each in fields(ScoredTexts)})


def compare(one: TextAnswers, two: TextAnswers, *, count: int = metrics.RESAMPLES, seed: int = 1) -> dict[str, Any]:
    """text_scores.paired over the rows that both answered and that ask for the same: {"rows", "clusters", "left_out", "metrics"}.

    Raises ValueError where no row is shared.
    """
    theirs = {identity: row for row, identity in enumerate(two.ids)}
    pairs = [
        (row, theirs[identity])
        for row, identity in enumerate(one.ids)
        if identity in theirs and two.targets[theirs[identity]] == one.targets[row]
    ]
    if not pairs:
        raise ValueError("The two evaluations share no item, so they cannot be compared. Evaluate both on the same snapshot and split.")
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    clusters = shared_clusters(one.clusters, two.clusters, first, second)
    options: dict[str, Any] = {"count": count, "seed": seed, "clusters": clusters, "swaps": metrics.SWAPS}
    found = text_scores.paired(chosen(one.scored, first), chosen(two.scored, second), **options)
    left_out = len(set(one.ids) | set(two.ids)) - len(pairs)
    return {"rows": len(pairs), **counted_clusters(clusters), "left_out": left_out, "metrics": found}


def cut_report(own: list[bool], base: list[bool] | None) -> dict[str, Any]:
    """rows: answers that were cut at the longest length, and their share; base_rows: of the base as it was, None where it was not asked."""
    return {"rows": sum(own), "share": sum(own) / len(own), "base_rows": None if base is None else sum(base)}
