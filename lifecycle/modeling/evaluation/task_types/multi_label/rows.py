"""Evaluation rows of multi-label classification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.ground.remembered import cache
from lifecycle.modeling.evaluation import queries
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.rules import Answer, Change, Turned
from lifecycle.modeling.evaluation.task_types.rows import ReportRows, Slip, turned_by_label
from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions
from lifecycle.runtime.task_types.multi_label.predictions import Sets, read_sets, read_sureness, sureness

KEPT_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Sureness:
    """Confidence of predictions. confidence: as in `Answer` (N,); order: rows by confidence, highest first,
    then by item (N,).
    """

    confidence: NDArray[np.float64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, ids: Sequence[str], confidence: NDArray[np.float64]) -> Sureness:
        """The same in sorted order."""
        return cls(confidence, np.lexsort((np.array(ids), -confidence)))


@dataclass(frozen=True, slots=True)
class Opened:
    """Label sets by column, with their confidence."""

    sets: Sets
    sure: Sureness


class SetRows(ReportRows[SetPredictions, Answer]):
    """The confidence of a row is that of its most confident wrong label decision, or of its least confident
    one if all are correct.
    """

    @contextmanager
    def opened(self, evaluation: Evaluation) -> Iterator[Opened]:
        """Confidence, which needs all probabilities, is cached for an hour."""
        key = f"evaluation:sureness:2:{evaluation.predictions_id}"
        sure: Sureness | None = cache.get(key)
        with queries.file_of_rows(evaluation) as path:
            sets = read_sets(path)
            if sure is None:
                sure = Sureness.of(sets.ids, read_sureness(path, sets))
                cache.set(key, sure, KEPT_SECONDS)
        yield Opened(sets, sure)

    def ids(self, opened: Opened) -> Sequence[str]:
        """The label sets."""
        return opened.sets.ids

    def find(self, opened: Opened, cell: Mapping[str, str]) -> list[int]:
        """Rows of one cell. true and predicted: rows that miss the first label and wrongly get the second;
        with `wrong` and only one of them, rows that miss it or wrongly get it.
        """
        found, order, true, predicted = (
            opened.sets,
            opened.sure.order,
            cell.get("true", ""),
            cell.get("predicted", ""),
        )
        if not true and not predicted:
            inside = (found.truth != found.decided).any(axis=1)
        else:
            strict = bool(cell.get("wrong")) or (bool(true) and bool(predicted) and true != predicted)
            inside = np.ones(len(found.ids), dtype=np.bool_)
            for name, has, has_not in (
                (true, found.truth, found.decided),
                (predicted, found.decided, found.truth),
            ):
                if name:
                    at = [number for number, label in enumerate(found.labels) if label == name]
                    inside &= (has[:, at] & ~(has_not[:, at] & strict)).any(axis=1)
        return [int(row) for row in order[inside[order]]]

    def at(self, opened: Opened, rows: Sequence[int]) -> list[Answer]:
        """Predictions of these rows."""
        sets, sure = opened.sets, opened.sure.confidence
        return [
            Answer(
                sets.ids[row],
                named(sets.labels, sets.truth[row]),
                named(sets.labels, sets.decided[row]),
                float(sure[row]),
                float(sets.loss[row]),
            )
            for row in rows
        ]

    def slips(self, row: Answer) -> Iterator[Slip]:
        """Each missed and each extra label."""
        yield from (Slip("missed", label, "") for label in row.true if label not in row.predicted)
        yield from (Slip("invented", "", label) for label in row.predicted if label not in row.true)

    def answers(self, rows: SetPredictions) -> list[Answer]:
        """Label names, in order."""
        confidence = sureness(rows.probabilities, rows.truth, rows.decided)
        loss, decided = calibration.decision_loss_rows(rows.probabilities, rows.truth), rows.decided
        return [
            Answer(
                item,
                named(rows.labels, rows.truth[at]),
                named(rows.labels, decided[at]),
                float(confidence[at]),
                float(loss[at]),
            )
            for at, item in enumerate(rows.ids)
        ]

    def turned(
        self, one: SetPredictions, two: SetPredictions, changed: Sequence[Change]
    ) -> dict[str, Turned]:
        """Grouped by label."""
        return turned_by_label(changed)


def named(labels: tuple[str, ...], held: NDArray[np.bool_]) -> tuple[str, ...]:
    """Names of the selected labels (C,), alphabetically."""
    return tuple(sorted(labels[at] for at in np.flatnonzero(held)))


ENTRY = SetRows("multi_label")
