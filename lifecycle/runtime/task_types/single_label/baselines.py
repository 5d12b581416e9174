"""Baselines of single-label classification: the most frequent label, and logistic regression on TF-IDF and on
the base's embeddings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.metrics import Floats, Scored
from lifecycle.runtime.task_types.baselines import Answer, of_texts, regression
from lifecycle.runtime.task_types.rows import Rows, Vectors

Probabilities = Callable[[Any], Floats]  # (N, C)


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Each baseline by name. vectors: embeddings (N, H) of the rows."""
    found = {"majority": majority(train, classes)}
    found |= of_texts(
        train, lambda known, strength: one_label(known, train, classes, seed, strength=strength), vectors
    )
    return {name: scored_by(answer) for name, answer in found.items()}


def scored_by(answer: Probabilities) -> Callable[[Rows], Scored]:
    """Score the most likely label."""
    return lambda rows: metrics.score_rows(answer(rows), np.array(rows.targets, dtype=np.int64))


def majority(train: Rows, classes: int) -> Probabilities:
    """Label frequencies in training for every row (N, C): the highest is the most frequent label."""
    counts = np.bincount(train.targets, minlength=classes).astype(np.float64)
    return lambda rows: np.tile(counts / counts.sum(), (len(rows), 1))


def one_label(known: Any, train: Rows, classes: int, seed: int, *, strength: float) -> Probabilities:
    """Logistic regression on features (N, F)."""
    model = regression(seed, strength).fit(known, train.targets)

    def answer(asked: Any) -> Floats:
        probabilities = np.zeros((asked.shape[0], classes))
        probabilities[:, model.classes_] = model.predict_proba(asked)
        return probabilities

    return answer


ENTRY = learn
