"""What groups of rows are made and measured by: slices and fairness. numpy."""

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
    """The classes of each row. truth, given: their numbers (N,), or of sets whether a row has each (N, C)."""

    labels: tuple[str, ...]
    truth: NDArray[np.generic]
    given: NDArray[np.generic]

    def of(self, label: str) -> tuple[Bools, Bools]:
        """Whether each row has this class, and whether it was answered with it (N,)."""
        number = self.labels.index(label)
        held, said = ((each == number) if each.ndim == 1 else each[:, number].astype(np.bool_) for each in (self.truth, self.given))
        return held, said


@dataclass(frozen=True)
class Grouped:
    """Rows in file order. measures: quotients, by the first of which groups are compared unless another is asked for, and others. wrong:
    which rows have a mistake (N,), None where a row is not right or wrong. weight: how bad it is, the worst the highest (N,). classes: None
    where the task has none that fairness could be told of. clusters: number of each row's cluster, such as near duplicates (N,); None where
    each is one of its own."""

    ids: tuple[str, ...]
    measures: tuple[Measure, ...]
    wrong: Bools | None
    weight: Floats
    classes: Classes | None = None
    clusters: Ints | None = None

    @property
    def counted(self) -> int:
        """How many clusters the rows come in."""
        return len(self.ids) if self.clusters is None else int(self.clusters.max()) + 1

    @property
    def quotients(self) -> dict[str, Quotient]:
        """The measures by which groups can be compared, by name."""
        return {each.name: each for each in self.measures if isinstance(each, Quotient)}

    def worst_first(self, by: str) -> list[int]:
        """All rows: those with a mistake first, then by weight; where none is right or wrong by the quotient `by`, the lowest first, and
        those last of which it says nothing; by id where they are equal."""
        if self.wrong is not None:
            return [int(row) for row in np.lexsort((np.array(self.ids), -self.weight, ~self.wrong))]
        chosen = self.quotients[by]
        told = chosen.below > 0
        value = np.divide(chosen.above, chosen.below, out=np.zeros(len(told)), where=told)
        return [int(row) for row in np.lexsort((np.array(self.ids), value, ~told))]


def share(name: str, right: NDArray[np.bool_]) -> Quotient:
    """Of rows that are right (N,)."""
    return Quotient(name, right.astype(np.float64), np.ones(len(right)), is_share=True)


def mean(name: str, values: Floats) -> Quotient:
    """Over the rows whose value (N,) is known; NaN says nothing."""
    known = ~np.isnan(values)
    return Quotient(name, np.where(known, values, 0.0), known.astype(np.float64))
