"""Baselines of regression: the mean of the training rows, and ridge regression on TF-IDF."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge

from lifecycle.runtime.task_types.baselines import Answer, tfidf
from lifecycle.runtime.task_types.rows import Rows, Vectors
from tests.task_types.regression.measures import ScoredNumbers


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Both baselines by name."""
    truth, words = np.array(train.targets, dtype=np.float64), tfidf()
    model = Ridge(random_state=seed).fit(words.fit_transform(train.texts), truth)
    return {
        "mean": lambda rows: scored(rows, np.full(len(rows), truth.mean())),
        "tfidf_ridge": lambda rows: scored(rows, model.predict(words.transform(rows.texts))),
    }


def scored(rows: Rows, predicted: np.ndarray) -> ScoredNumbers:
    """Ready for scoring."""
    return ScoredNumbers(np.array(rows.targets, dtype=np.float64), predicted)


ENTRY = learn
