"""Single-label decoding: the most likely label, or one label from a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lifecycle.runtime.statistics import calibration, deciding
from lifecycle.runtime.statistics.metrics import Floats, Ints
from lifecycle.runtime.task_types.decoding import C, Card, Decoding, fitted
from lifecycle.runtime.task_types.single_label.measures import Predictions


class LabelDecoding(Decoding[Predictions]):
    """Logits and probabilities are (N, C)."""

    def fit(self, card: C, logits: Floats, truth: Ints, clusters: Ints | None = None) -> C:
        """Fit the temperature to log loss, and the threshold of the label that is to have one."""
        found = fitted(card, temperature=calibration.fit_temperature(logits, truth))
        if card.deciding is None:
            return found
        probabilities = self.decode(logits, found.temperature)
        return fitted(
            found, deciding=deciding.choose(card.deciding, card.labels, probabilities, truth, clusters)
        )

    def predicted(
        self, decoded: Floats, truth: Ints, ids: Sequence[str], card: Card, clusters: Ints | None = None
    ) -> Predictions:
        """With the threshold of the label that has one."""
        return Predictions(card.labels, tuple(ids), truth, decoded, card.cut, clusters, card.deciding)

    def predictions(self, decoded: Floats, card: Card) -> list[dict[str, Any]]:
        """label and its confidence."""
        decided = deciding.decide(decoded, card.cut)
        confidence = deciding.confidence(decoded, decided)
        return [
            {"label": card.labels[at], "confidence": float(sure)}
            for at, sure in zip(decided, confidence, strict=True)
        ]


ENTRY = LabelDecoding()
