"""Baselines of multi-label classification: the most frequent label set, and a logistic regression per label.
Its threshold is chosen like the model's: on a fifth of the training rows held out before the final fit on all
of them.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.multiclass import OneVsRestClassifier

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.baselines import Answer, of_texts, regression
from lifecycle.runtime.task_types.multi_label.measures import ScoredSets, score_sets, truth_of
from lifecycle.runtime.task_types.rows import Rows, Vectors

HELD_OUT = 5  # every fifth training row is held out for thresholds

Decisions = tuple[Floats, tuple[float, ...]]  # probabilities (N, C), and thresholds of the labels


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Each baseline by name. vectors: embeddings (N, H) of the rows."""
    found = {"majority": frequent_set(train, classes)}
    found |= of_texts(
        train, lambda known, strength: each_label(known, train, classes, seed, strength=strength), vectors
    )
    return {name: scored_by(answer, classes) for name, answer in found.items()}


def scored_by(answer: Callable[[Any], Decisions], classes: int) -> Callable[[Rows], ScoredSets]:
    """Score with the labels that reach their thresholds."""

    def score(rows: Rows) -> ScoredSets:
        probabilities, thresholds = answer(rows)
        return score_sets(probabilities, truth_of(rows.targets, classes), thresholds)

    return score


def frequent_set(train: Rows, classes: int) -> Callable[[Any], Decisions]:
    """Each label's frequency for every row (N, C), with thresholds that give the most frequent label set."""
    shares = truth_of(train.targets, classes).mean(axis=0)
    common = Counter(train.targets).most_common(1)[0][0]
    thresholds = tuple(0.0 if at in common else 2.0 for at in range(classes))
    return lambda rows: (np.tile(shares, (len(rows), 1)), thresholds)


def each_label(
    known: Any, train: Rows, classes: int, seed: int, *, strength: float
) -> Callable[[Any], Decisions]:
    """A logistic regression per label on features (N, F), with its threshold."""
    truth = truth_of(train.targets, classes)
    held = np.arange(len(truth)) % HELD_OUT == 0
    model = OneVsRestClassifier(regression(seed, strength))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label not .* is present in all training examples")
        thresholds = (0.5,) * classes
        if held.any() and not held.all():
            thresholds = calibration.choose_thresholds(
                _yes(model.fit(known[~held], truth[~held]), known[held], classes), truth[held]
            )
        model.fit(known, truth)
    return lambda asked: (_yes(model, asked, classes), thresholds)


def _yes(model: OneVsRestClassifier, asked: Any, classes: int) -> Floats:
    """The probability of each label (N, C). For a single label scikit-learn returns two columns: absent,
    present.
    """
    probabilities: Floats = model.predict_proba(asked)[:, -classes:]
    return probabilities


ENTRY = learn
