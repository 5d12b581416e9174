"""One label a text: cross entropy over the labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.losses import CrossEntropy, balanced_weights
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.task_types.learner import EncoderLearner
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.statistics.metrics import Floats, Ints, Scored
from lifecycle.runtime.task_types.single_label.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.single_label.measures import METRICS


class LabelLearner(EncoderLearner[int]):
    """A row is {"label": name}; its truth is the label's number."""

    metrics = METRICS

    def read(self, row: Mapping[str, Any], labels: Mapping[str, int]) -> int:
        """Its label's number."""
        label = row.get("label")
        if not isinstance(label, str) or label not in labels:
            raise ValueError(f"label {json.dumps(label, ensure_ascii=False)} isn't among the spec's labels.")
        return labels[label]

    def check(self, targets: Sequence[int], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `one_class` when fewer than two labels occur: there is nothing to separate."""
        seen = sorted(set(targets))
        if len(seen) < 2:
            raise EngineFault(
                "one_class",
                f"All {len(targets)} training rows carry the label {labels[seen[0]]!r}; a classifier needs at"
                " least two.",
                "Label rows with another label, create a new dataset version, and start a new run.",
            )

    def truth(self, targets: Sequence[int], labels: int) -> Ints:
        """Label numbers (N,)."""
        return np.array(targets, dtype=np.int64)

    def support(self, truth: Ints, labels: int) -> list[int]:
        """Rows of each label."""
        return [int(count) for count in np.bincount(truth, minlength=labels)]

    def loss(self, spec: TrainSpec, labels: Ints) -> nn.Module:
        """Cross entropy."""
        weights = balanced_weights(labels.tolist(), len(spec.labels)) if spec.class_weights else None
        return CrossEntropy(weights, spec.label_smoothing, spec.focal_gamma)

    def score(self, outputs: Floats, truth: Ints) -> Scored:
        """By the likeliest label: the best step doesn't depend on a threshold, which is chosen at the end of
        training.
        """
        return metrics.score_rows(DECODING.decode(outputs), truth)

    def variety(self, scored: Scored) -> dict[str, float]:
        """predicted_classes: how many labels."""
        return {"predicted_classes": float(len(np.unique(scored.predicted)))}

    def sample(
        self, outputs: Floats, truth: Ints, rows: Sequence[int], labels: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """The likeliest label and its probability."""
        numbers = list(rows)
        probabilities = DECODING.decode(outputs[numbers])
        return [
            {"truth": labels[true], "answer": labels[row.argmax()], "confidence": float(row.max())}
            for true, row in zip(truth[numbers], probabilities, strict=True)
        ]


ENTRY = LabelLearner()
