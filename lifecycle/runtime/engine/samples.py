"""Sample predictions: a few validation rows with their truth and prediction at each evaluation.

The events contain their ids and labels, never their texts: pages read the texts from the dataset, under its
permissions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SHOWN = 8


def choose(rows: int, seed: int) -> tuple[int, ...]:
    """Numbers of up to eight rows, the same for the same seed, rising."""
    drawn = np.random.default_rng(seed).choice(rows, size=min(SHOWN, rows), replace=False)
    return tuple(sorted(int(each) for each in drawn))


@dataclass(frozen=True)
class Samples:
    """Which rows are shown. ids: of all validation rows. learner: its `sample` gives their truth and
    predictions.
    """

    learner: Any
    labels: tuple[str, ...]
    ids: Sequence[str]
    numbers: tuple[int, ...]

    def event(self, step: int, outputs: Any, truth: Any) -> dict[str, Any]:
        """The event `samples` of an evaluation: step, and rows of id, truth, answer and confidence, in the
        order of validation; where they were written for it, the seconds that this took.
        """
        samples = self.learner.sample(outputs, truth, self.numbers, self.labels)
        rows = [{"id": self.ids[at], **each} for at, each in zip(self.numbers, samples, strict=True)]
        return {"step": step, "rows": rows} | (
            {"seconds": outputs.seconds} if hasattr(outputs, "seconds") else {}
        )
