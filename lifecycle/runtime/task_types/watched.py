"""What monitoring compares traffic with: a task's evaluated predictions, as its figures count predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics.metrics import Floats, Ints

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """N evaluated predictions. names: all labels, in order. labels: those of each prediction, once each;
    confidence: 0 to 1, as spooled; right: whether all of it is (N,). clusters: as in `Predicted`.

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


class Watched(ABC, Generic[P]):
    """Rows are the task's predictions as its `measures` have them."""

    @abstractmethod
    def observed(self, rows: P) -> Observed:
        """Without rows whose probabilities aren't numbers."""


def finite(probabilities: Floats) -> list[int]:
    """The places of the rows (N, C) that are numbers."""
    places: list[int] = np.flatnonzero(np.isfinite(probabilities).all(axis=1)).tolist()
    return places
