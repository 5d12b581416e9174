"""Kappa: agreement beyond chance, given each person's label frequencies. None means undefined for these
data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_app.quality.agreement.intervals import DRAWS, Interval, generator, spread

Floats = NDArray[np.floating[Any]]


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two people (1960). None without pairs, or if both always gave the same label."""
    return cohen_of(Counter(pairs))


def cohen_of(cells: Mapping[tuple[Hashable, Hashable], int]) -> float | None:
    """Cohen's kappa from how often each (label of the one, label of the other) occurred."""
    total = sum(cells.values())
    if not total:
        return None
    observed = sum(count for (one, other), count in cells.items() if one == other) / total
    first: Counter[Hashable] = Counter()
    second: Counter[Hashable] = Counter()
    for (one, other), count in cells.items():
        first[one] += count
        second[other] += count
    expected = sum(first[label] * second[label] for label in first) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def cohen_interval(cells: Mapping[tuple[Hashable, Hashable], int], draws: int = DRAWS) -> Interval | None:
    """Its bootstrap 95 % interval over items. Kappa depends on items only through their cells, so cells are
    resampled.
    """
    found = sorted(cells.items(), key=lambda cell: str(cell[0]))
    if not found:
        return None
    labels = {
        label: at for at, label in enumerate(sorted({label for pair, _ in found for label in pair}, key=str))
    }
    one = np.eye(len(labels))[[labels[pair[0]] for pair, _ in found]]  # (cells, labels)
    other = np.eye(len(labels))[[labels[pair[1]] for pair, _ in found]]
    number = np.array([count for _, count in found], dtype=float)
    total = int(number.sum())
    drawn = generator(number).multinomial(total, number / total, size=draws) / total  # (draws, cells)
    observed = drawn @ np.array([pair[0] == pair[1] for pair, _ in found], dtype=float)
    expected = ((drawn @ one) * (drawn @ other)).sum(axis=1)
    return spread(beyond(observed, expected))


def beyond(observed: Floats, expected: Floats) -> Floats:
    """(observed - expected) / (1 - expected), NaN if chance alone gives full agreement."""
    left = 1 - expected
    return np.divide(observed - expected, left, out=np.full_like(left, np.nan), where=left > 1e-12)


def fleiss_kappa(table: Sequence[Mapping[Hashable, int]]) -> float | None:
    """Fleiss' kappa (1971). None without units, with unequal numbers of annotations, or if only one label
    occurs.
    """
    sizes = {sum(row.values()) for row in table}
    if len(sizes) != 1 or (n := sizes.pop()) < 2:
        return None
    totals: Counter[Hashable] = Counter()
    for row in table:
        totals.update(row)
    observed = sum(sum(count * (count - 1) for count in row.values()) for row in table) / (
        len(table) * n * (n - 1)
    )
    expected = sum((count / (len(table) * n)) ** 2 for count in totals.values())
    return None if expected == 1 else (observed - expected) / (1 - expected)
