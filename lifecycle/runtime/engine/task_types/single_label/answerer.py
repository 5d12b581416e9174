"""One label a text, as a graph gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.occlusion import explain
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.task_types.answerer import ChangedRow, Sides
from lifecycle.runtime.engine.task_types.graphs import GraphAnswerer, read_end, tempered
from lifecycle.runtime.engine.task_types.single_label.learner import ENTRY as LEARNER
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.metrics import Floats, Scored
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.single_label.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.single_label.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.single_label.measures import Predictions


class LabelAnswerer(GraphAnswerer[Predictions]):
    """An answer is a row of probabilities (C,)."""

    learner, decoding, measures = LEARNER, DECODING, MEASURES
    probed = ("accuracy", "macro_f1")

    def explain(self, opened: Predictor, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        """occlusion.Explanation of the label that is answered, by its name."""
        found = explain(tempered(opened), text, end=read_end(opened, text), cut=opened.info.cut)
        return asdict(found) | {"answer": opened.info.labels[found.answer]}

    def answer(self, opened: Predictor, rows: Rows) -> list[Floats]:
        """Calibrated probabilities."""
        return list(opened.probabilities(rows.texts))

    def score(self, info: ArtifactInfo, rows: Rows, answers: Sequence[Floats]) -> Scored:
        """By the label that is answered."""
        return metrics.score_rows(
            np.stack(answers), LEARNER.truth(rows.targets, len(info.labels)), cut=info.cut
        )

    def compare(
        self,
        info: ArtifactInfo,
        rows: Rows,
        clean: Sequence[Floats],
        disturbed: Rows,
        answers: Sequence[Floats],
    ) -> Sides:
        """A row's own score is 1 where its label is right."""
        before, after = self.score(info, rows, clean), self.score(info, rows, answers)
        changed = before.predicted != after.predicted
        changes = [
            ChangedRow(
                info.labels[before.truth[at]],
                info.labels[before.predicted[at]],
                float(before.confidence[at]),
                info.labels[after.predicted[at]],
                float(after.confidence[at]),
            )
            for at in np.flatnonzero(changed).tolist()
        ]
        return Sides(before, after, np.stack([before.exact, after.exact]), changed, changes)


ENTRY = LabelAnswerer()
