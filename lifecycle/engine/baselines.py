"""What a model must beat: the most frequent answer, TF-IDF with logistic regression, and the untuned base with logistic regression.

Of several labels a text there is one logistic regression for each, and its threshold is chosen as the model's is: on a fifth of the
training rows that it did not see, before it learns from all.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from lifecycle.engine import ranked_baselines, span_baselines
from lifecycle.engine.baseline_scores import Measured, measure
from lifecycle.engine.data import read_rows
from lifecycle.engine.embedding import Embedder
from lifecycle.engine.recipes import RECIPES
from lifecycle.statistics import calibration
from lifecycle.task_types.by_key.types import type_of
from lifecycle.task_types.rows import Rows
from lifecycle.task_types.spans.tagging import Unit

ITERATIONS = 100
TOLERANCE = 1e-3  # ten times scikit-learn's: faster with many classes, for nearly the same accuracy
VERSION = 3  # to be raised where the same rows get other figures
HELD_OUT = 5  # every fifth training row chooses thresholds

Floats = NDArray[np.float64]
Answers = tuple[Floats, tuple[float, ...] | None]  # probabilities (N, C), and thresholds where there are any
Answer = Callable[[Any], Answers]  # of texts, or of rows of numbers (N, F)
Learn = Callable[..., Answer]
Measure = Callable[[Rows], Measured]


def majority(train: Rows, classes: int) -> Answer:
    """The training rows' label shares for every row (rows, C): the top one is the most frequent label."""
    counts = np.bincount(train.targets, minlength=classes).astype(np.float64)
    return lambda texts: (np.tile(counts / counts.sum(), (len(texts), 1)), None)


def frequent_set(train: Rows, classes: int) -> Answer:
    """Each label's share for every row (rows, C), with thresholds that give the most frequent set of labels."""
    shares = RECIPES["multi_label"].truth(train.targets, classes).mean(axis=0)
    common = Counter(train.targets).most_common(1)[0][0]
    thresholds = tuple(0.0 if at in common else 2.0 for at in range(classes))
    return lambda texts: (np.tile(shares, (len(texts), 1)), thresholds)


def one_label(known: Any, train: Rows, classes: int, seed: int, *, strength: float) -> Answer:
    """Logistic regression on rows of numbers (N, F)."""
    model = _regression(seed, strength).fit(known, train.targets)

    def answer(asked: Any) -> Answers:
        probabilities = np.zeros((asked.shape[0], classes))
        probabilities[:, model.classes_] = model.predict_proba(asked)
        return probabilities, None

    return answer


def each_label(known: Any, train: Rows, classes: int, seed: int, *, strength: float) -> Answer:
    """A logistic regression for each label on rows of numbers (N, F), and its threshold."""
    truth = RECIPES["multi_label"].truth(train.targets, classes)
    held = np.arange(len(truth)) % HELD_OUT == 0
    model = OneVsRestClassifier(_regression(seed, strength))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label not .* is present in all training examples")
        thresholds = (0.5,) * classes
        if held.any() and not held.all():
            thresholds = calibration.choose_thresholds(_yes(model.fit(known[~held], truth[~held]), known[held], classes), truth[held])
        model.fit(known, truth)
    return lambda asked: (_yes(model, asked, classes), thresholds)


def _yes(model: OneVsRestClassifier, asked: Any, classes: int) -> Floats:
    """How likely each label is (N, C). Of a single one scikit-learn gives two columns: how likely it is not, then how likely it is."""
    probabilities: Floats = model.predict_proba(asked)[:, -classes:]
    return probabilities


def _regression(seed: int, strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed)


KINDS: dict[str, tuple[Callable[[Rows, int], Answer], Learn]] = {
    "single_label": (majority, one_label), "multi_label": (frequent_set, each_label),
}  # fmt: skip


def tfidf_logreg(train: Rows, classes: int, seed: int, learn: Learn) -> Answer:
    """On TF-IDF of words and word pairs."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=20_000, token_pattern=r"(?u)\S+")  # noqa: S106
    answer = learn(vectorizer.fit_transform(train.texts), train, classes, seed, strength=10.0)
    return lambda texts: answer(vectorizer.transform(texts))


def frozen_base_logreg(train: Rows, classes: int, seed: int, learn: Learn, *, base: Path, pooling: str, max_tokens: int) -> Answer:
    """On the untuned base model's pooled vectors, scaled to length 1."""
    embedder = Embedder(base, pooling, max_tokens)
    answer = learn(embedder.embed(train.texts), train, classes, seed, strength=30.0)
    return lambda texts: answer(embedder.embed(texts))


def learn(
    path: Path,
    labels: tuple[str, ...],
    *,
    task: str,
    base: Path | None,
    pooling: str,
    max_tokens: int,
    count: int,
    seed: int,
    unit: Unit = Unit.PIECE,
) -> dict[str, Measure]:
    """Each baseline by name, learnt from the training rows of a file; the base's is left out where no base is given."""
    train, classes = read_rows(path, labels, RECIPES[task].read), len(labels)
    if task == "spans":
        return span_baselines.learn(
            train, classes=classes, base=base, folder=path.parent, max_tokens=max_tokens, unit=unit, count=count, seed=seed
        )
    if type_of(task).has_responses:
        return ranked_baselines.learn(train, task=task, base=base, pooling=pooling, max_tokens=max_tokens, count=count, seed=seed)
    frequent, regression = KINDS[task]
    answers = {"majority": frequent(train, classes), "tfidf_logreg": tfidf_logreg(train, classes, seed, regression)}
    if base is not None:
        answers["frozen_base_logreg"] = frozen_base_logreg(
            train, classes, seed, regression, base=base, pooling=pooling, max_tokens=max_tokens
        )
    return {name: partial(_scores, answer, task, count, seed) for name, answer in answers.items()}


def digest_of(train: Path, data: Path, **settings: Any) -> str:
    """What the baselines' figures follow from: both files, the settings of `learn`, the base by its digest, and the libraries that fit."""
    files = []
    for path in (train, data):
        with path.open("rb") as file:
            files.append(hashlib.file_digest(file, "sha256").hexdigest())
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "torch", "transformers")}
    return hashlib.sha256(json.dumps([VERSION, files, settings, libraries], sort_keys=True).encode()).hexdigest()


def _scores(answer: Answer, task: str, count: int, seed: int, test: Rows) -> Measured:
    recipe, (probabilities, thresholds) = RECIPES[task], answer(test.texts)
    rows = recipe.score(probabilities, recipe.truth(test.targets, probabilities.shape[1]), thresholds)
    return measure(rows, test, task=task, count=count, seed=seed)
