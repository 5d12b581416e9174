"""predictions.parquet of spans: one row an item, in file order, with what is true and what was found."""

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

from lifecycle.engine import metrics, spans
from lifecycle.engine.tagging import Found, Span

PLACE = [("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("spans", pa.list_(pa.struct(PLACE))),
        ("predicted", pa.list_(pa.struct([*PLACE, ("confidence", pa.float64())]))),
        ("loss", pa.float64()),
        ("tokens", pa.int32()),
        ("split", pa.string()),
    ]
)


@dataclass(frozen=True)
class SpanPredictions:
    """A model's spans in N texts. truth, found: of each text. loss, tokens: (N,), the tokens' losses added up in nats, and how many."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: tuple[tuple[Span, ...], ...]
    found: tuple[tuple[Found, ...], ...]
    loss: NDArray[np.float64]
    tokens: NDArray[np.float64]

    def scored(self, order: Sequence[int] = ()) -> spans.ScoredSpans:
        """Ready to be counted. order: which texts; all by default."""
        rows = list(order) or list(range(len(self.ids)))
        found, truth = [self.found[row] for row in rows], [self.truth[row] for row in rows]
        return spans.score_spans(found, truth, self.loss[rows], self.tokens[rows], len(self.labels))

    def under(self, labels: Sequence[str]) -> SpanPredictions:
        """The same with the labels, which are equal as a set, in another order."""
        number = [list(labels).index(label) for label in self.labels]
        truth = tuple(tuple((start, end, number[label]) for start, end, label in some) for some in self.truth)
        found = tuple(tuple(Found(each.start, each.end, number[each.label], each.confidence) for each in some) for some in self.found)
        return SpanPredictions(tuple(labels), self.ids, truth, found, self.loss, self.tokens)


def write(path: Path, given: SpanPredictions, split: str) -> None:
    """Write the rows; the labels' order is kept in the file's metadata."""
    names = given.labels
    columns: dict[str, Any] = {
        "id": list(given.ids),
        "spans": [[{"start": start, "end": end, "label": names[label]} for start, end, label in some] for some in given.truth],
        "predicted": [
            [{"start": each.start, "end": each.end, "label": names[each.label], "confidence": each.confidence} for each in some]
            for some in given.found
        ],
        "loss": given.loss,
        "tokens": given.tokens.astype(np.int32),
        "split": [split] * len(given.ids),
    }
    kept = {"task": "spans", "labels": json.dumps(names, ensure_ascii=False)}
    temporary = path.with_name(f".{path.name}")
    pq.write_table(pa.table(columns, schema=SCHEMA.with_metadata(kept)), temporary, compression="zstd")
    temporary.replace(path)


def read(path: Path) -> SpanPredictions:
    """Read the rows back."""
    table = pq.read_table(path)
    labels = tuple(json.loads(table.schema.metadata[b"labels"]))
    index = {label: number for number, label in enumerate(labels)}
    return SpanPredictions(
        labels=labels,
        ids=tuple(table["id"].to_pylist()),
        truth=tuple(tuple((each["start"], each["end"], index[each["label"]]) for each in some) for some in table["spans"].to_pylist()),
        found=tuple(
            tuple(Found(each["start"], each["end"], index[each["label"]], each["confidence"]) for each in some)
            for some in table["predicted"].to_pylist()
        ),
        loss=table["loss"].to_numpy(),
        tokens=table["tokens"].to_numpy().astype(np.float64),
    )


def compare(baseline: SpanPredictions, candidate: SpanPredictions, *, count: int = metrics.RESAMPLES, seed: int = 1) -> dict[str, Any]:
    """As predictions.compare, of spans: paired over the texts that both answered with the same truth.

    Raises ValueError when the labels differ or no text is shared.
    """
    if set(baseline.labels) != set(candidate.labels):
        differing = sorted(set(baseline.labels) ^ set(candidate.labels))
        raise ValueError(f"The two models know different labels, so they cannot be compared: {', '.join(differing[:5])}.")
    other = candidate.under(baseline.labels)
    theirs = {identity: row for row, identity in enumerate(other.ids)}
    pairs = [
        (row, theirs[identity])
        for row, identity in enumerate(baseline.ids)
        if identity in theirs and set(other.truth[theirs[identity]]) == set(baseline.truth[row])
    ]
    if not pairs:
        raise ValueError("The two evaluations share no item, so they cannot be compared. Evaluate both on the same snapshot and split.")
    before, after = baseline.scored([one for one, _ in pairs]), other.scored([two for _, two in pairs])
    found = metrics.paired_rows(before, after, spans.COMPARED, labels=baseline.labels, count=count, seed=seed)
    return {"rows": len(pairs), "left_out": len(set(baseline.ids) | set(other.ids)) - len(pairs), "metrics": found}
