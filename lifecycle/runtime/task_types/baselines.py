"""Baselines trained on the same rows as a model, their scores in a report, and the paired comparison with a
run.

The main score of a baseline on each resample is stored: a later run on the same rows draws the same
resamples, so both are paired without refitting the baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from lifecycle.runtime.statistics import bootstrap, comparisons, metrics
from lifecycle.runtime.statistics.metrics import Countable, Floats
from lifecycle.runtime.task_types.measures import Metrics
from lifecycle.runtime.task_types.rows import Rows, Vectors

ITERATIONS = 100
TOLERANCE = 1e-3  # ten times scikit-learn's: faster with many labels, at nearly the same accuracy
# inverse regularisation strength of the regression on TF-IDF and on unit-length embeddings
OF_WORDS, OF_VECTORS = 10.0, 30.0

Answer = Callable[[Rows], Countable]  # rows → a baseline's predictions, ready for scoring
# (training rows, labels, seed, embeddings) → baselines by name
Learn = Callable[[Rows, int, int, Vectors | None], dict[str, Answer]]
Answered = TypeVar("Answered")


def tfidf() -> TfidfVectorizer:
    """TF-IDF of words and word pairs."""
    return TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        max_features=20_000,
        token_pattern=r"(?u)\S+",  # noqa: S106
    )


def regression(seed: int, strength: float = 1.0, *, intercept: bool = True) -> LogisticRegression:
    """Logistic regression. strength: inverse regularisation strength, scikit-learn's C."""
    return LogisticRegression(
        C=strength, fit_intercept=intercept, max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed
    )


def of_texts(
    train: Rows, learn: Callable[[Any, float], Callable[[Any], Answered]], vectors: Vectors | None
) -> dict[str, Callable[[Rows], Answered]]:
    """The two baselines fitted on feature matrices (N, F): on TF-IDF, and on embeddings if available. learn:
    (features, strength) → predictor.
    """
    words = tfidf()
    by_words = learn(words.fit_transform(train.texts), OF_WORDS)
    found = {"tfidf_logreg": lambda rows: by_words(words.transform(rows.texts))}
    if vectors is not None:
        known = vectors
        by_vectors = learn(known(train), OF_VECTORS)
        found["frozen_base_logreg"] = lambda rows: by_vectors(known(rows))
    return found


DIGITS = 7  # stored for each score on a resample


class Measured(NamedTuple):
    """scores: the metrics in `beside`, with intervals {name: {low, high}}. drawn: the main score on each
    resample; None if undefined.
    """

    scores: dict[str, Any]
    drawn: list[float | None]


def measure(scored: Countable, rows: Rows, *, by: Metrics, count: int, seed: int) -> Measured:
    """Score a baseline's predictions on these rows. by: the task's metrics."""
    every = bootstrap.summary(scored, count=count, seed=seed, clusters=rows.codes)
    known = [name for name in by.beside if name in every]
    intervals = {name: every["intervals"][name] for name in known if name in every["intervals"]}
    return Measured(
        {name: every[name] for name in known} | {"intervals": intervals},
        drawn(scored, rows, by, count, seed).tolist(),
    )


def drawn(scored: Countable, rows: Rows, by: Metrics, count: int, seed: int) -> Floats:
    """The main score on each resample (count,)."""
    return bootstrap.drawn(scored, by.leading.name, count=count, seed=seed, clusters=rows.codes).round(DIGITS)


def report_sections(
    own: Countable, rows: Rows, found: Mapping[str, Measured], *, by: Metrics, count: int, seed: int
) -> dict[str, Any]:
    """The report's sections on baselines. own: the run's predictions on the same rows. {"baselines": scores,
    "baselines_drawn", "against": for each baseline the paired difference of the main score, as in
    `comparisons.paired_rows`, with the run as the candidate}.
    """
    name, lower = by.leading.name, by.leading.lower_is_better
    value, ours = metrics.point_estimates(own)[name], drawn(own, rows, by, count, seed)
    against = {
        baseline: {
            name: comparisons.apart(
                (each.scores[name], np.array(each.drawn, dtype=np.float64)),
                (value, ours),
                rows.codes,
                lower_is_better=lower,
            )
        }
        for baseline, each in found.items()
        if each.scores.get(name) is not None
    }
    return {
        "baselines": {baseline: each.scores for baseline, each in found.items()},
        "baselines_drawn": {baseline: each.drawn for baseline, each in found.items()},
        "against": against,
    }
