"""Krippendorff's alpha for any number of people, missing annotations, and any distance between values. None
means undefined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_app.quality.agreement.units import Unit

Floats = NDArray[np.floating[Any]]
Distance = Callable[[Any, Any], float]


def nominal(one: Hashable, other: Hashable) -> float:
    """0 for equal values, else 1."""
    return float(one != other)


def masi(one: frozenset[Hashable], other: frozenset[Hashable]) -> float:
    """Passonneau's distance of two sets of labels (2006): 1 - Jaccard × monotonicity, from 0 (equal) to 1
    (nothing in common).

    monotonicity: 1 for equal sets, 2/3 where one holds the other, 1/3 where they only overlap. Two empty sets
    are equal.
    """
    if one == other:
        return 0.0
    both = len(one & other)
    if not both:
        return 1.0
    monotonicity = 2 / 3 if both in (len(one), len(other)) else 1 / 3
    return 1 - both / len(one | other) * monotonicity


def krippendorff_alpha(
    units: Iterable[Unit], distance: Distance = nominal, *, order: Sequence[Hashable] | None = None
) -> float | None:
    """Krippendorff's alpha; missing annotations are left out. None if fewer than two values occur.

    distance: between two values, in the form that is summed (squared, if the metric is). order: all values
    from low to high, for ordinal data, whose distances follow from the frequency of each value; `distance` is
    then ignored.
    """
    tables = [Counter(value for _, value in unit) for unit in units if len(unit) >= 2]
    if order is None and distance is nominal:
        return nominal_alpha_of(tables)
    values = (
        list(order) if order is not None else sorted({value for table in tables for value in table}, key=repr)
    )
    coincidences = np.zeros((len(values), len(values)))
    places = {value: at for at, value in enumerate(values)}
    for table in tables:
        add_coincidences(coincidences, {places[value]: count for value, count in table.items()})
    squares = ordinal_squares(coincidences.sum(axis=1)) if order is not None else matrix(values, distance)
    found = float(alpha_of(coincidences, squares))
    return None if np.isnan(found) else found


def nominal_alpha_of(tables: Iterable[Counter[Hashable]]) -> float | None:
    """Nominal alpha, from the frequency of each value in each unit."""
    margins: Counter[Hashable] = Counter()
    observed = 0.0
    for table in tables:
        answers = table.total()
        margins.update(table)
        observed += sum(count * (answers - count) for count in table.values()) / (answers - 1)
    total = margins.total()
    expected = total**2 - sum(count * count for count in margins.values())
    return None if not expected else 1 - (total - 1) * observed / expected


def add_coincidences(coincidences: Floats, table: dict[int, int]) -> None:
    """Add the ordered pairs of values of one unit, each with weight 1 / (annotations - 1). table: frequency
    of each value.
    """
    answers = sum(table.values())
    for one, count in table.items():
        for other, other_count in table.items():
            coincidences[one, other] += count * (other_count - (one == other)) / (answers - 1)


def matrix(values: Sequence[Any], distance: Distance) -> Floats:
    """The distances of all pairs of values."""
    return np.array([[distance(one, other) for other in values] for one in values], dtype=float).reshape(
        len(values), len(values)
    )


def ordinal_squares(margins: Floats) -> Floats:
    """Krippendorff's squared ordinal distances: all annotations between two values, those at the ends half.
    margins: (…, values).
    """
    reached = np.cumsum(margins, axis=-1) - margins / 2  # the middle of each value's annotations
    squares: Floats = (reached[..., :, None] - reached[..., None, :]) ** 2
    return squares


def alpha_of(coincidences: Floats, squares: Floats) -> Floats:
    """1 - observed / expected disagreement. Both (…, values, values); NaN if no disagreement is possible."""
    margins = coincidences.sum(axis=-1)
    return alpha_from((coincidences * squares).sum(axis=(-2, -1)), margins, squares)


def alpha_from(observed: Floats, margins: Floats, squares: Floats) -> Floats:
    """The same from the summed distances (…) of all coincidences and the frequency of each value (…,
    values).
    """
    expected = np.einsum("...i,...ij,...j->...", margins, squares, margins, optimize=True)
    scaled = (margins.sum(axis=-1) - 1) * observed
    return 1 - np.divide(scaled, expected, out=np.full_like(expected, np.nan), where=expected > 0)
