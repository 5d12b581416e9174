"""How a task's predictions are served: tensors of the Open Inference Protocol, and lines for the spool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from lifecycle.runtime.task_types.decoding import Card

Values = list[str] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor of the response. datatype: BYTES, FP32, INT32, or BOOL; shape: -1 where it depends on the
    request. on_request: only sent if the request names it. parameters: sent with it.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    on_request: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Served(ABC):
    """Decoded values and predictions are those of the task's `Decoding`, for N texts."""

    def width(self, card: Card) -> int:
        """How many numbers the network gives per text."""
        return len(card.labels)

    @abstractmethod
    def outputs(self, card: Card) -> tuple[Output, ...]:
        """The tensors, in the order of the response."""

    @abstractmethod
    def values(self, name: str, decoded: Any, predictions: Sequence[Mapping[str, Any]], card: Card) -> Values:
        """Of one of the tensors, in its shape."""

    @abstractmethod
    def spooled(
        self, decoded: Any, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> list[dict[str, Any]]:
        """The spool's entry for each prediction, at most 2 kB each."""

    def divergence(self, answered: Any, card: Card, shadow: Any, other: Card) -> float | None:
        """Of a shadow's output for a text from the client's, in nats, at least 0; None where the task has
        none, or their labels differ. answered, shadow: decoded values of the text; card, other: their cards.
        """
        return None
