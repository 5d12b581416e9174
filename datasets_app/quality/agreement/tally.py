"""Agreement coefficients of any number of items, in constant memory.

Every coefficient here is a function of sums over items. The sums are kept in up to 512 groups to which items
are assigned in turn: with fewer items each is its own group, with more the bootstrap resamples groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets_app.quality.agreement.alpha import (
    add_coincidences,
    alpha_from,
    alpha_of,
    masi,
    matrix,
    nominal,
    ordinal_squares,
)
from datasets_app.quality.agreement.intervals import bootstrap
from datasets_app.quality.agreement.kappa import beyond
from datasets_app.quality.agreement.spans import span_counts
from datasets_app.quality.agreement.units import FEWEST, Unit
from lifecycle.runtime.statistics import clustered

Floats = NDArray[np.floating[Any]]
Statistic = Callable[[Floats], Floats]
GROUPS = 512
MOST_RANKS = 30  # labels up to which their order can be a scale
MOST_SETS = 2_000  # different sets of labels up to which their distances are computed
ALIKE = "Interval not measured: too few items differ."
SHARES = ("percent", "span_f1", "span_f1_overlap")  # of pairs of annotations
# the first sums of a group: items, equal pairs of annotations, pairs, summed distances
ITEMS, EQUAL, PAIRS, APART = range(4)


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient with its 95 % interval. value: None if it's undefined or there are too few items; why:
    the reason, also if only the interval is missing.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    why: str = ""


class Tally:
    """Accumulates units one by one and computes their coefficients.

    names: of the coefficients, from `Answers.coefficients`; for "alpha_masi" and span F1, values are
    frozensets of parts. order: the labels from first to last, for "alpha_ordinal".
    """

    def __init__(self, names: Sequence[str], order: Sequence[Hashable] = ()) -> None:
        self.names, self.items, self.answers = names, 0, 0
        self.of_sets, self.of_spans = "alpha_masi" in names, "span_f1" in names
        self.sizes: set[int] = set()
        self.values: dict[Hashable, int] = {value: at for at, value in enumerate(order)}
        self.sums = np.zeros((GROUPS, 4))
        self.shares: dict[str, Counter[tuple[float, float]]] = {
            name: Counter() for name in names if name in SHARES
        }
        self.margins: list[Counter[int]] = [Counter() for _ in range(GROUPS)]
        self.ranks = (
            np.zeros((GROUPS, len(order), len(order)))
            if "alpha_ordinal" in names and 3 <= len(order) <= MOST_RANKS
            else None
        )

    def add(self, unit: Unit) -> None:
        """Add one item's annotations; ignored if fewer than two."""
        if len(unit) < 2:
            return
        group = self.items % GROUPS
        self.items += 1
        self.answers += len(unit)
        self.sizes.add(len(unit))
        given = Counter(value for _, value in unit)
        equal = sum(count * (count - 1) for count in given.values()) / 2
        pairs = len(unit) * (len(unit) - 1) / 2
        self.sums[group] += (1, equal, pairs, self.apart(given))
        self.shares["percent"][equal, pairs] += 1
        if self.of_spans:
            for name, overlap in (("span_f1", False), ("span_f1_overlap", True)):
                hits, spans = span_counts(unit, overlap=overlap)
                self.shares[name][2 * hits, spans] += 1
            return
        if self.of_sets and len(self.values) > MOST_SETS:
            return  # alpha isn't measured any more, so values, which may be whole texts, aren't kept
        table = {self.values.setdefault(value, len(self.values)): count for value, count in given.items()}
        self.margins[group].update(table)
        if self.ranks is not None and max(table) < len(self.ranks[group]):
            add_coincidences(self.ranks[group], table)

    def apart(self, given: Counter[Hashable]) -> float:
        """The summed distances of the coincidences of one unit."""
        if self.of_spans or len(given) == 1:
            return 0.0
        distance: Any = masi if self.of_sets else nominal
        pairs = combinations(given.items(), 2)
        return float(
            sum(2 * one_count * count * distance(one, other) for (one, one_count), (other, count) in pairs)
            / (given.total() - 1)
        )

    def coefficients(self) -> list[Coefficient]:
        """All coefficients, undefined ones with the reason; without the ordinal one if the labels can't be a
        scale.
        """
        return [
            self.coefficient(name) for name in self.names if name != "alpha_ordinal" or self.ranks is not None
        ]

    def coefficient(self, name: str) -> Coefficient:
        """The coefficient with this name."""
        if name in self.shares:
            return self.share(name)
        if name == "alpha_ordinal" and self.ranks is not None:
            return self.estimate(name, self.ranks.reshape(GROUPS, -1), ordinal_alpha)
        return {"alpha": self.alpha, "alpha_masi": self.masi_alpha, "fleiss": self.fleiss}[name]()

    def alpha(self) -> Coefficient:
        """Nominal alpha."""
        return self.estimate("alpha", self.table(), nominal_alpha)

    def share(self, name: str) -> Coefficient:
        """A share with its interval over items, which has a width even if all annotations are equal."""
        if self.items < FEWEST:
            return self.too_few(name)
        cells = np.array(list(self.shares[name]), dtype=float)
        found = clustered.sums(*np.repeat(cells, list(self.shares[name].values()), axis=0).T)
        if not found.below:
            return Coefficient(name, None, None, None, self.items, "Undefined: all annotations are equal.")
        share = clustered.share(found)
        return Coefficient(name, share.value, share.low, share.high, self.items)

    def too_few(self, name: str) -> Coefficient:
        """A coefficient without a value, because of too few items."""
        return Coefficient(name, None, None, None, self.items, f"Too few: {self.items} of {FEWEST} items.")

    def estimate(self, name: str, totals: Floats, statistic: Statistic) -> Coefficient:
        """A coefficient with its bootstrap interval over the groups in use. totals: (groups, sums)."""
        if self.items < FEWEST:
            return self.too_few(name)
        used = totals[: min(self.items, GROUPS)]
        value = float(statistic(used.sum(axis=0, keepdims=True))[0])
        if np.isnan(value):
            return Coefficient(name, None, None, None, self.items, "Undefined: all annotations are equal.")
        interval = bootstrap(used, statistic)
        if interval is None:
            return Coefficient(name, value, None, None, self.items, ALIKE)
        return Coefficient(name, value, interval.low, interval.high, self.items)

    def table(self) -> Floats:
        """The sums of each group, then the frequency of each value: (groups, 4 + values)."""
        found = np.zeros((GROUPS, 4 + len(self.values)))
        found[:, :4] = self.sums
        for group, margins in enumerate(self.margins):
            for at, count in margins.items():
                found[group, 4 + at] = count
        return found

    def fleiss(self) -> Coefficient:
        """Fleiss' kappa, which needs the same number of annotations for every item."""
        if len(self.sizes) > 1 and self.items >= FEWEST:
            least, most = min(self.sizes), max(self.sizes)
            return Coefficient(
                "fleiss",
                None,
                None,
                None,
                self.items,
                f"Undefined: items have {least} to {most} annotations.",
            )
        return self.estimate("fleiss", self.table(), fleiss_of)

    def masi_alpha(self) -> Coefficient:
        """Krippendorff's alpha of sets of labels."""
        if len(self.values) > MOST_SETS:
            why = f"Not measured: more than {MOST_SETS:,} different sets of labels."
            return Coefficient("alpha_masi", None, None, None, self.items, why)
        squares = matrix(list(self.values), masi)
        return self.estimate(
            "alpha_masi", self.table(), lambda sums: alpha_from(sums[:, APART], sums[:, 4:], squares)
        )


