"""Text classification, one label a text: softmax over the classes, the likeliest is the answer, or one of them from a threshold on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.losses import CrossEntropy, balanced_weights
from lifecycle.engine.recipes.texts import OfTexts
from lifecycle.engine.spec import TrainSpec
from lifecycle.statistics import calibration, deciding, metrics
from lifecycle.statistics.deciding import Cut, Rule
from lifecycle.statistics.metrics import Floats, Ints, Scored
from lifecycle.task_types.measures import Metrics
from lifecycle.task_types.single_label import measures as single_label
from lifecycle.task_types.single_label.measures import Predictions

Array = NDArray[Any]


class SingleLabel(OfTexts):
    """A row is {"label": name}; its truth is the label's number."""

    metrics: Metrics = single_label.METRICS

    def read(self, row: Mapping[str, Any], index: Mapping[str, int]) -> int:
        """Its label's number."""
        label = row.get("label")
        if not isinstance(label, str) or label not in index:
            raise ValueError(f"label {json.dumps(label, ensure_ascii=False)} is not among the spec's labels.")
        return index[label]

    def check(self, targets: Sequence[int], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `one_class` when fewer than two labels occur: there is nothing to tell apart."""
        seen = sorted(set(targets))
        if len(seen) < 2:
            raise EngineFault(
                "one_class",
                f"All {len(targets)} training rows carry the label {labels[seen[0]]!r}; a classifier needs at least two.",
                "Label rows of another class, freeze again, and start a new run.",
            )

    def truth(self, targets: Sequence[int], classes: int) -> Ints:
        """Label numbers (N,)."""
        return np.array(targets, dtype=np.int64)

    def support(self, truth: Array, classes: int) -> list[int]:
        """Rows of each label."""
        return [int(count) for count in np.bincount(truth, minlength=classes)]

    def loss(self, spec: TrainSpec, labels: Array) -> nn.Module:
        """Cross entropy."""
        weights = balanced_weights(labels.tolist(), len(spec.labels)) if spec.class_weights else None
        return CrossEntropy(weights, spec.label_smoothing, spec.focal_gamma)

    def calibrate(self, info: ArtifactInfo, logits: Array, truth: Array, clusters: Ints | None = None) -> ArtifactInfo:
        """With the temperature of the least log loss, and with the threshold of the class that is to have one."""
        found = replace(info, temperature=calibration.fit_temperature(logits, truth))
        if info.deciding is None:
            return found
        probabilities = self.decode(logits, found.temperature)
        return replace(found, deciding=deciding.choose(info.deciding, info.labels, probabilities, truth, clusters))

    def decode(self, logits: Array, temperature: float = 1.0) -> Floats:
        """Softmax."""
        return calibration.softmax(logits, temperature)

    def answer(self, probabilities: Array, info: ArtifactInfo) -> list[dict[str, Any]]:
        """label and its confidence."""
        decided = deciding.decide(probabilities, info.cut)
        confidence = deciding.confidence(probabilities, decided)
        return [{"label": info.labels[at], "confidence": float(sure)} for at, sure in zip(decided, confidence, strict=True)]

    def sample(self, logits: Array, truth: Array, rows: Sequence[int], labels: tuple[str, ...]) -> list[dict[str, Any]]:
        """The likeliest label and its probability: a threshold is chosen at the end of training."""
        numbers = list(rows)
        probabilities = self.decode(logits[numbers])
        return [
            {"truth": labels[said], "answer": labels[row.argmax()], "confidence": float(row.max())}
            for said, row in zip(truth[numbers], probabilities, strict=True)
        ]

    def agreement(self, one: Array, two: Array, info: ArtifactInfo) -> float:
        """By the label that is answered."""
        answers = [deciding.decide(self.decode(logits, info.temperature), info.cut) for logits in (one, two)]
        return float((answers[0] == answers[1]).mean())

    def score(self, probabilities: Array, truth: Array, rule: Rule | None = None) -> Scored:
        """By the label that is answered."""
        return metrics.score_rows(probabilities, truth, cut=rule if isinstance(rule, Cut) else None)

    def losses(self, probabilities: Array, truth: Array) -> Floats:
        """Of the true label."""
        return calibration.log_loss_rows(probabilities, truth)

    def validate(self, outputs: Array, truth: Array) -> dict[str, float]:
        """By the likeliest label, with predicted_classes, how many labels are given: the best step does not hang on a threshold."""
        scored = self.score(self.decode(outputs), truth)
        values = metrics.point_estimates(scored)
        found = {name: values[name] for name in ("log_loss", *self.metrics.watched)}
        return found | {"predicted_classes": float(len(np.unique(scored.predicted)))}

    def predicted(
        self, ids: Sequence[str], probabilities: Array, truth: Array, info: ArtifactInfo, clusters: Ints | None = None
    ) -> Predictions:
        """With the threshold of the class that has one."""
        return Predictions(info.labels, tuple(ids), truth, probabilities, info.cut, clusters, info.deciding)
