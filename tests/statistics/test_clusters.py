"""Clusters of vectors, and their distinctive words."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from lifecycle.runtime.statistics.clusters import distinctive_words, group

DIRECTIONS = np.eye(3)


def around(sizes: list[int], spread: float = 0.05) -> np.ndarray:
    """Rows near one axis each, of any length: only the direction counts."""
    random = np.random.default_rng(3)
    rows = np.vstack(
        [DIRECTIONS[at] + spread * random.normal(size=(size, 3)) for at, size in enumerate(sizes)]
    )
    return rows * random.uniform(0.5, 20, size=(len(rows), 1))


def test_three_directions_are_three_groups_the_largest_first():
    vectors = around([6, 12, 9])

    found = group(vectors)

    assert [sorted(rows) for rows in found.groups] == [
        list(range(6, 18)),
        list(range(18, 27)),
        list(range(6)),
    ]
    points = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.repeat([0, 1, 2], [6, 12, 9])
    assert found.silhouette == pytest.approx(silhouette_score(points, labels), abs=1e-12)
    assert found == group(vectors)


def test_the_first_rows_of_a_group_are_nearest_to_its_centre():
    vectors = around([6, 12, 9])
    points = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    for rows in group(vectors).groups:
        far = np.linalg.norm(points[list(rows)] - points[list(rows)].mean(axis=0), axis=1)
        assert (np.diff(far) > -1e-8).all()


@pytest.mark.parametrize("vectors", [np.ones((30, 4)), np.zeros((12, 4)), around([3, 3, 3])])
def test_similar_or_few_rows_are_one_group(vectors):
    found = group(vectors)

    assert [sorted(rows) for rows in found.groups] == [list(range(len(vectors)))]
    assert found.silhouette == 0.0


def test_a_group_is_named_by_words_that_the_others_lack():
    cards = ["Mi tarjeta está perdida", "tarjeta robada hoy", "la tarjeta y la app"]
    logins = ["la app y la clave", "clave olvidada", "otra clave por favor hoy"]

    words = distinctive_words([cards, logins], count=1)

    assert words == [["tarjeta"], ["clave"]]
    assert not set(distinctive_words([cards, logins])[0]) & {"app", "clave"}
    assert distinctive_words([["12 34"], ["!!"]]) == [[], []]
    assert distinctive_words([["card lost"], []])[1] == []
