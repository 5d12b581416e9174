"""Preferences as rankings of two candidates, and the probability that the first is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.decoding import Card
from lifecycle.runtime.task_types.ranking.served import Row, ServedRankings
from lifecycle.runtime.task_types.served import Output, Values
from lifecycle.runtime.task_types.shown import Given, Shown, Tensors


class ServedPreferences(ServedRankings):
    """Decoded values are strengths (N, 2)."""

    def read(self, given: Mapping[str, Sequence[Any]]) -> list[Row]:
        """Two candidates for each text."""
        rows = super().read(given)
        if any(len(row) != 3 for row in rows):
            raise ValueError("Each text needs two candidates.")
        return rows

    def example(self, text: str) -> Row:
        """A prompt with two candidates."""
        return text, text, text

    def outputs(self, card: Card) -> tuple[Output, ...]:
        """CONFIDENCE too: how likely the first candidate of each text is better."""
        return (*super().outputs(card), Output("CONFIDENCE", "FP32", (-1,)))

    def values(
        self, name: str, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> Values:
        """As `Served.values`."""
        if name == "CONFIDENCE":
            return calibration.sigmoid(decoded[:, 0] - decoded[:, 1]).astype(np.float32)
        return super().values(name, decoded, predictions, card)

    def shown(self, given: Given, outputs: Tensors) -> Shown:
        """Which is better, and how likely."""
        (first,), (rank, other) = outputs["CONFIDENCE"]["data"], outputs["RANKS"]["data"]
        words = (
            "Both are equally good" if rank == other else f"Candidate {1 if rank < other else 2} is better"
        )
        return replace(super().shown(given, outputs), summary=words, confidence=max(first, 1 - first))

    def value(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The better of the two, or a tie."""
        first, second = prediction["strengths"]
        return {"choice": "tie" if first == second else "first" if first > second else "second"}


ENTRY = ServedPreferences()
