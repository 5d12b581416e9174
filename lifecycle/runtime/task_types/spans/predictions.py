"""predictions.parquet of spans: one row per item, in file order, with true and predicted spans and their
matches.

matches: each true and predicted span once, with its kind and both labels, null if there is no span on that
side; surest: the highest confidence of a wrong predicted span, 0 if none; wrong: number of incorrect matches.
Filters read only these columns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.groups import Quotient, added
from lifecycle.runtime.statistics.operating.curves import UNSCORED, Scores
from lifecycle.runtime.task_types.grouped import Grouped, share
from lifecycle.runtime.task_types.predictions import (
    CLUSTER,
    PredictionsFile,
    clusters_in,
    known,
    labels_in,
    read_clusters,
    read_table,
)
from lifecycle.runtime.task_types.spans.measures import Match, SpanPredictions, matches
from lifecycle.runtime.task_types.spans.tagging import Found

EXACT = "exact"
PLACE = [("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]


class SpansFile(PredictionsFile[SpanPredictions]):
    """Spans by place and label, and their matches."""

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("spans", pa.list_(pa.struct(PLACE))),
            ("predicted", pa.list_(pa.struct([*PLACE, ("confidence", pa.float64())]))),
            ("loss", pa.float64()),
            ("tokens", pa.int32()),
            ("split", pa.string()),
            (
                "matches",
                pa.list_(pa.struct([("kind", pa.string()), ("true", pa.string()), ("found", pa.string())])),
            ),
            ("surest", pa.float64()),
            ("wrong", pa.int32()),
            (CLUSTER, pa.int32()),
        ]
    )

    def columns(self, rows: SpanPredictions) -> dict[str, Any]:
        """True and predicted spans, losses, and matches."""
        names = rows.labels
        every = [matches(true, found) for true, found in zip(rows.truth, rows.found, strict=True)]
        mistakes = [[each for each in some if each.kind != EXACT] for some in every]
        return {
            "spans": [
                [{"start": start, "end": end, "label": names[label]} for start, end, label in some]
                for some in rows.truth
            ],
            "predicted": [
                [
                    {
                        "start": each.start,
                        "end": each.end,
                        "label": names[each.label],
                        "confidence": each.confidence,
                    }
                    for each in some
                ]
                for some in rows.found
            ],
            "loss": rows.loss,
            "tokens": rows.tokens.astype(np.int32),
            "matches": [[_match_names(each, names) for each in some] for some in every],
            "surest": [
                max((each.found.confidence for each in some if each.found), default=0.0) for some in mistakes
            ],
            "wrong": [len(some) for some in mistakes],
        }

    def kept(self, rows: SpanPredictions) -> dict[str, str]:
        """The labels in their order."""
        return {"labels": json.dumps(rows.labels, ensure_ascii=False)}

    def read(
        self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None
    ) -> SpanPredictions:
        """Without the matches."""
        table = read_table(path, ["id", "spans", "predicted", "loss", "tokens"], rows, only)
        labels = labels_in(table.schema)
        index = {label: number for number, label in enumerate(labels)}
        return SpanPredictions(
            labels=labels,
            ids=tuple(table["id"].to_pylist()),
            truth=tuple(
                tuple((each["start"], each["end"], index[each["label"]]) for each in some)
                for some in table["spans"].to_pylist()
            ),
            found=tuple(
                tuple(
                    Found(each["start"], each["end"], index[each["label"]], each["confidence"])
                    for each in some
                )
                for some in table["predicted"].to_pylist()
            ),
            loss=table["loss"].to_numpy(),
            tokens=table["tokens"].to_numpy().astype(np.float64),
            clusters=clusters_in(table),
        )

    def find(self, path: Path, *, kind: str = "", true: str | None = "", found: str | None = "") -> list[int]:
        """The numbers of rows with a match of this kind, true label, and predicted label ("": any, None: no
        span); without any filter, rows with errors. Most confident errors first, then by number of errors,
        then by id.
        """
        table = pq.read_table(path, columns=["id", "matches", "surest", "wrong"])
        every = table["matches"].combine_chunks()
        flat = every.flatten()
        fits = (
            pc.not_equal(flat.field("kind"), EXACT)
            if (kind, true, found) == ("", "", "")
            else pa.array(np.ones(len(flat), dtype=bool))
        )
        for name, wanted in (("kind", kind), ("true", true), ("found", found)):
            if wanted != "":
                side = flat.field(name)
                fits = pc.and_(
                    fits, pc.is_null(side) if wanted is None else pc.fill_null(pc.equal(side, wanted), False)
                )
        rows = np.unique(pc.list_parent_indices(every).filter(fits).to_numpy())
        some = table.take(rows)
        ids = np.array(some["id"].to_pylist(), dtype=object)
        order = np.lexsort((ids, -some["wrong"].to_numpy(), -some["surest"].to_numpy()))
        return [int(row) for row in rows[order]]

    def scores(self, path: Path, label: str = "") -> Scores:
        """Each predicted span, with whether place and label are correct, followed by each missed true span as
        UNSCORED. label: only its spans; any by default. The model itself keeps all predicted spans. Spans of
        one text form a cluster.
        """
        table = pq.read_table(path, columns=["spans", "predicted"])
        (true, _), (found, sure) = (
            _placed(table[name].combine_chunks(), label) for name in ("spans", "predicted")
        )
        there = set(true)
        right = np.fromiter((each in there for each in found), dtype=np.bool_, count=len(found))
        missed, clusters = there.difference(found), read_clusters(path)
        return Scores(
            np.concatenate([sure.field("confidence").to_numpy(), np.full(len(missed), UNSCORED)]),
            np.concatenate([right, np.ones(len(missed), dtype=np.bool_)]),
            np.repeat([True, False], [len(found), len(missed)]),
            (
                None
                if clusters is None
                else clusters[np.array([row for row, *_ in (*found, *missed)], dtype=np.int64)]
            ),
        )

    def losses(self, path: Path) -> dict[str, float]:
        """Mean over the tags of the text's words or their pieces."""
        table = pq.read_table(path, columns=["id", "loss", "tokens"])
        return known(
            table["id"].to_pylist(), metrics.mean_loss(table["loss"].to_numpy(), table["tokens"].to_numpy())
        )

    def measured(self, path: Path) -> Grouped:
        """Micro-F1 over spans, and texts with every span correct; the most confident errors weigh most."""
        table = pq.read_table(path, columns=["id", "matches", "surest", "wrong"])
        every, rows = table["matches"].combine_chunks(), table.num_rows
        flat, parents = every.flatten(), pc.list_parent_indices(every).to_numpy()
        sides = (
            pc.equal(flat.field("kind"), EXACT),
            pc.is_valid(flat.field("true")),
            pc.is_valid(flat.field("found")),
        )
        hits, held, called = (added(each.to_numpy(zero_copy_only=False), parents, rows) for each in sides)
        wrong = table["wrong"].to_numpy() > 0
        measures = Quotient("micro_f1", 2 * hits, held + called), share("exact_texts", ~wrong)
        return Grouped(tuple(table["id"].to_pylist()), measures, wrong, table["surest"].to_numpy())


ENTRY = SpansFile("spans")


def _match_names(match: Match, names: Sequence[str]) -> dict[str, str | None]:
    true = names[match.true[2]] if match.true else None
    return {"kind": match.kind, "true": true, "found": names[match.found.label] if match.found else None}


def _placed(column: pa.ListArray, label: str) -> tuple[list[tuple[int, int, int, str]], pa.StructArray]:
    """Row, start, end, and label of each span of a column, and the spans themselves."""
    flat, rows = column.flatten(), pc.list_parent_indices(column)
    if label:
        kept = pc.equal(flat.field("label"), label)
        flat, rows = flat.filter(kept), rows.filter(kept)
    parts = (rows, flat.field("start"), flat.field("end"), flat.field("label"))
    return list(zip(*(each.to_pylist() for each in parts), strict=True)), flat
