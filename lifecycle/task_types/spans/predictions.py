"""predictions.parquet of spans: one row an item, in file order, with what is true, what was found, and how the two match.

matches: each true and each found span once, with its kind and its two classes, null where there is no span on that side; surest: the
highest confidence of a found span that is not right, 0 where there is none; wrong: matches that are not right. By these rows are chosen
without reading the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.statistics import metrics
from lifecycle.statistics.clustered import Ints
from lifecycle.statistics.operating import UNSCORED, Scores
from lifecycle.task_types.single_label.predictions import (
    CLUSTER,
    clusters_in,
    counted_clusters,
    kept_clusters,
    read_clusters,
    shared_clusters,
)
from lifecycle.task_types.spans import measures as spans
from lifecycle.task_types.spans.measures import Match
from lifecycle.task_types.spans.tagging import Found, Span

EXACT = "exact"
PLACE = [("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("spans", pa.list_(pa.struct(PLACE))),
        ("predicted", pa.list_(pa.struct([*PLACE, ("confidence", pa.float64())]))),
        ("loss", pa.float64()),
        ("tokens", pa.int32()),
        ("split", pa.string()),
        ("matches", pa.list_(pa.struct([("kind", pa.string()), ("true", pa.string()), ("found", pa.string())]))),
        ("surest", pa.float64()),
        ("wrong", pa.int32()),
        (CLUSTER, pa.int32()),
    ]
)


@dataclass(frozen=True)
class SpanPredictions:
    """A model's spans in N texts. truth, found: of each text. loss, tokens: (N,), the tokens' losses added up in nats, and how many.

    clusters: number of each text's cluster (N,); None where a file was written before that was kept."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: tuple[tuple[Span, ...], ...]
    found: tuple[tuple[Found, ...], ...]
    loss: NDArray[np.float64]
    tokens: NDArray[np.float64]
    clusters: Ints | None = None

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
        return replace(self, labels=tuple(labels), truth=truth, found=found)


def write(path: Path, given: SpanPredictions, split: str) -> None:
    """Write the rows; the labels' order is kept in the file's metadata."""
    names = given.labels
    every = [spans.matches(true, found) for true, found in zip(given.truth, given.found, strict=True)]
    mistakes = [[each for each in some if each.kind != EXACT] for some in every]
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
        "matches": [[_told(each, names) for each in some] for some in every],
        "surest": [max((each.found.confidence for each in some if each.found), default=0.0) for some in mistakes],
        "wrong": [len(some) for some in mistakes],
        CLUSTER: kept_clusters(given.clusters, len(given.ids)).astype(np.int32),
    }
    kept = {"task": "spans", "labels": json.dumps(names, ensure_ascii=False)}
    temporary = path.with_name(f".{path.name}")
    pq.write_table(pa.table(columns, schema=SCHEMA.with_metadata(kept)), temporary, compression="zstd")
    temporary.replace(path)


def _told(match: Match, names: Sequence[str]) -> dict[str, str | None]:
    true = names[match.true[2]] if match.true else None
    return {"kind": match.kind, "true": true, "found": names[match.found.label] if match.found else None}


def find(path: Path, *, kind: str = "", true: str | None = "", found: str | None = "") -> list[int]:
    """The numbers of the rows that hold a match of this kind, of this true and this found class ("": any, None: none); without any of them
    those with a mistake. Those with the surest mistake come first, of equals those with more, then by id."""
    table = pq.read_table(path, columns=["id", "matches", "surest", "wrong"])
    matches = table["matches"].combine_chunks()
    flat = matches.flatten()
    fits = pc.not_equal(flat.field("kind"), EXACT) if (kind, true, found) == ("", "", "") else pa.array(np.ones(len(flat), dtype=bool))
    for name, wanted in (("kind", kind), ("true", true), ("found", found)):
        if wanted != "":
            side = flat.field(name)
            fits = pc.and_(fits, pc.is_null(side) if wanted is None else pc.fill_null(pc.equal(side, wanted), False))
    rows = np.unique(pc.list_parent_indices(matches).filter(fits).to_numpy())
    some = table.take(rows)
    ids = np.array(some["id"].to_pylist(), dtype=object)
    order = np.lexsort((ids, -some["wrong"].to_numpy(), -some["surest"].to_numpy()))
    return [int(row) for row in rows[order]]


def read(path: Path, rows: Sequence[int] | None = None, *, only: Sequence[str] | None = None) -> SpanPredictions:
    """Read the rows back. rows: these alone, in this order. only: the ids of those that are wanted."""
    wanted = pc.field("id").isin(pa.array(only, pa.string())) if only is not None else None
    kept = [CLUSTER] if CLUSTER in pq.read_schema(path).names else []
    table = pq.read_table(path, columns=["id", "spans", "predicted", "loss", "tokens", *kept], filters=wanted)
    table = table if rows is None else table.take(pa.array(rows, type=pa.int64()))
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
        clusters=clusters_in(table),
    )


def read_scores(path: Path, label: str = "") -> Scores:
    """Each span that was found, with whether place and label are right, and behind them, UNSCORED, each true one that was not found. label:
    spans of it alone; any by default. The model itself keeps all that it finds. Spans of one text are of one cluster."""
    table = pq.read_table(path, columns=["spans", "predicted"])
    (true, _), (found, sure) = (_placed(table[name].combine_chunks(), label) for name in ("spans", "predicted"))
    there = set(true)
    right = np.fromiter((each in there for each in found), dtype=np.bool_, count=len(found))
    missed, clusters = there.difference(found), read_clusters(path)
    return Scores(
        np.concatenate([sure.field("confidence").to_numpy(), np.full(len(missed), UNSCORED)]),
        np.concatenate([right, np.ones(len(missed), dtype=np.bool_)]),
        np.repeat([True, False], [len(found), len(missed)]),
        None if clusters is None else clusters[np.array([row for row, *_ in (*found, *missed)], dtype=np.int64)],
    )


def _placed(column: pa.ListArray, label: str) -> tuple[list[tuple[int, int, int, str]], pa.StructArray]:
    """Row, start, end and label of each span of a column, and the spans themselves."""
    flat, rows = column.flatten(), pc.list_parent_indices(column)
    if label:
        kept = pc.equal(flat.field("label"), label)
        flat, rows = flat.filter(kept), rows.filter(kept)
    parts = (rows, flat.field("start"), flat.field("end"), flat.field("label"))
    return list(zip(*(each.to_pylist() for each in parts), strict=True)), flat


def compare(
    baseline: SpanPredictions, candidate: SpanPredictions, *, count: int = metrics.RESAMPLES, seed: int = 1,
    tell: metrics.Tell = metrics.quietly,
) -> dict[str, Any]:  # fmt: skip
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
    one, two = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    before, after, clusters = baseline.scored(one), other.scored(two), shared_clusters(baseline.clusters, other.clusters, one, two)
    alike = np.array_equal(before.tokens, after.tokens)  # else a loss for each of them says nothing of the two
    compared = spans.METRICS.compared if alike else tuple(name for name in spans.METRICS.compared if name != "log_loss")
    options: dict[str, Any] = {"count": count, "seed": seed, "clusters": clusters, "tell": tell, "swaps": metrics.SWAPS}
    found = metrics.paired_rows(before, after, compared, labels=baseline.labels, **options)
    left_out = len(set(baseline.ids) | set(other.ids)) - len(pairs)
    return {"rows": len(pairs), **counted_clusters(clusters), "left_out": left_out, "metrics": found}
