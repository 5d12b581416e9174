"""Evaluation rows of single-label classification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.rules import Answer, Change, Turned
from lifecycle.modeling.evaluation.task_types.rows import ReportRows, Slip, turned_by_label
from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.runtime.task_types.single_label.predictions import Answers, read_answers

LEAST_PROBABILITY = 1e-15  # lower bound of probabilities, so that losses are finite


class LabelRows(ReportRows[Predictions, Answer]):
    """Pages don't read the probabilities."""

    @contextmanager
    def opened(self, evaluation: Evaluation) -> Iterator[Answers]:
        """Predictions by column."""
        with queries.file_of_rows(evaluation) as path:
            yield read_answers(path)

    def find(self, opened: Answers, cell: Mapping[str, str]) -> list[int]:
        """Rows of one cell of the confusion matrix, most confident first, then by item. true, predicted:
        labels; empty for any.
        """
        true, predicted = cell.get("true", ""), cell.get("predicted", "")
        inside = (
            opened.truth != opened.predicted
            if not true and not predicted
            else np.ones(len(opened.ids), dtype=bool)
        )
        for name, numbers in ((true, opened.truth), (predicted, opened.predicted)):
            if name:
                inside &= numbers == (opened.labels.index(name) if name in opened.labels else -1)
        rows = np.flatnonzero(inside)
        order = np.lexsort((np.array([opened.ids[row] for row in rows]), -opened.confidence[rows]))
        return [int(row) for row in rows[order]]

    def at(self, opened: Answers, rows: Sequence[int]) -> list[Answer]:
        """Predictions of these rows."""
        name = opened.labels
        return [
            Answer(
                opened.ids[row],
                (name[opened.truth[row]],),
                (name[opened.predicted[row]],),
                float(opened.confidence[row]),
                float(opened.loss[row]),
            )
            for row in rows
        ]

    def slips(self, row: Answer) -> Iterator[Slip]:
        """The wrong label."""
        yield Slip("class", row.true[0], row.predicted[0])

    def answers(self, rows: Predictions) -> list[Answer]:
        """Labels by name."""
        name, best, confidence = rows.labels, rows.predicted, rows.confidence
        loss = -np.log(
            np.maximum(rows.probabilities[np.arange(len(rows.ids)), rows.truth], LEAST_PROBABILITY)
        )
        return [
            Answer(item, (name[rows.truth[at]],), (name[best[at]],), float(confidence[at]), float(loss[at]))
            for at, item in enumerate(rows.ids)
        ]

    def turned(self, one: Predictions, two: Predictions, changed: Sequence[Change]) -> dict[str, Turned]:
        """Grouped by label."""
        return turned_by_label(changed)


ENTRY = LabelRows("single_label")
