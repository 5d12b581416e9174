"""What a model that orders responses must beat: the place and the length of a response, its words, and the untuned base.

first               the response that stands first is best, and so on: what people who pick by place would say
longer              the longer is better, in characters
tfidf_logreg        logistic regression on the difference of two responses' TF-IDF, learnt from all training pairs
frozen_base_logreg  the same on the untuned base's vector of the prompt with each response
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from lifecycle.engine import metrics, ranking
from lifecycle.engine.data import Rows
from lifecycle.engine.embedding import Embedder
from lifecycle.engine.metrics import Floats
from lifecycle.engine.ranking import Ranked
from lifecycle.engine.recipes import RECIPES
from lifecycle.engine.spec import Base

ITERATIONS = 100
TOLERANCE = 1e-3
PAIRS = 20_000  # training pairs that a regression learns from, drawn by the seed: more take minutes
SURE = 10.0  # the difference of strengths where a rule has no doubt

Numbers = Callable[[Rows], Any]


def by_place(test: Rows) -> Floats:
    """Strengths (N, M) that fall with the place."""
    return ranking.padded([[-SURE * at for at in range(len(each.responses))] for each in test.targets], np.nan)


def by_length(test: Rows) -> Floats:
    """Strengths (N, M) that rise with the length; equal ones for equal lengths."""
    return ranking.padded([_ranks(each.lengths) for each in test.targets], np.nan)


def _ranks(lengths: Sequence[int]) -> list[float]:
    levels = sorted(set(lengths))
    return [SURE * levels.index(each) for each in lengths]


def differences(train: Sequence[Ranked], seed: int) -> tuple[Any, Any]:
    """Numbers of the better and of the worse response of each training pair, counted through all rows."""
    starts = np.cumsum([0, *(len(each.responses) for each in train)])
    found = [
        (starts[row] + one, starts[row] + two)
        for row, each in enumerate(train)
        for one in range(len(each.ranks))
        for two in range(len(each.ranks))
        if each.ranks[one] < each.ranks[two]
    ]
    if len(found) > PAIRS:
        chosen = np.random.default_rng(seed).choice(len(found), PAIRS, replace=False)
        found = [found[at] for at in np.sort(chosen)]
    better, worse = np.array(found).T
    return better, worse


def regression(known: Any, train: Rows, asked: Any, test: Rows, seed: int, *, strength: float) -> Floats:
    """Strengths (N, M): a linear score of each response, by logistic regression without intercept on differences, in both directions.

    known, asked: numbers (S, F) of the responses of all rows, one behind the other.
    """
    better, worse = differences(train.targets, seed)
    apart = known[better] - known[worse]
    both = sparse.vstack([apart, -apart]) if sparse.issparse(apart) else np.concatenate([apart, -apart])
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=ITERATIONS, tol=TOLERANCE, random_state=seed)
    model.fit(both, np.repeat([1, 0], len(better)))
    scores = np.asarray(asked @ model.coef_[0]).ravel()
    ends = np.cumsum([0, *(len(each.responses) for each in test.targets)])
    return ranking.padded([scores[start:end] for start, end in pairwise(ends)], np.nan)


def words(train: Rows, test: Rows, seed: int) -> Floats:
    """Strengths (N, M) by the words of a response."""
    texts = [[text for each in rows.targets for text in each.responses] for rows in (train, test)]
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=20_000, token_pattern=r"(?u)\S+")  # noqa: S106
    return regression(vectors.fit_transform(texts[0]), train, vectors.transform(texts[1]), test, seed, strength=10.0)


def frozen_base(train: Rows, test: Rows, task: str, seed: int, *, base: Path, pooling: str, max_tokens: int) -> Floats:
    """Strengths (N, M) by the untuned base's vectors."""
    embedder, recipe = Embedder(base, pooling, max_tokens), RECIPES[task]
    known, asked = (embedder.embed_pairs(recipe.ask(rows)) for rows in (train, test))
    return regression(known, train, asked, test, seed, strength=30.0)


def measure(
    train: Rows, test: Rows, *, task: str, base: Base | None, folder: Path, pooling: str, max_tokens: int, count: int, seed: int
) -> dict[str, Any]:
    """The recipe's `shown` scores of each baseline with intervals {low, high}; the base's is left out where no base is given, and so are
    both regressions where the training rows prefer no response."""
    strengths = {"first": by_place(test), "longer": by_length(test)}
    teaches = any(len(set(each.ranks)) > 1 for each in train.targets)
    if teaches:
        strengths["tfidf_logreg"] = words(train, test, seed)
    if teaches and base is not None:
        strengths["frozen_base_logreg"] = frozen_base(
            train, test, task, seed, base=folder / base.path, pooling=pooling, max_tokens=max_tokens
        )
    shown = RECIPES[task].shown
    found = {}
    for name, each in strengths.items():
        scores = metrics.summary(ranking.score(each, test.targets), count=count, seed=seed)
        found[name] = {score: scores[score] for score in shown if score in scores}
        found[name]["intervals"] = {score: scores["intervals"][score] for score in shown if score in scores["intervals"]}
    return found
