"""Evaluation rows of rankings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets_app.snapshots import queries as snapshots
from lifecycle.ground.compute import warm
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.rules import Answer
from lifecycle.modeling.evaluation.task_types.rows import ERASED, ReportRows, refuse_wordless, unanswered
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.ranking.measures import RankedAnswers, in_order

WRONG, CLOSE = "wrong", "close"


@dataclass(frozen=True, slots=True)
class RankedRow:
    """One item's responses. item: digest. ranks: by annotators, ties equal; strengths: scores of the model.
    surest: confidence of the most confident misranked pair, 0.5 to 1; 0 if all pairs are correct.
    """

    item: str
    ranks: tuple[int, ...]
    strengths: tuple[float, ...]
    surest: float


class RankedRows(ReportRows[RankedAnswers, RankedRow]):
    """Reads all rows, which are few and short."""

    does = "ranks responses"
    measures = "orders"
    ungrouped = "has no embedding per text, so its errors can't be clustered"
    instead = "See the rows with errors, most confident first."

    def find(self, opened: RankedAnswers, cell: Mapping[str, str]) -> list[int]:
        """Rows with a misranked pair, most confident first; with `sort` close, all rows, smallest margin
        first.
        """
        if cell.get("sort") == CLOSE:
            top = np.sort(np.nan_to_num(opened.matrix, nan=-np.inf), axis=1)
            return [int(row) for row in np.argsort(top[:, -1] - top[:, -2], kind="stable")]
        surest = opened.surest_error
        rows = np.flatnonzero(surest > 0)
        return [int(row) for row in rows[np.argsort(-surest[rows], kind="stable")]]

    def at(self, opened: RankedAnswers, rows: Sequence[int]) -> list[RankedRow]:
        """The annotated and the predicted order."""
        surest = opened.surest_error
        return [
            RankedRow(opened.ids[row], opened.ranks[row], opened.strengths[row], float(surest[row]))
            for row in rows
        ]

    def answers(self, rows: RankedAnswers) -> list[Answer]:
        """Rankings as text, responses numbered from 1. confidence: of the most confident error; loss: 0."""
        sides = zip(rows.ids, rows.ranks, rows.strengths, rows.surest_error, strict=True)
        return [
            Answer(item, (in_order(ranks),), (by_model(strengths),), float(sure), 0.0)
            for item, ranks, strengths, sure in sides
        ]

    def right(self, rows: RankedAnswers, answers: Sequence[Answer]) -> Iterable[bool]:
        """Whether every pair is ordered correctly; true for rows that annotators rate as ties."""
        return (rows.scored.right == rows.scored.decided).tolist()

    def explain_row(self, evaluation: Evaluation, item: str) -> dict[str, Any]:
        """The prompt and the responses."""
        if self.one(evaluation, item) is None:
            raise unanswered()
        row = snapshots.learned_rows_of(evaluation.snapshot, [item]).get(item)
        if row is None:
            raise Refused(ERASED)
        refuse_wordless([row["text"], *row["responses"]])
        return row

    def explain(self, artifact: Path, row: Mapping[str, Any]) -> dict[str, Any]:
        """An explanation for each response."""
        return {"responses": warm.explain_responses(artifact, row["text"], row["responses"])}


def by_model(strengths: Sequence[float]) -> str:
    """A model's ranking as text, in the format of `in_order`."""
    return in_order([sorted(set(strengths), reverse=True).index(each) for each in strengths])


ENTRY = RankedRows("ranking")
