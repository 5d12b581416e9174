"""How far annotators agree beyond chance. Pure; checked against published examples.

A table of answers is a list of units (items), each a list of (annotator, label). A unit with fewer than two answers says nothing and is
left out. None means: not defined for these data.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

Answer = tuple[Hashable, Hashable]
FEWEST = 20  # items below which a coefficient says too little


@dataclass(frozen=True, slots=True)
class Agreement:
    """The coefficients of one queue. items: units with at least two answers. None: not defined, or too few items."""

    items: int
    percent: float | None
    alpha: float | None
    fleiss: float | None
    cohen: float | None

    @property
    def too_few(self) -> bool:
        """Whether there are too few items for any coefficient."""
        return self.items < FEWEST


def summarise(units: Sequence[Sequence[Answer]]) -> Agreement:
    """All coefficients that the data allow; Cohen's kappa only between exactly two people, Fleiss' only with equal numbers of answers."""
    shared = [unit for unit in units if len(unit) >= 2]
    if len(shared) < FEWEST:
        return Agreement(len(shared), None, None, None, None)
    people = {annotator for unit in shared for annotator, _ in unit}
    cohen = cohen_kappa(paired(shared)) if len(people) == 2 else None
    return Agreement(len(shared), percent(shared), krippendorff_alpha(shared), fleiss_kappa(counts(shared)), cohen)


def percent(units: Iterable[Sequence[Answer]]) -> float | None:
    """The share of pairs of answers to the same item that are equal, from 0 to 1."""
    equal = total = 0
    for unit in units:
        for (_, one), (_, other) in combinations(unit, 2):
            equal += one == other
            total += 1
    return equal / total if total else None


def paired(units: Iterable[Sequence[Answer]]) -> list[tuple[Hashable, Hashable]]:
    """The two answers of each unit, always in the same order of the two people."""
    return [(first[1], second[1]) for first, second in (sorted(unit, key=lambda answer: str(answer[0]))[:2] for unit in units)]


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two people (1960). None without pairs, or when both gave one and the same label throughout."""
    if not pairs:
        return None
    total = len(pairs)
    observed = sum(one == other for one, other in pairs) / total
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(first[label] * second[label] for label in first) / total**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def counts(units: Iterable[Sequence[Answer]]) -> list[dict[Hashable, int]]:
    """How often each label was given, unit by unit."""
    return [dict(Counter(label for _, label in unit)) for unit in units]


def fleiss_kappa(table: Sequence[dict[Hashable, int]]) -> float | None:
    """Fleiss' kappa (1971). None without units, with unequal numbers of answers, or when only one label was ever given."""
    sizes = {sum(row.values()) for row in table}
    if len(sizes) != 1 or (n := sizes.pop()) < 2:
        return None
    totals: Counter[Hashable] = Counter()
    for row in table:
        totals.update(row)
    observed = sum(sum(count * (count - 1) for count in row.values()) for row in table) / (len(table) * n * (n - 1))
    expected = sum((count / (len(table) * n)) ** 2 for count in totals.values())
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(units: Iterable[Sequence[Answer]]) -> float | None:
    """Krippendorff's alpha for nominal data; missing answers are simply not there. None when fewer than two labels were ever given."""
    coincidences: dict[tuple[Hashable, Hashable], float] = defaultdict(float)
    for unit in units:
        if len(unit) < 2:
            continue
        labels = Counter(label for _, label in unit)
        for one, count in labels.items():
            for other, other_count in labels.items():
                coincidences[one, other] += count * (other_count - (one == other)) / (len(unit) - 1)
    margins: Counter[Hashable] = Counter()
    for (one, _), value in coincidences.items():
        margins[one] += value  # type: ignore[assignment]
    total = sum(margins.values())
    disagreement = sum(value for (one, other), value in coincidences.items() if one != other)
    expected = sum(margins[one] * margins[other] for one in margins for other in margins if one != other)
    return None if not expected else 1 - (total - 1) * disagreement / expected
