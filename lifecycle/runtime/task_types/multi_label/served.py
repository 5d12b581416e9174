"""Sets of labels as tensors: the probability of each label, and whether it reaches its threshold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.decoding import Card
from lifecycle.runtime.task_types.multi_label.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.multi_label.decoding import thresholds_of
from lifecycle.runtime.task_types.multi_label.measures import decide, least_certain
from lifecycle.runtime.task_types.served import (
    LEAST,
    TOP_SCORES,
    Output,
    Served,
    Values,
    fitting,
    summary,
)
from lifecycle.runtime.task_types.shown import Given, Shown, Tensors, likeliest


class ServedSets(Served):
    """Decoded values are probabilities (N, C)."""

    def outputs(self, card: Card) -> tuple[Output, ...]:
        """SCORES, DECIDED, and THRESHOLDS, whose columns parameters.labels names, and LABELS, JSON lists of
        names.
        """
        count, named = len(card.labels), {"labels": list(card.labels)}
        return (
            Output("SCORES", "FP32", (-1, count), parameters=named),
            Output("DECIDED", "BOOL", (-1, count), parameters=named),
            Output("THRESHOLDS", "FP32", (count,), parameters=named),
            Output("LABELS", "BYTES", (-1,)),
        )

    def values(
        self, name: str, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> Values:
        """As `Served.values`."""
        if name == "SCORES":
            return decoded.astype(np.float32)
        if name == "DECIDED":
            return decide(decoded, thresholds_of(card))
        if name == "THRESHOLDS":
            return np.array(thresholds_of(card), np.float32)
        return [json.dumps(each["labels"], ensure_ascii=False) for each in predictions]

    def spooled(
        self, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> list[dict[str, Any]]:
        """confidence: of the least certain decision. scores: of five labels, those in the set before likelier
        ones.
        """
        decided = decide(decoded, thresholds_of(card))
        certain = least_certain(decoded, decided)
        return [
            fitting(
                {
                    "label": summary(each["labels"]),
                    "confidence": round(float(sure), 6),
                    "scores": _top_scores(card.labels, scores, held),
                    "labels": each["labels"],
                    "value": {"labels": each["labels"]},
                }
            )
            for each, sure, scores, held in zip(predictions, certain, decoded, decided, strict=True)
        ]

    def shown(self, given: Given, outputs: Tensors) -> Shown:
        """The labels, all of them with their probabilities, and the likeliest others."""
        labels = json.loads(outputs["LABELS"]["data"][0])
        return Shown(summary=summary(labels) or "no label", scores=likeliest(outputs["SCORES"], labels))

    def divergence(self, answered: Floats, card: Card, shadow: Floats, other: Card) -> float | None:
        """The sum over the labels of the Kullback-Leibler divergences of their two outcomes."""
        if set(card.labels) != set(other.labels):
            return None
        order = [other.labels.index(label) for label in card.labels]
        ours, theirs = (
            np.clip(np.asarray(each, np.float64), LEAST, 1 - LEAST) for each in (answered, shadow[order])
        )
        each = ours * np.log(ours / theirs) + (1 - ours) * np.log((1 - ours) / (1 - theirs))
        return round(max(0.0, float(each.sum())), 6)

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """As of its decoding."""
        return DECODING.identity(prediction)


def _top_scores(labels: Sequence[str], scores: Floats, held: Any) -> dict[str, float]:
    first = np.lexsort((-scores, ~held))[:TOP_SCORES]
    return {labels[at]: round(float(scores[at]), 6) for at in sorted(first, key=lambda at: -scores[at])}


ENTRY = ServedSets()
