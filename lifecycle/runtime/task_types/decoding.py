"""What becomes of a model's logits: what is fitted to them on validation, what they are decoded to, and what is predicted. numpy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.deciding import Cut, Deciding
from lifecycle.runtime.statistics.metrics import Ints


class Card(Protocol):
    """What an artifact says of its logits. labels: in their order. temperature: what they are divided by. The rest as a task needs it:
    thresholds: one a label. operating: what these are chosen for. deciding: the one label with a threshold; cut: the same by its number."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In order of the logits."""

    @property
    def temperature(self) -> float:
        """Above 0."""

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """0 to 1 each."""

    @property
    def operating(self) -> Any:
        """With by, target, missed and promised."""

    @property
    def deciding(self) -> Deciding | None:
        """Of one label."""

    @property
    def cut(self) -> Cut | None:
        """Of that label."""


C = TypeVar("C", bound=Card)
P = TypeVar("P")


class Decoding(ABC, Generic[P]):
    """Logits are of N rows: an array (N, …), or the tokens of each text. Decoded, they are probabilities or strengths of the same shape."""

    @abstractmethod
    def fit(self, card: C, logits: Any, truth: Any, clusters: Ints | None = None) -> C:
        """The card with what turns these logits best into predictions. clusters: number of each row's cluster (N,), None where rows are
        independent."""

    def decode(self, logits: Any, temperature: float = 1.0) -> Any:
        """Softmax over the labels."""
        return calibration.softmax(logits, temperature)

    @abstractmethod
    def predicted(self, decoded: Any, truth: Any, ids: Sequence[str], card: Card, clusters: Ints | None = None) -> P:
        """The rows as the task's measures and its file take them. clusters: as of `fit`."""

    @abstractmethod
    def predictions(self, decoded: Any, card: Card) -> list[dict[str, Any]]:
        """What is predicted of each row, labels by name."""

    def told(self, prediction: Mapping[str, Any]) -> Any:
        """What is equal of two equal predictions: all but how sure they are."""
        return {name: value for name, value in prediction.items() if name != "confidence"}

    def agree(self, one: Any, two: Any, card: Card) -> float:
        """Share (0 to 1) of rows of which two models' logits predict the same."""
        first, second = (self.predictions(self.decode(logits, card.temperature), card) for logits in (one, two))
        return float(np.mean([self.told(mine) == self.told(other) for mine, other in zip(first, second, strict=True)]))


def fitted(card: C, **found: Any) -> C:
    """The card with these fields."""
    known: Any = card
    return cast(C, replace(known, **found))
