"""From a model's logits to predictions: calibration on validation, decoding, and output. Needs numpy."""

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
    """The decoding parameters in an artifact. labels: in order. temperature: divides logits. Depending on the
    task, thresholds: one per label; operating: the targets they were chosen for; deciding: the single label
    with a threshold; cut: its number; unit: of spans, what has a tag.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the logits."""

    @property
    def temperature(self) -> float:
        """Above 0."""

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """0 to 1 each."""

    @property
    def operating(self) -> Any:
        """With by, target, missed, and promised."""

    @property
    def deciding(self) -> Deciding | None:
        """For one label."""

    @property
    def cut(self) -> Cut | None:
        """Number of that label."""

    @property
    def unit(self) -> Any:
        """As `tagging.Unit`."""


C = TypeVar("C", bound=Card)
P = TypeVar("P")


class Decoding(ABC, Generic[P]):
    """Logits cover N rows: an array (N, …), or one array of tokens per text. Decoding gives probabilities or
    scores of the same shape.
    """

    @abstractmethod
    def fit(self, card: C, logits: Any, truth: Any, clusters: Ints | None = None) -> C:
        """Fit the card to validation logits. clusters: number of each row's cluster (N,), None if rows are
        independent.
        """

    def decode(self, logits: Any, temperature: float = 1.0) -> Any:
        """Softmax over the labels."""
        return calibration.softmax(logits, temperature)

    @abstractmethod
    def predicted(
        self, decoded: Any, truth: Any, ids: Sequence[str], card: Card, clusters: Ints | None = None
    ) -> P:
        """The rows as the task's measures and predictions file expect them. clusters: as in `fit`."""

    @abstractmethod
    def predictions(self, decoded: Any, card: Card) -> list[dict[str, Any]]:
        """The prediction for each row, with label names."""

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """What identifies equal predictions: everything except confidence."""
        return without_confidence(prediction)

    def agree(self, one: Any, two: Any, card: Card) -> float:
        """Share of rows (0 to 1) with the same prediction from two models' logits."""
        first, second = (
            self.predictions(self.decode(logits, card.temperature), card) for logits in (one, two)
        )
        return float(
            np.mean(
                [
                    self.identity(mine) == self.identity(other)
                    for mine, other in zip(first, second, strict=True)
                ]
            )
        )


def without_confidence(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """What two equal predictions share."""
    return {name: value for name, value in prediction.items() if name != "confidence"}


def fitted(card: C, **found: Any) -> C:
    """The card with these fields."""
    known: Any = card
    return cast(C, replace(known, **found))
