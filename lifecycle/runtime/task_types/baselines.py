"""What a model must beat, learnt from the same training rows: what a report says of it, and how a run stands to it on the same rows.

A baseline's leading score on each resample is kept with its scores: a later run on these rows draws the same resamples, so the two are
paired though the baseline isn't fitted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.metrics import Countable, Floats
from lifecycle.runtime.task_types.measures import Metrics
from lifecycle.runtime.task_types.rows import Rows, Vectors

ITERATIONS = 100
TOLERANCE = 1e-3  # ten times scikit-learn's: faster with many classes, for nearly the same accuracy
OF_WORDS, OF_VECTORS = 10.0, 30.0  # how little a regression on TF-IDF, and on vectors of length 1, is held back

Answer = Callable[[Rows], Countable]  # rows as a baseline answers them, ready to be counted
Learn = Callable[[Rows, int, int, Vectors | None], dict[str, Answer]]  # (training rows, labels, seed, vectors) → baselines by name
Answered = TypeVar("Answered")


def tfidf() -> TfidfVectorizer:
    """Of words and word pairs."""
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=20_000, token_pattern=r"(?u)\S+")  # noqa: S106


def regression(seed: int, strength: float = 1.0, *, intercept: bool = True) -> LogisticRegression:
    """strength: of what is learnt, against a penalty of 1."""
    return LogisticRegression(C=strength, fit_intercept=intercept, max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed)


def of_texts(
    train: Rows, learn: Callable[[Any, float], Callable[[Any], Answered]], vectors: Vectors | None
) -> dict[str, Callable[[Rows], Answered]]:
    """The two that learn from rows of numbers (N, F), such as `learn` gives answers by: TF-IDF, and vectors where there are any."""
    words = tfidf()
    by_words = learn(words.fit_transform(train.texts), OF_WORDS)
    found = {"tfidf_logreg": lambda rows: by_words(words.transform(rows.texts))}
    if vectors is not None:
        known = vectors
        by_vectors = learn(known(train), OF_VECTORS)
        found["frozen_base_logreg"] = lambda rows: by_vectors(known(rows))
    return found


DIGITS = 7  # that are kept of a score of a resample


class Measured(NamedTuple):
    """scores: `beside` of a task's metrics, on some rows, with intervals {name: {low, high}}. drawn: the leading one on each resample;
    None where a resample has none."""

    scores: dict[str, Any]
    drawn: list[float | None]


def measure(scored: Countable, rows: Rows, *, by: Metrics, count: int, seed: int) -> Measured:
    """A baseline's answers to these rows, ready to be counted. by: the task's metrics."""
    every = metrics.summary(scored, count=count, seed=seed, clusters=rows.codes)
    known = [name for name in by.beside if name in every]
    intervals = {name: every["intervals"][name] for name in known if name in every["intervals"]}
    return Measured({name: every[name] for name in known} | {"intervals": intervals}, drawn(scored, rows, by, count, seed).tolist())


def drawn(scored: Countable, rows: Rows, by: Metrics, count: int, seed: int) -> Floats:
    """The leading score of each resample (count,)."""
    return metrics.drawn(scored, by.leading.name, count=count, seed=seed, clusters=rows.codes).round(DIGITS)


def told(own: Countable, rows: Rows, found: Mapping[str, Measured], *, by: Metrics, count: int, seed: int) -> dict[str, Any]:
    """The parts of a report that tell of baselines. own: the run's answers to the same rows. {"baselines": their scores, "baselines_drawn",
    "against": of each baseline the leading score as of `metrics.paired_rows`, the run as the candidate}."""
    name, lower = by.leading.name, by.leading.lower_is_better
    value, ours = metrics.point_estimates(own)[name], drawn(own, rows, by, count, seed)
    against = {
        baseline: {
            name: metrics.apart(
                (each.scores[name], np.array(each.drawn, dtype=np.float64)), (value, ours), rows.codes, lower_is_better=lower
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
