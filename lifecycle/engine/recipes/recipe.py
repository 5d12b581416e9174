"""What a task brings to the engine. All else (strategies, batches, checkpoints, graphs) is the same for every task.

encode, collate   a text is cut into tokens and padded in a batch as `classifier` says: alike for all classification
read, truth       what a row says, and all rows' as the array that the loss and the scores read
loss              on the logits of the one linear head
calibrate         what turns logits into answers, chosen on validation and kept in the artifact
decode, answer    logits to probabilities, probabilities to labels
sample            what a few rows say, and what is said of them, at each evaluation
score, report     how good that is; the best step is the one of the best macro-F1 on validation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import nn

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.metrics import Countable, Floats
from lifecycle.engine.spec import TrainSpec

Array = NDArray[Any]


class Recipe(Protocol):
    """Rows are N, labels C, in the order of the spec. truth: an array with N rows, as `truth` makes it."""

    watched: tuple[str, ...]  # scores of validation that are told while it trains
    shown: tuple[str, ...]  # scores that baselines are measured by

    def read(self, row: Mapping[str, Any], index: Mapping[str, int]) -> Any:
        """What one row says, by the labels' numbers. Raises ValueError with why it cannot be read."""

    def check(self, targets: Sequence[Any], labels: tuple[str, ...]) -> None:
        """Raises EngineFault where nothing could be learnt from these training rows."""

    def truth(self, targets: Sequence[Any], classes: int) -> Array:
        """What the rows say, as one array."""

    def support(self, truth: Array, classes: int) -> list[int]:
        """Rows of each label."""

    def loss(self, spec: TrainSpec, truth: Array) -> nn.Module:
        """Of logits (B, C) and labels, which are rows of the truth as a tensor. truth: of the training rows."""

    def calibrate(self, info: ArtifactInfo, logits: Array, truth: Array) -> ArtifactInfo:
        """The artifact's description with what turns these logits (N, C) best into answers."""

    def decode(self, logits: Array, temperature: float = 1.0) -> Floats:
        """Probabilities (N, C)."""

    def answer(self, probabilities: Array, info: ArtifactInfo) -> list[dict[str, Any]]:
        """What each row is told: {"label", "confidence"}, or {"labels": [name, …]}."""

    def sample(self, logits: Array, truth: Array, rows: Sequence[int], labels: tuple[str, ...]) -> list[dict[str, Any]]:
        """Of these rows, of a model in training: {"truth", "answer", "confidence"}. truth and answer: a label's name, or a list of names,
        shown side by side and equal where the answer is right. confidence: 0 to 1 before calibration, None where there is none."""

    def agreement(self, one: Array, two: Array, info: ArtifactInfo) -> float:
        """Share (0 to 1) of rows that two graphs' logits (N, C) give the same answer."""

    def score(self, probabilities: Array, truth: Array, thresholds: Sequence[float] | None = None) -> Countable:
        """The rows, ready to be counted. thresholds: where the task has them."""

    def validate(self, logits: Array, truth: Array) -> dict[str, float]:
        """log_loss, `watched` and how many different answers are given, of a model in training."""

    def report(self, probabilities: Array, truth: Array, info: ArtifactInfo, *, bins: int, count: int, seed: int) -> dict[str, Any]:
        """Everything that an evaluation tells."""
