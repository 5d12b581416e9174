"""Any number of labels a text, as a graph gives them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.occlusion import explain_each
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.task_types.answerer import ChangedRow, Sides
from lifecycle.runtime.engine.task_types.graphs import GraphAnswerer, read_end, tempered
from lifecycle.runtime.engine.task_types.multi_label.learner import ENTRY as LEARNER
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.multi_label.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.multi_label.decoding import thresholds_of
from lifecycle.runtime.task_types.multi_label.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.multi_label.measures import ScoredSets, SetPredictions, score_sets
from lifecycle.runtime.task_types.rows import Rows


class SetAnswerer(GraphAnswerer[SetPredictions]):
    """An answer is a row of probabilities (C,), of which those count that reach their thresholds."""

    learner, decoding, measures = LEARNER, DECODING, MEASURES
    probed = ("micro_f1", "subset_accuracy")

    def explain(self, opened: Predictor, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        """classes: occlusion.Explanation of each label that is given, and of others that are likely, by
        name.
        """
        every = explain_each(tempered(opened), text, thresholds_of(opened.info), end=read_end(opened, text))
        return {"classes": [asdict(each) | {"answer": opened.info.labels[each.answer]} for each in every]}

    def answer(self, opened: Predictor, rows: Rows) -> list[Floats]:
        """Calibrated probabilities."""
        return list(opened.probabilities(rows.texts))

    def score(self, info: ArtifactInfo, rows: Rows, answers: Sequence[Floats]) -> ScoredSets:
        """By the labels that reach their thresholds."""
        return score_sets(
            np.stack(answers), LEARNER.truth(rows.targets, len(info.labels)), thresholds_of(info)
        )

    def compare(
        self,
        info: ArtifactInfo,
        rows: Rows,
        clean: Sequence[Floats],
        disturbed: Rows,
        answers: Sequence[Floats],
    ) -> Sides:
        """A row's own score is the F1 of its set of labels, 1 where none is true and none given. Confidence
        is the highest of the decisions that changed.
        """
        before, after = self.score(info, rows, clean), self.score(info, rows, answers)
        differs = before.decided != after.decided
        changed = differs.any(axis=1)
        sure = [
            _surest(np.stack(given), each.decided, differs)
            for given, each in ((clean, before), (answers, after))
        ]

        def names(held: Any) -> str:
            return json.dumps([info.labels[at] for at in np.flatnonzero(held)], ensure_ascii=False)

        changes = [
            ChangedRow(
                names(before.truth[at]),
                names(before.decided[at]),
                float(sure[0][at]),
                names(after.decided[at]),
                float(sure[1][at]),
            )
            for at in np.flatnonzero(changed).tolist()
        ]
        return Sides(before, after, np.stack([set_f1(each) for each in (before, after)]), changed, changes)


def set_f1(rows: ScoredSets) -> Floats:
    """F1 of each row's own set (N,), 1 where both sets are empty."""
    every = (rows.truth.sum(axis=1) + rows.decided.sum(axis=1)).astype(np.float64)
    return np.where(every == 0, 1.0, metrics.ratio(2.0 * (rows.truth & rows.decided).sum(axis=1), every))


def _surest(probabilities: Floats, decided: Any, differs: Any) -> Floats:
    """The highest probability of a decision among those that differ (N,); 0 where none does."""
    certain: Floats = np.where(differs, np.where(decided, probabilities, 1 - probabilities), 0.0).max(axis=1)
    return certain


ENTRY = SetAnswerer()
