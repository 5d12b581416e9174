"""Decoding of regression: the output, clipped to the range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.metrics import Floats, Ints
from lifecycle.runtime.task_types.decoding import C, Card, Decoding
from tests.task_types.regression.answers import HIGH, LOW
from tests.task_types.regression.measures import Numbers


class NumberDecoding(Decoding[Numbers]):
    """Logits are (N, 1); decoded numbers are (N,)."""

    def fit(self, card: C, logits: Any, truth: Any, clusters: Ints | None = None) -> C:
        """Needs no fitting."""
        return card

    def decode(self, logits: Any, temperature: float = 1.0) -> Floats:
        """The numbers, clipped to the range."""
        return np.clip(np.asarray(logits, dtype=np.float64)[:, 0], LOW, HIGH)

    def predicted(
        self, decoded: Floats, truth: Floats, ids: Sequence[str], card: Card, clusters: Ints | None = None
    ) -> Numbers:
        """With the annotated numbers."""
        return Numbers(tuple(ids), truth, decoded, clusters)

    def predictions(self, decoded: Floats, card: Card) -> list[dict[str, Any]]:
        """{"number"}."""
        return [{"number": each} for each in decoded.tolist()]

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """The number, rounded to a tenth."""
        return round(prediction["number"], 1)


ENTRY = NumberDecoding()
