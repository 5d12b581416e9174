"""How a task's predictions are served: tensors of the Open Inference Protocol, and lines for the spool."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.task_types.decoding import Card, without_confidence
from lifecycle.runtime.task_types.samples import Sample, curl, tritonclient
from lifecycle.runtime.task_types.shown import Given, Shown, Tensors, in_words

Values = list[str] | NDArray[Any]

ENTRY_BYTES, SUMMARY_CHARS = 2_000, 120
TOP_SCORES = 5  # labels in an entry of the spool
LEAST = 1e-12  # a smaller probability counts as this in a divergence


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor of the request, of shape (n,). datatype: BYTES or INT32."""

    name: str
    datatype: str
    optional: bool = False


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


TEXT = Input("TEXT", "BYTES")


class Served(ABC):
    """Decoded values and predictions are those of the task's `Decoding`, for N rows. A row is what gets one
    prediction: a text, unless the task reads other inputs.

    is_ragged: the network gives numbers to each token. is_text: predictions are texts, which are kept only
    where the endpoint keeps texts. sample: of a request, its values by input.
    """

    inputs: ClassVar[tuple[Input, ...]] = (TEXT,)
    sample: ClassVar[Mapping[str, Sequence[str]]] = {TEXT.name: ("I lost my card",)}
    is_ragged: ClassVar[bool] = False
    is_text: ClassVar[bool] = False

    def read(self, given: Mapping[str, Sequence[Any]]) -> list[Any]:
        """The rows of a request's inputs. Raises ValueError with a sentence for the client."""
        return list(given[TEXT.name])

    def given(self, text: str, content: Mapping[str, Any] | None) -> dict[str, list[str]]:
        """The values of a request for one item of a dataset, by input. text, content: the item's."""
        return {TEXT.name: [text]}

    def request(self, given: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """The body of a request with these values."""
        tensors = (
            {"name": each.name, "datatype": each.datatype, "shape": [len(values)], "data": list(values)}
            for each in self.inputs
            if (values := given.get(each.name))
        )
        return {"inputs": list(tensors)}

    def samples(self, server: str, name: str) -> list[Sample]:
        """Programs that request a prediction of the sample. server: its address; name: the endpoint's."""
        return [
            curl(f"{server}/v2/models/{name}/infer", self.request(self.sample)),
            tritonclient(server, name, self.sample),
        ]

    def shown(self, given: Given, outputs: Tensors) -> Shown:
        """The response to a request with one row. Raises KeyError, ValueError, or IndexError where it isn't
        one of this task.
        """
        return Shown(tensors=[(name, in_words(each)) for name, each in outputs.items()])

    def example(self, text: str) -> Any:
        """A row with this text."""
        return text

    def texts(self, row: Any) -> tuple[str, ...]:
        """The texts of a row, the one that the prediction is about first."""
        return (row,)

    def beside(self, row: Any) -> dict[str, Any]:
        """What the spool keeps with a row's first text, where texts are kept: the candidates."""
        _, *candidates = self.texts(row)
        return {"candidates": candidates} if candidates else {}

    def sequences(self, row: Any) -> Sequence[tuple[str, str | None]]:
        """What the network reads for a row: texts, each with another that it reads together with it, or
        None.
        """
        return [(row, None)]

    def width(self, card: Card) -> int:
        """How many numbers the network gives per sequence, or per token."""
        return len(card.labels)

    def gather(
        self, logits: Sequence[NDArray[Any]], encodings: Sequence[Any], rows: Sequence[Any], card: Card
    ) -> Any:
        """Logits as the task's `Decoding` takes them. logits: of each sequence, one after the other (K,), or
        of all its tokens (T, K); encodings: the sequences as the tokenizer returned them.
        """
        return np.stack(logits)

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

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """What identifies equal predictions, as of the task's `Decoding`."""
        return without_confidence(prediction)

    def divergence(self, answered: Any, card: Card, shadow: Any, other: Card) -> float | None:
        """Of a shadow's output for a row from the client's, in nats, at least 0; None where the task has
        none, or their labels differ. answered, shadow: decoded values of the row; card, other: their cards.
        """
        return None


def summary(names: Sequence[str]) -> str:
    """Names in at most 120 characters."""
    text = ", ".join(names)
    return text if len(text) <= SUMMARY_CHARS else text[: SUMMARY_CHARS - 1] + "…"


def fitting(entry: Mapping[str, Any], limit: int = ENTRY_BYTES) -> dict[str, Any]:
    """An entry of the spool within so many bytes: a larger one loses its value, then its last scores, then
    its last labels.
    """
    kept = dict(entry)
    if _size(kept) > limit:
        kept.pop("value")
    scores = dict(kept.get("scores", {}))
    while scores and _size(kept) > limit:
        scores.popitem()
        kept["scores"] = dict(scores)
    room = limit - _size(kept | {"labels": []})
    lengths = np.cumsum([len(json.dumps(label)) + 1 for label in kept["labels"]])
    kept["labels"] = kept["labels"][: int(np.searchsorted(lengths, room, side="right"))]
    return kept


def _size(entry: Mapping[str, Any]) -> int:
    return len(json.dumps(entry, separators=(",", ":")))  # ASCII, as the spool writes it
