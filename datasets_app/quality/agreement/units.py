"""Annotations of the same item, and how often they are equal.

A unit has the annotations of one item: a list of (annotator, value). A value is anything that can be compared
and hashed: a label, a frozenset of labels, a frozenset of spans. Units with fewer than two annotations are
ignored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations

Answer = tuple[Hashable, Hashable]
Unit = Sequence[Answer]
FEWEST = 20  # items below which a coefficient isn't meaningful


def shared(units: Iterable[Unit]) -> list[Unit]:
    """The units with at least two annotations."""
    return [unit for unit in units if len(unit) >= 2]


def percent(units: Iterable[Unit]) -> float | None:
    """The share of equal pairs of annotations of the same item, from 0 to 1. None without a pair."""
    equal = total = 0
    for unit in units:
        for (_, one), (_, other) in combinations(unit, 2):
            equal += one == other
            total += 1
    return equal / total if total else None


def paired(units: Iterable[Unit]) -> list[tuple[Hashable, Hashable]]:
    """The first two annotations of each unit, always in the same order of people."""
    return [
        (first[1], second[1])
        for first, second in (sorted(unit, key=lambda answer: str(answer[0]))[:2] for unit in units)
    ]


def counts(units: Iterable[Unit]) -> list[dict[Hashable, int]]:
    """The frequency of each value, unit by unit."""
    return [dict(Counter(value for _, value in unit)) for unit in units]
