"""Text classification, any number of labels a text, none too: a sigmoid and a threshold for each label."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.losses import BinaryCrossEntropy, positive_weights
from lifecycle.engine.recipes.texts import OfTexts
from lifecycle.engine.spec import TrainSpec
from lifecycle.statistics import calibration, metrics, operating
from lifecycle.statistics.deciding import Cut, Rule
from lifecycle.statistics.metrics import Floats, Ints
from lifecycle.task_types.measures import Metrics
from lifecycle.task_types.multi_label import measures as label_sets
from lifecycle.task_types.multi_label.measures import Bools, ScoredSets, SetPredictions

Array = NDArray[Any]
NAMED = 5  # labels that a refusal names


class MultiLabel(OfTexts):
    """A row is {"labels": [name, …]}, which may be empty; the truth is a matrix of yes and no."""

    metrics: Metrics = label_sets.METRICS

    def read(self, row: Mapping[str, Any], index: Mapping[str, int]) -> tuple[int, ...]:
        """Its labels' numbers, rising."""
        labels = row.get("labels")
        if not isinstance(labels, list):
            raise ValueError("it has no list under 'labels'.")
        if unknown := next((label for label in labels if not isinstance(label, str) or label not in index), None):
            raise ValueError(f"label {json.dumps(unknown, ensure_ascii=False)} is not among the spec's labels.")
        return tuple(sorted({index[label] for label in labels}))

    def check(self, targets: Sequence[tuple[int, ...]], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `one_class` where a label is on no training row, or on all of them."""
        counts = np.bincount([each for target in targets for each in target], minlength=len(labels))
        for names, told in (
            ([label for label, count in zip(labels, counts, strict=True) if not count], "No training row has"),
            ([label for label, count in zip(labels, counts, strict=True) if count == len(targets)], "Every training row has"),
        ):
            if names:
                more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
                raise EngineFault(
                    "one_class",
                    f"{told} {', '.join(map(repr, names[:NAMED]))}{more}; a label is learnt from rows with it and rows without.",
                    "Label more rows, or leave the label out of the schema, freeze again, and start a new run.",
                )

    def truth(self, targets: Sequence[tuple[int, ...]], classes: int) -> Bools:
        """(N, C), true where a row has the label."""
        return label_sets.truth_of(targets, classes)

    def support(self, truth: Array, classes: int) -> list[int]:
        """Rows that have each label."""
        return [int(count) for count in truth.sum(axis=0)]

    def loss(self, spec: TrainSpec, labels: Array) -> nn.Module:
        """Binary cross entropy of each label; class weights count its yes more."""
        weights = positive_weights(torch.from_numpy(labels)) if spec.class_weights else None
        return BinaryCrossEntropy(weights, spec.label_smoothing, spec.focal_gamma)

    def calibrate(self, info: ArtifactInfo, logits: Array, truth: Array, clusters: Ints | None = None) -> ArtifactInfo:
        """With the temperature of the least log loss, and for each label the threshold of the best F1, or of what the artifact says."""
        loss_rows = calibration.smoothed_decision_loss_rows
        temperature = calibration.fit_temperature(logits, truth, decode=calibration.sigmoid, loss_rows=loss_rows)
        probabilities = calibration.sigmoid(logits, temperature)
        if info.operating is None:
            return replace(info, temperature=temperature, thresholds=calibration.choose_thresholds(probabilities, truth))
        chosen = operating.choose_for(info.operating.by, info.operating.target, probabilities, truth, clusters=clusters)
        missed = tuple(label for label, each in zip(info.labels, chosen, strict=True) if not each.is_met)
        promised = tuple(label for label, each in zip(info.labels, chosen, strict=True) if each.promised)
        thresholds = tuple(each.threshold for each in chosen)
        operating_point = replace(info.operating, missed=missed, promised=promised)
        return replace(info, temperature=temperature, thresholds=thresholds, operating=operating_point)

    def decode(self, logits: Array, temperature: float = 1.0) -> Floats:
        """A sigmoid of each."""
        return calibration.sigmoid(logits, temperature)

    def answer(self, probabilities: Array, info: ArtifactInfo) -> list[dict[str, Any]]:
        """labels: those that reach their thresholds, in order of the labels."""
        decided = label_sets.decide(probabilities, self._thresholds(info))
        return [{"labels": [info.labels[at] for at in np.flatnonzero(row)]} for row in decided]

    def _thresholds(self, info: ArtifactInfo) -> tuple[float, ...]:
        return info.thresholds or (0.5,) * len(info.labels)

    def sample(self, logits: Array, truth: Array, rows: Sequence[int], labels: tuple[str, ...]) -> list[dict[str, Any]]:
        """Labels that reach the thresholds that the artifact would have; confidence: that of the least certain of all its decisions."""
        probabilities, numbers = self.decode(logits), list(rows)
        thresholds = calibration.choose_thresholds(probabilities, truth)
        decided = label_sets.decide(probabilities[numbers], thresholds)
        certain = np.where(decided, probabilities[numbers], 1 - probabilities[numbers]).min(axis=1)

        def names(row: Array) -> list[str]:
            return [labels[at] for at in np.flatnonzero(row)]

        return [
            {"truth": names(said), "answer": names(given), "confidence": float(sure)}
            for said, given, sure in zip(truth[numbers], decided, certain, strict=True)
        ]

    def agreement(self, one: Array, two: Array, info: ArtifactInfo) -> float:
        """By the whole set of labels."""
        sets = [label_sets.decide(self.decode(logits, info.temperature), self._thresholds(info)) for logits in (one, two)]
        return float((sets[0] == sets[1]).all(axis=1).mean())

    def score(self, probabilities: Array, truth: Array, rule: Rule | None = None) -> ScoredSets:
        """By the labels that reach their thresholds, 0.5 by default."""
        thresholds = None if isinstance(rule, Cut) else rule
        return label_sets.score_sets(probabilities, truth, thresholds or (0.5,) * truth.shape[1])

    def losses(self, probabilities: Array, truth: Array) -> Floats:
        """Mean of the decisions about the labels."""
        return calibration.decision_loss_rows(probabilities, truth)

    def validate(self, outputs: Array, truth: Array) -> dict[str, float]:
        """At the thresholds that the artifact would have. predicted_sets: how many different sets of labels are given."""
        probabilities = self.decode(outputs)
        scored = self.score(probabilities, truth, calibration.choose_thresholds(probabilities, truth))
        values = metrics.point_estimates(scored)
        found = {name: values[name] for name in ("log_loss", *self.metrics.watched)}
        return found | {"predicted_sets": float(len(np.unique(scored.decided, axis=0)))}

    def predicted(
        self, ids: Sequence[str], probabilities: Array, truth: Array, info: ArtifactInfo, clusters: Ints | None = None
    ) -> SetPredictions:
        """With the thresholds of the labels."""
        return SetPredictions(info.labels, tuple(ids), truth, probabilities, self._thresholds(info), clusters)
