"""Disturbed texts that get one class, or any number of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lifecycle.engine.perturb import disturb
from lifecycle.engine.predictor import Predictor
from lifecycle.engine.probing.subject import AT_ONCE, Sides, Told
from lifecycle.engine.task_types.by_key.learners import learner_of
from lifecycle.statistics import metrics
from lifecycle.statistics.metrics import Floats, Scored
from lifecycle.task_types.multi_label import measures as label_sets
from lifecycle.task_types.multi_label.measures import ScoredSets
from lifecycle.task_types.rows import Rows


class OneClass:
    """An answer is a row of probabilities (C,)."""

    shown: tuple[str, ...] = ("accuracy", "macro_f1")
    at_once = AT_ONCE

    def __init__(self, predictor: Predictor, batch_size: int) -> None:
        self.predictor, self.batch_size = predictor, batch_size
        self.labels, self.cut = predictor.info.labels, predictor.info.cut

    def reads(self, rows: Rows) -> Sequence[str]:
        """The texts."""
        return rows.texts

    def answer(self, rows: Rows) -> list[Floats]:
        """Calibrated probabilities."""
        return list(self.predictor.probabilities(rows.texts, self.batch_size))

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """The texts alone: their classes stay."""
        texts = (disturb(probe, text, seed=seed, name=name).text for name, text in zip(rows.ids, rows.texts, strict=True))
        return replace(rows, texts=tuple(texts))

    def score(self, rows: Rows, answers: Sequence[Floats]) -> Scored:
        """By the class that is answered."""
        return metrics.score_rows(np.stack(answers), np.array(rows.targets, dtype=np.int64), cut=self.cut)

    def hold(self, rows: Rows, clean: Sequence[Floats], disturbed: Rows, answers: Sequence[Floats]) -> Sides:
        """A row's own score is 1 where its class is right."""
        before, after = self.score(rows, clean), self.score(rows, answers)
        changed = before.predicted != after.predicted
        told = [
            Told(
                self.labels[before.truth[at]], self.labels[before.predicted[at]], float(before.confidence[at]),
                self.labels[after.predicted[at]], float(after.confidence[at]),
            )
            for at in np.flatnonzero(changed).tolist()
        ]  # fmt: skip
        return Sides(before, after, np.stack([before.exact, after.exact]), changed, told)


class SeveralClasses(OneClass):
    """An answer is a row of probabilities (C,), of which those count that reach their thresholds."""

    shown = ("micro_f1", "subset_accuracy")

    def __init__(self, predictor: Predictor, batch_size: int) -> None:
        super().__init__(predictor, batch_size)
        self.thresholds = predictor.info.thresholds or (0.5,) * len(self.labels)

    def score(self, rows: Rows, answers: Sequence[Floats]) -> ScoredSets:  # type: ignore[override]
        """By the classes that reach their thresholds."""
        truth = learner_of("multi_label").truth(rows.targets, len(self.labels))
        return label_sets.score_sets(np.stack(answers), truth, self.thresholds)

    def hold(self, rows: Rows, clean: Sequence[Floats], disturbed: Rows, answers: Sequence[Floats]) -> Sides:
        """A row's own score is the F1 of its set of classes, 1 where none is true and none given. Sure is the surest of the decisions that
        changed."""
        before, after = self.score(rows, clean), self.score(rows, answers)
        differs = before.decided != after.decided
        changed = differs.any(axis=1)
        sure = [_surest(np.stack(said), each.decided, differs) for said, each in ((clean, before), (answers, after))]
        told = [
            Told(
                self.names(before.truth[at]), self.names(before.decided[at]), float(sure[0][at]),
                self.names(after.decided[at]), float(sure[1][at]),
            )
            for at in np.flatnonzero(changed).tolist()
        ]  # fmt: skip
        return Sides(before, after, np.stack([set_f1(each) for each in (before, after)]), changed, told)

    def names(self, held: Any) -> str:
        """The classes of a row (C,), as a list in JSON."""
        return json.dumps([self.labels[at] for at in np.flatnonzero(held)], ensure_ascii=False)


def set_f1(rows: ScoredSets) -> Floats:
    """F1 of each row's own set (N,), 1 where both sets are empty."""
    every = (rows.truth.sum(axis=1) + rows.decided.sum(axis=1)).astype(np.float64)
    return np.where(every == 0, 1.0, metrics.ratio(2.0 * (rows.truth & rows.decided).sum(axis=1), every))


def _surest(probabilities: Floats, decided: Any, differs: Any) -> Floats:
    """The highest probability of a decision among those that differ (N,); 0 where none does."""
    certain: Floats = np.where(differs, np.where(decided, probabilities, 1 - probabilities), 0.0).max(axis=1)
    return certain
