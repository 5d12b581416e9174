"""Rows of responses in order."""

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
from lifecycle.modeling.evaluation.task_types.rows import GONE, ReportRows, refuse_wordless, unanswered
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.ranking.measures import RankedAnswers, in_order

WRONG, CLOSE = "wrong", "close"


@dataclass(frozen=True, slots=True)
class RankedRow:
    """One item's responses. item: its digest. ranks: by people, equal ones alike; strengths: by the model. surest: how sure the model is of
    its surest mistake, a half to 1; 0 where it makes none."""

    item: str
    ranks: tuple[int, ...]
    strengths: tuple[float, ...]
    surest: float


class RankedRows(ReportRows[RankedAnswers, RankedRow]):
    """All rows are read: they are few and short."""

    does = "puts responses in order"
    measures = "orders"
    ungrouped = "gives no vector of a text by itself, so its errors cannot be put into groups"
    instead = "Read the rows with a mistake, the surest first."

    def find(self, opened: RankedAnswers, cell: Mapping[str, str]) -> list[int]:
        """Rows with a pair the wrong way round, the surest of these mistakes first; with `sort` close all, of which the model is least sure
        first."""
        if cell.get("sort") == CLOSE:
            top = np.sort(np.nan_to_num(opened.matrix, nan=-np.inf), axis=1)
            return [int(row) for row in np.argsort(top[:, -1] - top[:, -2], kind="stable")]
        surest = opened.surest_error
        rows = np.flatnonzero(surest > 0)
        return [int(row) for row in rows[np.argsort(-surest[rows], kind="stable")]]

    def at(self, opened: RankedAnswers, rows: Sequence[int]) -> list[RankedRow]:
        """Both orders."""
        surest = opened.surest_error
        return [RankedRow(opened.ids[row], opened.ranks[row], opened.strengths[row], float(surest[row])) for row in rows]

    def answers(self, rows: RankedAnswers) -> list[Answer]:
        """Orders in words, responses by their numbers from 1. confidence: of the surest mistake; loss: 0."""
        sides = zip(rows.ids, rows.ranks, rows.strengths, rows.surest_error, strict=True)
        return [Answer(item, (in_order(ranks),), (by_model(strengths),), float(sure), 0.0) for item, ranks, strengths, sure in sides]

    def right(self, rows: RankedAnswers, answers: Sequence[Answer]) -> Iterable[bool]:
        """Whether every pair is the right way round; rows whose responses people find equal are."""
        return (rows.scored.right == rows.scored.decided).tolist()

    def explain_row(self, evaluation: Evaluation, item: str) -> dict[str, Any]:
        """The prompt and the responses."""
        if self.one(evaluation, item) is None:
            raise unanswered()
        row = snapshots.learned_rows_of(evaluation.snapshot, [item]).get(item)
        if row is None:
            raise Refused(GONE)
        refuse_wordless([row["text"], *row["responses"]])
        return row

    def explain(self, artifact: Path, row: Mapping[str, Any]) -> dict[str, Any]:
        """Response by response."""
        return {"responses": warm.explain_responses(artifact, row["text"], row["responses"])}


def by_model(strengths: Sequence[float]) -> str:
    """A model's order in words, as `in_order` has that of people."""
    return in_order([sorted(set(strengths), reverse=True).index(each) for each in strengths])


ENTRY = RankedRows("ranking")
