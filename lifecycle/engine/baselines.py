"""What a model must beat: the most frequent label, TF-IDF with logistic regression, and the untuned base with logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from lifecycle.engine import metrics
from lifecycle.engine.data import Rows
from lifecycle.engine.embedding import Embedder
from lifecycle.engine.spec import Base

SHOWN = ("accuracy", "macro_f1")
ITERATIONS = 100
TOLERANCE = 1e-3  # ten times scikit-learn's: faster with many classes, for nearly the same accuracy


def majority(train: Rows, rows: int, classes: int) -> NDArray[np.float64]:
    """The training rows' label shares for every row (rows, C): the top one is the most frequent label."""
    counts = np.bincount(train.targets, minlength=classes).astype(np.float64)
    return np.tile(counts / counts.sum(), (rows, 1))


def tfidf_logreg(train: Rows, texts: Sequence[str], classes: int, seed: int) -> NDArray[np.float64]:
    """Logistic regression on TF-IDF of words and word pairs."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=20_000, token_pattern=r"(?u)\S+")  # noqa: S106
    return _logistic(vectorizer.fit_transform(train.texts), train, vectorizer.transform(texts), classes, seed, strength=10.0)


def frozen_base_logreg(
    train: Rows, texts: Sequence[str], classes: int, seed: int, *, base: Path, pooling: str, max_tokens: int
) -> NDArray[np.float64]:
    """Logistic regression on the untuned base model's pooled vectors, scaled to length 1."""
    embedder = Embedder(base, pooling, max_tokens)
    known, asked = embedder.embed(train.texts), embedder.embed(texts)
    return _logistic(known, train, asked, classes, seed, strength=30.0)


def _logistic(known: Any, train: Rows, asked: Any, classes: int, seed: int, *, strength: float) -> NDArray[np.float64]:
    model = LogisticRegression(C=strength, max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed).fit(known, train.targets)
    probabilities = np.zeros((asked.shape[0], classes))
    probabilities[:, model.classes_] = model.predict_proba(asked)
    return probabilities


def measure(
    train: Rows, test: Rows, *, classes: int, base: Base | None, folder: Path, pooling: str, max_tokens: int, count: int, seed: int
) -> dict[str, Any]:
    """Accuracy and macro-F1 of each baseline with intervals {low, high}; the base's is left out where no base is given."""
    answers = {
        "majority": majority(train, len(test), classes),
        "tfidf_logreg": tfidf_logreg(train, test.texts, classes, seed),
    }
    if base is not None:
        answers["frozen_base_logreg"] = frozen_base_logreg(
            train, test.texts, classes, seed, base=folder / base.path, pooling=pooling, max_tokens=max_tokens
        )
    return {name: _scores(probabilities, test, count, seed) for name, probabilities in answers.items()}


def _scores(probabilities: NDArray[np.float64], test: Rows, count: int, seed: int) -> dict[str, Any]:
    rows = metrics.score_rows(probabilities, np.array(test.targets))
    values, intervals = metrics.point_estimates(rows), metrics.bootstrap(rows, count, seed)
    found: dict[str, Any] = {name: values[name] for name in SHOWN}
    shown = {name: {"low": intervals[name][0], "high": intervals[name][1]} for name in SHOWN if name in intervals}
    return found | {"intervals": shown}
