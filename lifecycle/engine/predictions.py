"""predictions.parquet: one row an item, in file order, with its probabilities in label order. The truth behind every later question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.engine import metrics

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("confidence", pa.float64()),
        ("probabilities", pa.list_(pa.float64())),
        ("loss", pa.float64()),
        ("split", pa.string()),
    ]
)


@dataclass(frozen=True)
class Predictions:
    """A model's answers on labelled rows. truth: label numbers (N,); probabilities: (N, C) in order of labels."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def write(path: Path, predictions: Predictions, split: str) -> None:
    """Write the rows; the labels' order is kept in the file's metadata."""
    scored = metrics.score_rows(predictions.probabilities, predictions.truth)
    table = pa.table(
        {
            "id": list(predictions.ids),
            "label": [predictions.labels[each] for each in predictions.truth],
            "predicted": [predictions.labels[each] for each in scored.predicted],
            "confidence": scored.confidence,
            "probabilities": list(predictions.probabilities),
            "loss": scored.loss,
            "split": [split] * len(predictions.ids),
        },
        schema=SCHEMA.with_metadata({"labels": json.dumps(predictions.labels, ensure_ascii=False)}),
    )
    temporary = path.with_name(f".{path.name}")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def read(path: Path) -> Predictions:
    """Read the rows back."""
    table = pq.read_table(path)
    labels = tuple(json.loads(table.schema.metadata[b"labels"]))
    index = {label: number for number, label in enumerate(labels)}
    flat = table["probabilities"].combine_chunks().flatten().to_numpy()
    return Predictions(
        labels=labels,
        ids=tuple(table["id"].to_pylist()),
        truth=np.array([index[label] for label in table["label"].to_pylist()], dtype=np.int64),
        probabilities=flat.reshape(table.num_rows, len(labels)),
    )


def compare(
    baseline: Predictions, candidate: Predictions, *, count: int = metrics.RESAMPLES, seed: int = 1, bins: int = 15
) -> dict[str, Any]:
    """metrics.paired over the items that both answered with the same true label, and how many those are.

    Returns rows (compared), left_out (items of only one side, or whose true label differs), and `metrics`. The labels must be the same
    set; their order may differ. Raises ValueError when they differ or no item is shared.
    """
    if set(baseline.labels) != set(candidate.labels):
        differing = sorted(set(baseline.labels) ^ set(candidate.labels))
        raise ValueError(f"The two models know different labels, so they cannot be compared: {', '.join(differing[:5])}.")
    reorder = [candidate.labels.index(label) for label in baseline.labels]
    theirs = {identity: row for row, identity in enumerate(candidate.ids)}
    pairs = [
        (row, theirs[identity])
        for row, identity in enumerate(baseline.ids)
        if identity in theirs and candidate.labels[candidate.truth[theirs[identity]]] == baseline.labels[baseline.truth[row]]
    ]
    if not pairs:
        raise ValueError("The two evaluations share no item, so they cannot be compared. Evaluate both on the same snapshot and split.")
    one, two = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = metrics.paired(
        baseline.truth[one],
        baseline.probabilities[one],
        candidate.probabilities[two][:, reorder],
        count=count,
        seed=seed,
        bins=bins,
        labels=baseline.labels,
    )
    return {"rows": len(pairs), "left_out": len(set(baseline.ids) | set(candidate.ids)) - len(pairs), "metrics": found}


def nearest(embeddings: NDArray[Any], query: Sequence[float], count: int = 10) -> list[tuple[int, float]]:
    """The rows of embeddings (N, H) nearest to the query by cosine: (row, similarity), best first."""
    vectors = np.asarray(embeddings, dtype=np.float64)
    wanted = np.asarray(query, dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(wanted)
    similarity = vectors @ wanted / np.maximum(norms, 1e-12)
    order = np.argsort(-similarity, kind="stable")[:count]
    return [(int(row), float(similarity[row])) for row in order]
