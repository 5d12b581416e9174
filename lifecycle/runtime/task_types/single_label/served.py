"""Single-label predictions as tensors: the label, its probability, and the probabilities of all labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.decoding import Card
from lifecycle.runtime.task_types.served import LEAST, TOP_SCORES, Output, Served, Values
from lifecycle.runtime.task_types.shown import Given, Shown, Tensors, likeliest


class ServedLabels(Served):
    """Decoded values are probabilities (N, C)."""

    def outputs(self, card: Card) -> tuple[Output, ...]:
        """LABEL, CONFIDENCE, and SCORES, whose columns parameters.labels names."""
        return (
            Output("LABEL", "BYTES", (-1,)),
            Output("CONFIDENCE", "FP32", (-1,)),
            Output("SCORES", "FP32", (-1, len(card.labels)), parameters={"labels": list(card.labels)}),
        )

    def values(
        self, name: str, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> Values:
        """As `Served.values`."""
        if name == "SCORES":
            return decoded.astype(np.float32)
        if name == "LABEL":
            return [each["label"] for each in predictions]
        return np.array([each["confidence"] for each in predictions], np.float32)

    def spooled(
        self, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> list[dict[str, Any]]:
        """The label, its probability, and the five most likely labels including it: from a threshold on it
        need not be likely.
        """
        return [
            {
                "label": each["label"],
                "confidence": round(each["confidence"], 6),
                "scores": top_scores(card.labels, scores, each["label"]),
            }
            for each, scores in zip(predictions, decoded.tolist(), strict=True)
        ]

    def shown(self, given: Given, outputs: Tensors) -> Shown:
        """The label, and the likeliest labels."""
        (label,), (confidence,) = outputs["LABEL"]["data"], outputs["CONFIDENCE"]["data"]
        return Shown(label, confidence, likeliest(outputs["SCORES"], [label]))

    def divergence(self, answered: Floats, card: Card, shadow: Floats, other: Card) -> float | None:
        """Kullback-Leibler divergence: the sum of p ln(p / q)."""
        if set(card.labels) != set(other.labels):
            return None
        by_label = dict(zip(other.labels, shadow.tolist(), strict=True))
        sides = zip(answered.tolist(), [by_label[label] for label in card.labels], strict=True)
        return round(max(0.0, math.fsum(p * math.log(p / max(q, LEAST)) for p, q in sides if p > 0)), 6)


def top_scores(labels: Sequence[str], scores: Sequence[float], answer: str) -> dict[str, float]:
    """The five most likely labels with their probabilities, most likely first; the answer is one of them."""
    ranked = sorted(range(len(labels)), key=lambda at: -scores[at])[:TOP_SCORES]
    if (best := labels.index(answer)) not in ranked:
        ranked[-1] = best
    return {labels[at]: round(scores[at], 6) for at in ranked}


ENTRY = ServedLabels()
