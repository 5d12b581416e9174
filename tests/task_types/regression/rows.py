"""Evaluation rows of regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.modeling.evaluation.rules import Answer, Change
from lifecycle.modeling.evaluation.task_types.rows import ReportRows, chance
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.ui.numbers import count
from tests.task_types.regression.answers import in_words
from tests.task_types.regression.measures import Numbers

SORTS = {
    "far": "Largest distance first",
    "high": "Most overestimated first",
    "low": "Most underestimated first",
}


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One item. item: digest. true: annotated number; predicted: the model's."""

    item: str
    true: float
    predicted: float

    @property
    def apart(self) -> float:
        """Predicted minus annotated number."""
        return self.predicted - self.true


class NumberRows(ReportRows[Numbers, NumberRow]):
    """Numbers are close or far, not right or wrong."""

    kinds = ("worse", "better", "same")
    does = "predicts a number"
    measures = "numbers"
    ungrouped = "has no right or wrong rows, so there are no errors to cluster"
    instead = "Sort the rows by distance and read the furthest ones."

    def find(self, opened: Numbers, cell: Mapping[str, str]) -> list[int]:
        """All rows by distance, largest first; with `sort` high or low, the most over- or underestimated
        first.
        """
        apart = opened.predicted - opened.truth
        by = {"high": -apart, "low": apart}.get(cell.get("sort", ""), -np.abs(apart))
        return [int(row) for row in np.lexsort((np.array(opened.ids), by))]

    def at(self, opened: Numbers, rows: Sequence[int]) -> list[NumberRow]:
        """Both numbers."""
        return [
            NumberRow(opened.ids[row], float(opened.truth[row]), float(opened.predicted[row])) for row in rows
        ]

    def answers(self, rows: Numbers) -> list[Answer]:
        """Numbers as text. confidence, loss: 0."""
        sides = zip(rows.ids, rows.truth, rows.predicted, strict=True)
        return [
            Answer(item, (f"{true:g}",), (in_words(predicted),), 0.0, 0.0) for item, true, predicted in sides
        ]

    def changes(self, one: Numbers, two: Numbers) -> list[Change]:
        """Items by whether the second model's number is closer than the first's, as displayed; largest change
        first.
        """
        measures = measures_of(self.task)
        first, second = measures.shared(one, two)
        found = []
        for mine, other in zip(self.at(one, first), self.at(two, second), strict=True):
            before, after = (in_words(each.predicted) for each in (mine, other))
            nearer = round(abs(float(before) - mine.true) - abs(float(after) - mine.true), 6)
            kind = "better" if nearer > 0 else "worse" if nearer < 0 else "same"
            found.append((Change(mine.item, (f"{mine.true:g}",), (before,), (after,), kind), abs(nearer)))
        return [
            each
            for each, _ in sorted(
                found, key=lambda pair: (self.kinds.index(pair[0].kind), -pair[1], pair[0].item)
            )
        ]

    def moved(self, counts: Mapping[str, Any], second: str) -> str:
        """How many predictions are closer to the annotated numbers."""
        better, worse, same = (count(counts[name]) for name in ("better", "worse", "same"))
        test = f"; sign test {chance(counts['p'])}" if counts["better"] + counts["worse"] else ""
        return (
            f"{better} predictions are closer to the annotated numbers, {worse} further away, {same} equally"
            f" close{test}."
        )


ENTRY = NumberRows("regression")
