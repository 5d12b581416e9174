"""What a model that orders responses must beat: the place and the length of a response, its words, and the untuned base.

first               the response that stands first is best, and so on: what people who pick by place would say
longer              the longer is better, in characters
tfidf_logreg        logistic regression on the difference of two responses' TF-IDF, learnt from all training pairs
frozen_base_logreg  the same on the untuned base's vector of the prompt with each response
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

PAIRS = 20_000  # training pairs that a regression learns from, drawn by the seed: more take minutes
SURE = 10.0  # the difference of strengths where a rule has no doubt

Strengths = Callable[[Rows], Floats]  # (N, M) of the responses


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


def regression(known: Any, train: Rows, seed: int, *, strength: float) -> Callable[[Any, Rows], Floats]:
    """Strengths (N, M) of rows: a linear score of each response, by logistic regression without intercept on differences, both ways round.


    known, and what is asked: numbers (S, F) of the responses of all rows, one behind the other.
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
    """By the words of a response."""
    vectors = baselines.tfidf()
    strengths = regression(vectors.fit_transform(_responses(train)), train, seed, strength=OF_WORDS)
    return lambda rows: strengths(vectors.transform(_responses(rows)), rows)


def _responses(rows: Rows) -> list[str]:
    return [text for each in rows.targets for text in each.responses]


def frozen_base(train: Rows, seed: int, vectors: Vectors) -> Strengths:
    """By the untuned base's vectors."""
    strengths = regression(vectors(train), train, seed, strength=OF_VECTORS)
    return lambda rows: strengths(vectors(rows), rows)


def learn(train: Rows, classes: int, seed: int, vectors: Vectors | None) -> dict[str, Answer]:
    """Each baseline by name; without both regressions where the training rows prefer no response. vectors: (S, H) of the prompt with each
    response, those of all rows one behind the other."""
    found: dict[str, Strengths] = {"first": by_place, "longer": by_length}
    teaches = any(len(set(each.ranks)) > 1 for each in train.targets)
    if teaches:
        found["tfidf_logreg"] = words(train, seed)
    if teaches and vectors is not None:
        found["frozen_base_logreg"] = frozen_base(train, seed, vectors)
    return {name: scored_by(strengths) for name, strengths in found.items()}


def scored_by(strengths: Strengths) -> Callable[[Rows], ScoredRanks]:
    """By pairs."""
    return lambda rows: ranking.score(strengths(rows), rows.targets)


ENTRY = learn
