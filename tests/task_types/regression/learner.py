"""Regression with one output and mean squared error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.losses import Loss
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.task_types.learner import EncoderLearner
from lifecycle.runtime.statistics.metrics import Floats
from tests.task_types.regression.answers import HIGH, LOW, in_words
from tests.task_types.regression.decoding import ENTRY as DECODING
from tests.task_types.regression.measures import METRICS, ScoredNumbers


class SquaredDistance(Loss):
    """Mean over rows."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits: float (B, 1). labels: float (B,)."""
        return nn.functional.mse_loss(logits[:, 0], labels.to(logits.dtype))

    def weight(self, labels: Tensor) -> float:
        """The number of rows."""
        return float(len(labels))


class NumberLearner(EncoderLearner[float]):
    """A row is {"number": 3.5}; its target is the number."""

    metrics = METRICS

    def read(self, row: Mapping[str, Any], labels: Mapping[str, int]) -> float:
        """The number."""
        number = row.get("number")
        if isinstance(number, bool) or not isinstance(number, int | float) or not LOW <= number <= HIGH:
            raise ValueError(f"it has no number from {LOW:g} to {HIGH:g} under 'number'.")
        return float(number)

    def check(self, targets: Sequence[float], labels: tuple[str, ...]) -> None:
        """Raise EngineFault `one_class` if all numbers are equal."""
        if len(set(targets)) < 2:
            raise EngineFault(
                "one_class",
                f"All {len(targets)} training rows have the number {targets[0]:g}, so there is nothing to"
                " learn.",
                "Annotate texts with different numbers, create a new dataset version, and start a new run.",
            )

    def truth(self, targets: Sequence[float], labels: int) -> Floats:
        """Numbers (N,)."""
        return np.array(targets, dtype=np.float64)

    def outputs(self, labels: int) -> int:
        """A single output."""
        return 1

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """The number of a text."""
        return ("number",)

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """Numbers (B,)."""
        return torch.tensor(labels, dtype=torch.float32)

    def loss(self, spec: TrainSpec, labels: Any) -> nn.Module:
        """Squared error."""
        return SquaredDistance()

    def score(self, outputs: Floats, truth: Floats) -> ScoredNumbers:
        """Score the decoded numbers."""
        return ScoredNumbers(truth, DECODING.decode(outputs))

    def sample(
        self, outputs: Floats, truth: Floats, rows: Sequence[int], labels: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """The annotated and the predicted number, rounded to a tenth."""
        found = DECODING.decode(outputs)
        return [
            {"truth": in_words(truth[at]), "answer": in_words(found[at]), "confidence": None} for at in rows
        ]


ENTRY = NumberLearner()
