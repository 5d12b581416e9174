"""Baselines of rankings: position, length, words, and the base before fine-tuning.

first               the first response is best, and so on: reveals annotators' position bias
longer              the longer response is better, in characters
tfidf_logreg        logistic regression on the TF-IDF difference of two responses, from all training pairs
frozen_base_logreg  the same on the base's embeddings of the prompt with each response
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types import baselines
from lifecycle.runtime.task_types.baselines import OF_VECTORS, OF_WORDS, Answer
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking.measures import Ranked, ScoredRanks
from lifecycle.runtime.task_types.rows import Rows, Vectors

PAIRS = 20_000  # training pairs for the regression, sampled by the seed: more take minutes
SURE = 10.0  # score difference of rules without uncertainty

Strengths = Callable[[Rows], Floats]  # (N, M) of the responses


def by_place(test: Rows) -> Floats:
    """Scores (N, M) that decrease with position."""
    return ranking.padded(
        [[-SURE * at for at in range(len(each.responses))] for each in test.targets], np.nan
    )


def by_length(test: Rows) -> Floats:
    """Scores (N, M) that increase with length; equal for equal lengths."""
    return ranking.padded([_ranks(each.lengths) for each in test.targets], np.nan)


def _ranks(lengths: Sequence[int]) -> list[float]:
    levels = sorted(set(lengths))
    return [SURE * levels.index(each) for each in lengths]


def differences(train: Sequence[Ranked], seed: int) -> tuple[Any, Any]:
    """Numbers of the better and worse response of each training pair, counted over all rows."""
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


def regression(known: Any, train: Rows, seed: int, *, strength: float) -> Callable[[Any, Rows], Floats]:
    """Scores (N, M) of rows: a linear score per response, from logistic regression without intercept on
    differences in both directions.

    known, asked: features (S, F) of all rows' responses, concatenated.
    """
    better, worse = differences(train.targets, seed)
    apart = known[better] - known[worse]
    both = sparse.vstack([apart, -apart]) if sparse.issparse(apart) else np.concatenate([apart, -apart])
    model = baselines.regression(seed, strength, intercept=False)
    model.fit(both, np.repeat([1, 0], len(better)))

    def strengths(asked: Any, rows: Rows) -> Floats:
        scores = np.asarray(asked @ model.coef_[0]).ravel()
        ends = np.cumsum([0, *(len(each.responses) for each in rows.targets)])
        return ranking.padded([scores[start:end] for start, end in pairwise(ends)], np.nan)

    return strengths


def words(train: Rows, seed: int) -> Strengths:
    """Regression on the words of a response."""
    vectors = baselines.tfidf()
    strengths = regression(vectors.fit_transform(_responses(train)), train, seed, strength=OF_WORDS)
    return lambda rows: strengths(vectors.transform(_responses(rows)), rows)


def _responses(rows: Rows) -> list[str]:
    return [text for each in rows.targets for text in each.responses]


def frozen_base(train: Rows, seed: int, vectors: Vectors) -> Strengths:
    """Regression on the base's embeddings."""
    strengths = regression(vectors(train), train, seed, strength=OF_VECTORS)
    return lambda rows: strengths(vectors(rows), rows)


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Each baseline by name, without regressions if the training rows contain no preference. vectors:
    embeddings (S, H) of the prompt with each response, concatenated over rows.
    """
    found: dict[str, Strengths] = {"first": by_place, "longer": by_length}
    teaches = any(len(set(each.ranks)) > 1 for each in train.targets)
    if teaches:
        found["tfidf_logreg"] = words(train, seed)
    if teaches and vectors is not None:
        found["frozen_base_logreg"] = frozen_base(train, seed, vectors)
    return {name: scored_by(strengths) for name, strengths in found.items()}


def scored_by(strengths: Strengths) -> Callable[[Rows], ScoredRanks]:
    """Scored by pairs."""
    return lambda rows: ranking.score(strengths(rows), rows.targets)


ENTRY = learn
