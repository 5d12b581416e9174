"""Inputs of group metrics: slices and fairness. Needs numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics.groups import Measure, Quotient

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Classes:
    """Labels of each row. truth, given: their numbers (N,), or for multi-label whether a row has each (N,
    C).
    """

    labels: tuple[str, ...]
    truth: NDArray[np.generic]
    given: NDArray[np.generic]

    def of(self, label: str) -> tuple[Bools, Bools]:
        """Whether each row has this label, and whether it was predicted (N,)."""
        number = self.labels.index(label)
        actual, predicted = (
            (each == number) if each.ndim == 1 else each[:, number].astype(np.bool_)
            for each in (self.truth, self.given)
        )
        return actual, predicted


@dataclass(frozen=True)
class Grouped:
    """Rows in file order. measures: ratio metrics; groups are compared by the first unless another is
    requested. wrong: which rows have an error (N,), None if rows aren't right or wrong. weight: severity,
    highest is worst (N,). classes: None for tasks without labels to assess fairness on. clusters: number of
    each row's cluster, such as near-duplicates (N,); None if rows are independent.
    """

    ids: tuple[str, ...]
    measures: tuple[Measure, ...]
    wrong: Bools | None
    weight: Floats
    classes: Classes | None = None
    clusters: Ints | None = None

    @property
    def counted(self) -> int:
        """The number of clusters."""
        return len(self.ids) if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def quotients(self) -> dict[str, Quotient]:
        """The metrics that groups can be compared by, by name."""
        return {each.name: each for each in self.measures if isinstance(each, Quotient)}

    def worst_first(self, by: str) -> list[int]:
        """All rows: errors first, then by weight; if rows aren't right or wrong, by the metric `by`, lowest
        first, rows without it last; ties by id.
        """
        if self.wrong is not None:
            return [int(row) for row in np.lexsort((np.array(self.ids), -self.weight, ~self.wrong))]
        chosen = self.quotients[by]
        defined = chosen.below > 0
        value = np.divide(chosen.above, chosen.below, out=np.zeros(len(defined)), where=defined)
        return [int(row) for row in np.lexsort((np.array(self.ids), value, ~defined))]


def share(name: str, right: NDArray[np.bool_]) -> Quotient:
    """The share of correct rows (N,)."""
    return Quotient(name, right.astype(np.float64), np.ones(len(right)), is_share=True)


def mean(name: str, values: Floats) -> Quotient:
    """The mean over rows with a value (N,); NaN is skipped."""
    known = ~np.isnan(values)
    return Quotient(name, np.where(known, values, 0.0), known.astype(np.float64))
