"""What a model must beat: the most frequent answer, TF-IDF with logistic regression, and the untuned base with logistic regression.

Of several labels a text there is one logistic regression for each, and its threshold is chosen as the model's is: on a fifth of the
training rows that it did not see, before it learns from all.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from lifecycle.engine import calibration, metrics, ranked_baselines, span_baselines
from lifecycle.engine.data import Rows
from lifecycle.engine.embedding import Embedder
from lifecycle.engine.recipes import RECIPES
from lifecycle.engine.spec import RANKED, Base
from lifecycle.engine.tagging import Unit

ITERATIONS = 100
TOLERANCE = 1e-3  # ten times scikit-learn's: faster with many classes, for nearly the same accuracy
HELD_OUT = 5  # every fifth training row chooses thresholds

Floats = NDArray[np.float64]
Answers = tuple[Floats, tuple[float, ...] | None]  # probabilities (N, C), and thresholds where there are any
Learn = Callable[..., Answers]


def majority(train: Rows, rows: int, classes: int) -> Answers:
    """The training rows' label shares for every row (rows, C): the top one is the most frequent label."""
    counts = np.bincount(train.targets, minlength=classes).astype(np.float64)
    return np.tile(counts / counts.sum(), (rows, 1)), None


def frequent_set(train: Rows, rows: int, classes: int) -> Answers:
    """Each label's share for every row (rows, C), with thresholds that give the most frequent set of labels."""
    shares = RECIPES["multi_label"].truth(train.targets, classes).mean(axis=0)
    common = Counter(train.targets).most_common(1)[0][0]
    return np.tile(shares, (rows, 1)), tuple(0.0 if at in common else 2.0 for at in range(classes))


def one_label(known: Any, train: Rows, asked: Any, classes: int, seed: int, *, strength: float) -> Answers:
    """Logistic regression on rows of numbers (N, F)."""
    model = _regression(seed, strength).fit(known, train.targets)
    probabilities = np.zeros((asked.shape[0], classes))
    probabilities[:, model.classes_] = model.predict_proba(asked)
    return probabilities, None


def each_label(known: Any, train: Rows, asked: Any, classes: int, seed: int, *, strength: float) -> Answers:
    """A logistic regression for each label on rows of numbers (N, F), and its threshold."""
    truth = RECIPES["multi_label"].truth(train.targets, classes)
    held = np.arange(len(truth)) % HELD_OUT == 0
    model = OneVsRestClassifier(_regression(seed, strength))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label not .* is present in all training examples")
        thresholds = (0.5,) * classes
        if held.any() and not held.all():
            thresholds = calibration.choose_thresholds(_yes(model.fit(known[~held], truth[~held]), known[held], classes), truth[held])
        return _yes(model.fit(known, truth), asked, classes), thresholds


def _yes(model: OneVsRestClassifier, asked: Any, classes: int) -> Floats:
    """How likely each label is (N, C). Of a single one scikit-learn gives two columns: how likely it is not, then how likely it is."""
    probabilities: Floats = model.predict_proba(asked)[:, -classes:]
    return probabilities


def _regression(seed: int, strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed)


KINDS = {"single_label": (majority, one_label), "multi_label": (frequent_set, each_label)}


def tfidf_logreg(train: Rows, texts: Sequence[str], classes: int, seed: int, learn: Learn) -> Answers:
    """On TF-IDF of words and word pairs."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=20_000, token_pattern=r"(?u)\S+")  # noqa: S106
    return learn(vectorizer.fit_transform(train.texts), train, vectorizer.transform(texts), classes, seed, strength=10.0)


def frozen_base_logreg(
    train: Rows, texts: Sequence[str], classes: int, seed: int, learn: Learn, *, base: Path, pooling: str, max_tokens: int
) -> Answers:
    """On the untuned base model's pooled vectors, scaled to length 1."""
    embedder = Embedder(base, pooling, max_tokens)
    known, asked = embedder.embed(train.texts), embedder.embed(texts)
    return learn(known, train, asked, classes, seed, strength=30.0)


def measure(
    train: Rows,
    test: Rows,
    *,
    task: str,
    classes: int,
    base: Base | None,
    folder: Path,
    pooling: str,
    max_tokens: int,
    count: int,
    seed: int,
    unit: Unit = Unit.PIECE,
) -> dict[str, Any]:
    """The recipe's `shown` scores of each baseline with intervals {low, high}; the base's is left out where no base is given."""
    if task == "spans":
        return span_baselines.measure(
            train, test, classes=classes, base=base, folder=folder, max_tokens=max_tokens, unit=unit, count=count, seed=seed
        )
    if task in RANKED:
        return ranked_baselines.measure(
            train, test, task=task, base=base, folder=folder, pooling=pooling, max_tokens=max_tokens, count=count, seed=seed
        )
    frequent, learn = KINDS[task]
    answers = {
        "majority": frequent(train, len(test), classes),
        "tfidf_logreg": tfidf_logreg(train, test.texts, classes, seed, learn),
    }
    if base is not None:
        answers["frozen_base_logreg"] = frozen_base_logreg(
            train, test.texts, classes, seed, learn, base=folder / base.path, pooling=pooling, max_tokens=max_tokens
        )
    return {name: _scores(task, *each, test, count, seed) for name, each in answers.items()}


def _scores(task: str, probabilities: Floats, thresholds: Sequence[float] | None, test: Rows, count: int, seed: int) -> dict[str, Any]:
    recipe = RECIPES[task]
    rows = recipe.score(probabilities, recipe.truth(test.targets, probabilities.shape[1]), thresholds)
    values, intervals = metrics.point_estimates(rows), metrics.bootstrap(rows, count, seed)
    found: dict[str, Any] = {name: values[name] for name in recipe.shown}
    shown = {name: {"low": intervals[name][0], "high": intervals[name][1]} for name in recipe.shown if name in intervals}
    return found | {"intervals": shown}
