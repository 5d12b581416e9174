"""predictions.parquet of a model that generates text: its response to each row, with counts.

References and contexts stay in the dataset. `target` is a digest of both, so that two evaluations can tell
whether their rows match.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.runtime.task_types.generation.measures import ScoredTexts, TextAnswers, of_answers
from lifecycle.runtime.task_types.grouped import Grouped, mean, share
from lifecycle.runtime.task_types.predictions import CLUSTER, PredictionsFile, clusters_in, known, read_table

NESTED = ("bleu", "chrf")
COMPUTED = ("repeated", "refused")  # from the responses, when they are read
FLAT = tuple(each.name for each in fields(ScoredTexts) if each.name not in (*NESTED, *COMPUTED))
# metric → its column
MEASURED = {"rouge_l": "rouge_l", "token_f1": "f1", "exact_match": "exact", "groundedness": "grounded"}
TEXTS = ("id", "target", "answer", "base_answer", "cut")
COPIED = ("copied_words", "copied_row", "copied_text")


class TextsFile(PredictionsFile[TextAnswers]):
    """Responses are texts that some people may not read."""

    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("id", "target", "answer", "base_answer")),
            *(("copied_words", pa.int64()), ("copied_row", pa.int64()), ("copied_text", pa.string())),
            *(("split", pa.string()), (CLUSTER, pa.int32()), ("cut", pa.bool_())),
            *((name, pa.float64()) for name in FLAT),
            *((name, pa.list_(pa.float64())) for name in NESTED),
        ]
    )

    def columns(self, rows: TextAnswers) -> dict[str, Any]:
        """Responses, copies, and counts."""
        count = len(rows)
        return {
            "target": list(rows.targets),
            "answer": list(rows.answers),
            "base_answer": list(rows.base_answers or [None] * count),
            "cut": list(rows.cut),
            **dict(
                zip(
                    COPIED,
                    map(list, zip(*((each.words, each.row, each.text) for each in rows.copied), strict=True)),
                    strict=True,
                )
            ),
            **{name: getattr(rows.scored, name) for name in FLAT},
            **{name: list(getattr(rows.scored, name)) for name in NESTED},
        }

    def read(
        self, path: Path, rows: Sequence[int] | None = None, only: Sequence[str] | None = None
    ) -> TextAnswers:
        """All columns."""
        table = read_table(path, [*TEXTS, *COPIED, *FLAT, *NESTED], rows, only)
        column = {name: tuple(table[name].to_pylist()) for name in (*TEXTS, *COPIED, *NESTED)}
        numbers = {name: table[name].to_numpy().astype(np.float64) for name in FLAT}
        numbers |= {name: np.array(column[name], dtype=np.float64) for name in NESTED}
        runs = zip(*(column[name] for name in COPIED), strict=True)
        return TextAnswers(
            column["id"],
            column["target"],
            column["answer"],
            ScoredTexts(**numbers, **of_answers(column["answer"])),
            tuple(verbatim.Run(*each) for each in runs),
            column["cut"],
            _whole(column["base_answer"]),
            clusters_in(table),
        )

    def losses(self, path: Path) -> dict[str, float]:
        """Mean over the reference's tokens given all previous ones; in a chat, over its last response."""
        table = pq.read_table(path, columns=["id", "nats", "tokens"])
        return known(
            table["id"].to_pylist(), metrics.mean_loss(table["nats"].to_numpy(), table["tokens"].to_numpy())
        )

    def measured(self, path: Path) -> Grouped:
        """Averages of the values that exist."""
        table = pq.read_table(path, columns=["id", *MEASURED.values()])
        values = {name: table[column].to_numpy().astype(np.float64) for name, column in MEASURED.items()}
        known = {name: each for name, each in values.items() if not np.isnan(each).all()}
        measures = tuple(
            share(name, each > 0) if name == "exact_match" else mean(name, each)
            for name, each in known.items()
        )
        return Grouped(tuple(table["id"].to_pylist()), measures, None, np.zeros(table.num_rows))


ENTRY = TextsFile("generation")


def _whole(column: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """A column; None for missing values."""
    return None if any(each is None for each in column) else column


def target_of(reference: str, context: str) -> str:
    """The digest of a reference with its context."""
    return hashlib.sha256(f"{reference}\0{context}".encode()).hexdigest()


def cut_report(own: list[bool], base: list[bool] | None) -> dict[str, Any]:
    """rows: responses truncated at the maximum length, and their share; base_rows: of the base, None if not
    generated.
    """
    return {"rows": sum(own), "share": sum(own) / len(own), "base_rows": None if base is None else sum(base)}
