"""Predictions of a number per text from an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.occlusion import MOST_WORDS, explanation, left_out, spans
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.task_types.answerer import ChangedRow, Sides
from lifecycle.runtime.engine.task_types.graphs import GraphAnswerer, read_end
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.rows import Rows
from tests.task_types.regression.answers import in_words
from tests.task_types.regression.decoding import ENTRY as DECODING
from tests.task_types.regression.learner import ENTRY as LEARNER
from tests.task_types.regression.measures import ENTRY as MEASURES
from tests.task_types.regression.measures import Numbers, ScoredNumbers, nearness


class NumberAnswerer(GraphAnswerer[Numbers]):
    """Predicts one number per text."""

    learner, decoding, measures = LEARNER, DECODING, MEASURES
    probed = ("mse", "mae")
    has_int8 = False

    def explain(self, opened: Predictor, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        """occlusion.Explanation of the number: the effect is its decrease without a word, instead of
        log-odds.
        """
        found, end = spans(text), read_end(opened, text)
        taken = [each for each in found if each[0] < end][:MOST_WORDS]
        numbers = DECODING.decode(opened.answer(left_out(text, taken)).logits)
        return asdict(explanation(0, numbers, taken, len(found))) | {"answer": in_words(numbers[0])}

    def answer(self, opened: Predictor, rows: Rows) -> list[float]:
        """The predicted numbers."""
        return [float(each) for each in self.decoded(opened, rows)]

    def score(self, info: ArtifactInfo, rows: Rows, answers: Sequence[float]) -> ScoredNumbers:
        """Score by distance."""
        return ScoredNumbers(LEARNER.truth(rows.targets, 0), np.array(answers))

    def compare(
        self,
        info: ArtifactInfo,
        rows: Rows,
        clean: Sequence[float],
        disturbed: Rows,
        answers: Sequence[float],
    ) -> Sides:
        """A row's score is its nearness. A prediction counts as changed if it differs when rounded to a
        tenth.
        """
        before, after = self.score(info, rows, clean), self.score(info, rows, answers)
        words = [[in_words(each) for each in given] for given in (clean, answers)]
        changed = np.array([one != two for one, two in zip(*words, strict=True)], dtype=np.bool_)
        changed_rows = np.flatnonzero(changed).tolist()
        changes = [
            ChangedRow(in_words(before.truth[at]), words[0][at], None, words[1][at], None)
            for at in changed_rows
        ]
        own: Floats = np.stack([nearness(each.truth, each.predicted) for each in (before, after)])
        return Sides(before, after, own, changed, changes)


ENTRY = NumberAnswerer()
