"""Any number of labels a text, none too: binary cross entropy of each label."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.losses import BinaryCrossEntropy, positive_weights
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.task_types.learner import EncoderLearner
from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.multi_label.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.multi_label.measures import (
    METRICS,
    Bools,
    ScoredSets,
    decide,
    score_sets,
    truth_of,
)

NAMED = 5  # labels that an error names


class SetLearner(EncoderLearner[tuple[int, ...]]):
    """A row is {"labels": [name, …]}, which may be empty; the truth is a matrix of yes and no."""

    metrics = METRICS

    def read(self, row: Mapping[str, Any], labels: Mapping[str, int]) -> tuple[int, ...]:
        """Its labels' numbers, rising."""
        given = row.get("labels")
        if not isinstance(given, list):
            raise ValueError("it has no list under 'labels'.")
        if unknown := next(
            (label for label in given if not isinstance(label, str) or label not in labels), None
        ):
            raise ValueError(
                f"label {json.dumps(unknown, ensure_ascii=False)} isn't among the spec's labels."
            )
        return tuple(sorted({labels[label] for label in given}))

    def check(self, targets: Sequence[tuple[int, ...]], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `one_class` where a label is on no training row, or on all of them."""
        counts = np.bincount([each for target in targets for each in target], minlength=len(labels))
        for names, subject in (
            (
                [label for label, count in zip(labels, counts, strict=True) if not count],
                "No training row has",
            ),
            (
                [label for label, count in zip(labels, counts, strict=True) if count == len(targets)],
                "Every training row has",
            ),
        ):
            if names:
                more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
                raise EngineFault(
                    "one_class",
                    f"{subject} {', '.join(map(repr, names[:NAMED]))}{more}; a label needs training rows with"
                    " and without it.",
                    "Label more rows or remove the label from the schema, create a new dataset version, and"
                    " start a new run.",
                )

    def truth(self, targets: Sequence[tuple[int, ...]], labels: int) -> Bools:
        """(N, C), true where a row has the label."""
        return truth_of(targets, labels)

    def support(self, truth: Bools, labels: int) -> list[int]:
        """Rows that have each label."""
        return [int(count) for count in truth.sum(axis=0)]

    def loss(self, spec: TrainSpec, labels: Bools) -> nn.Module:
        """Class weights count the yes of each label more."""
        weights = positive_weights(torch.from_numpy(labels)) if spec.class_weights else None
        return BinaryCrossEntropy(weights, spec.label_smoothing, spec.focal_gamma)

    def score(self, outputs: Floats, truth: Bools) -> ScoredSets:
        """At the thresholds that the artifact would have."""
        probabilities = DECODING.decode(outputs)
        return score_sets(probabilities, truth, calibration.choose_thresholds(probabilities, truth))

    def variety(self, scored: ScoredSets) -> dict[str, float]:
        """predicted_sets: how many different sets of labels."""
        return {"predicted_sets": float(len(np.unique(scored.decided, axis=0)))}

    def sample(
        self, outputs: Floats, truth: Bools, rows: Sequence[int], labels: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """Labels that reach the thresholds that the artifact would have; confidence: that of the least
        certain of all its decisions.
        """
        probabilities, numbers = DECODING.decode(outputs), list(rows)
        thresholds = calibration.choose_thresholds(probabilities, truth)
        decided = decide(probabilities[numbers], thresholds)
        certain = np.where(decided, probabilities[numbers], 1 - probabilities[numbers]).min(axis=1)

        def names(row: Bools) -> list[str]:
            return [labels[at] for at in np.flatnonzero(row)]

        return [
            {"truth": names(true), "answer": names(given), "confidence": float(sure)}
            for true, given, sure in zip(truth[numbers], decided, certain, strict=True)
        ]


ENTRY = SetLearner()
