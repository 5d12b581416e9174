"""What a task brings to robustness: how its rows are disturbed, answered, and held against the answers to the rows as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lifecycle.statistics.metrics import Countable, Floats
from lifecycle.task_types.rows import Rows

AT_ONCE = 256  # rows that a graph answers between two looks at whether to stop


@dataclass(frozen=True)
class Told:
    """One row's answers in words, as `flips` has them, and how sure they are."""

    label: str
    clean: str
    clean_confidence: float | None
    predicted: str
    confidence: float | None


@dataclass(frozen=True)
class Sides:
    """N rows before and after they were disturbed. before, after: ready to be counted; own: (2, N), each row's own score, 0 to 1, on both
    sides; changed: (N,), whether the answer is another; told: of the changed rows, in order. lost: how many marked parts are not asked for
    as they are cut off or gone, and in how many rows; None where nothing is marked."""

    before: Countable
    after: Countable
    own: Floats
    changed: NDArray[np.bool_]
    told: Sequence[Told]
    lost: tuple[int, int] | None = None


class Subject(Protocol):
    """Answers are a list of what the task gives to each row."""

    shown: tuple[str, ...]  # scores that are told, the leading one first
    at_once: int  # rows that are answered between two looks at whether to stop

    def reads(self, rows: Rows) -> Sequence[Any]:
        """What the model reads of each row: where that is equal, so is the answer."""

    def answer(self, rows: Rows) -> list[Any]:
        """The answers to rows, also to disturbed ones."""

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """The rows under one of perturb.PROBES, each by its id."""

    def score(self, rows: Rows, answers: Sequence[Any]) -> Countable:
        """Answers to the rows as they are, ready to be counted."""

    def hold(self, rows: Rows, clean: Sequence[Any], disturbed: Rows, answers: Sequence[Any]) -> Sides:
        """The answers to the rows as they are and to the disturbed ones, against the same truth."""