def divided(one: Floats, other: Floats) -> Floats:
    """The quotient, NaN for a denominator of 0."""
    return np.divide(one, other, out=np.full_like(other, np.nan, dtype=float), where=other > 0)


def nominal_alpha(sums: Floats) -> Floats:
    """Krippendorff's alpha of rows as in `Tally.table`."""
    margins = sums[:, 4:]
    total = margins.sum(axis=1)
    return 1 - divided((total - 1) * sums[:, APART], total**2 - (margins**2).sum(axis=1))


def ordinal_alpha(sums: Floats) -> Floats:
    """Krippendorff's ordinal alpha of flattened coincidences (rows, labels × labels), a few rows at a
    time.
    """
    labels = round(sums.shape[1] ** 0.5)
    parts = np.array_split(sums.reshape(-1, labels, labels), -(-len(sums) // 100))
    return np.concatenate([alpha_of(part, ordinal_squares(part.sum(axis=-1))) for part in parts])


def fleiss_of(sums: Floats) -> Floats:
    """Fleiss' kappa of rows as in `Tally.table`, if every item has the same number of annotations."""
    margins = sums[:, 4:]
    shares = margins / margins.sum(axis=1, keepdims=True)
    return beyond(divided(sums[:, EQUAL], sums[:, PAIRS]), (shares**2).sum(axis=1))
