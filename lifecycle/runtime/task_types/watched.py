"""What monitoring compares traffic with: a task's evaluated predictions, as its figures count predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics.metrics import Floats, Ints
from lifecycle.runtime.task_types.answers import Value

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """N evaluated predictions. names: all labels, in order. labels: those of each prediction, once each;
    confidence: 0 to 1, as spooled, NaN where a prediction has none; right: whether all of it is (N,).
    clusters: as in `Predicted`. values: as spooled, None where one is too large; only of tasks with figures.

    Of a task with exactly one label, probabilities (N, C) and the true label's number (N,); None of others.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    labels: Sequence[Sequence[str]]
    confidence: Floats
    right: NDArray[np.bool_]
    clusters: Ints | None = None
    probabilities: Floats | None = None
    truth: Ints | None = None
    values: Sequence[Value | None] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of each prediction that monitoring compares. name: of its monitor. of: from a prediction's
    value, as spooled, and the characters of its text; None where it has none. whole: a count; else a
    quantity, whose 0 is a bin of its own.
    """

    name: str
    of: Callable[[Value, int], float | None]
    whole: bool = False


class Watched(ABC, Generic[P]):
    """Rows are the task's predictions as its `measures` have them.

    labels_as: the monitor that compares labels. orders: whether `taus` compares predictions with right
    orders.
    """

    figures: ClassVar[tuple[Figure, ...]] = ()
    labels_as: ClassVar[str] = "label"
    orders: ClassVar[bool] = False

    @abstractmethod
    def observed(self, rows: P) -> Observed:
        """Without rows whose probabilities aren't numbers."""

    def taus(self, predicted: Sequence[Value], right: Sequence[Value]) -> Floats:
        """Kendall's tau of N predictions with the right orders (N,), -1 to 1."""
        raise NotImplementedError


def finite(probabilities: Floats) -> list[int]:
    """The places of the rows (N, C) that are numbers."""
    places: list[int] = np.flatnonzero(np.isfinite(probabilities).all(axis=1)).tolist()
    return places
