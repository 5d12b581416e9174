"""Clusters of texts by their embeddings, and the distinctive words of each. numpy and scikit-learn only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_GROUPS, LEAST_ROWS = 12, 5  # groups at most, and rows per group at least on average
WORD = r"(?u)\b[^\W\d_]{2,}\b"  # letters of any script, no digits
SAMPLE = 2_000  # rows for the silhouette of a number of groups, since it compares all pairs


@dataclass(frozen=True)
class Grouping:
    """groups: rows, the largest group first, each group's nearest to its centre first. silhouette: -1 to 1,
    of this number of groups.
    """

    groups: tuple[tuple[int, ...], ...]
    silhouette: float


def group(vectors: NDArray[Any]) -> Grouping:
    """Group vectors (N, H) by direction with k-means: 2 to 12 groups, at most one per five rows, the number
    with the best silhouette.

    Rows that all have the same direction, or fewer than ten, are one group with silhouette 0. Equal input
    gives equal groups.
    """
    from sklearn.cluster import KMeans  # late: slows the start of every process, and few compute with it
    from sklearn.metrics import silhouette_score

    points = np.asarray(vectors, dtype=np.float64)
    points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    different = len(np.unique(points.round(6), axis=0))
    best, score = np.zeros(len(points), dtype=np.int64), 0.0
    for number in range(2, min(MOST_GROUPS, len(points) // LEAST_ROWS, different) + 1):
        labels = KMeans(number, n_init=4, random_state=0).fit_predict(points)
        found = float(silhouette_score(points, labels, sample_size=min(SAMPLE, len(points)), random_state=0))
        if found > score:
            best, score = labels, found
    groups = [by_distance(points, np.flatnonzero(best == number)) for number in np.unique(best)]
    return Grouping(tuple(sorted(groups, key=lambda rows: (-len(rows), min(rows)))), score)


def by_distance(points: NDArray[np.float64], rows: NDArray[np.int64]) -> tuple[int, ...]:
    """These rows, the nearest to their centre first."""
    far = np.linalg.norm(points[rows] - points[rows].mean(axis=0), axis=1).round(9)
    return tuple(int(row) for row in rows[np.argsort(far, kind="stable")])


def distinctive_words(groups: Sequence[Sequence[str]], count: int = 5) -> list[list[str]]:
    """The words of each group of texts whose mean TF-IDF is most above that of the other groups, at most
    `count`, the most distinctive first.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # late, as above

    texts = [text for group in groups for text in group]
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=WORD)
    try:
        weights = words.fit_transform(texts)
    except ValueError:  # no text has a word
        return [[] for _ in groups]
    names, total = words.get_feature_names_out(), np.asarray(weights.sum(axis=0)).ravel()
    found, start = [], 0
    for group in groups:
        own = np.asarray(weights[start : start + len(group)].sum(axis=0)).ravel()
        others = len(texts) - len(group)
        lead = own / max(len(group), 1) - (total - own) / max(others, 1)
        found.append([str(names[at]) for at in np.argsort(-lead, kind="stable")[:count] if lead[at] > 1e-9])
        start += len(group)
    return found
