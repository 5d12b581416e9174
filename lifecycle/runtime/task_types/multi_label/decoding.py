"""Multi-label decoding: a sigmoid and a threshold per label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Floats, Ints
from lifecycle.runtime.statistics.operating import choices
from lifecycle.runtime.task_types.decoding import C, Card, Decoding, fitted
from lifecycle.runtime.task_types.multi_label.measures import Bools, SetPredictions, decide


class SetDecoding(Decoding[SetPredictions]):
    """Logits, probabilities, and truth are (N, C)."""

    def fit(self, card: C, logits: Floats, truth: Bools, clusters: Ints | None = None) -> C:
        """Fit the temperature to log loss, and each label's threshold to the best F1 or the card's target."""
        loss_rows = calibration.smoothed_decision_loss_rows
        temperature = calibration.fit_temperature(
            logits, truth, decode=calibration.sigmoid, loss_rows=loss_rows
        )
        probabilities = self.decode(logits, temperature)
        if card.operating is None:
            return fitted(
                card, temperature=temperature, thresholds=calibration.choose_thresholds(probabilities, truth)
            )
        chosen = choices.choose_for(
            card.operating.by, card.operating.target, probabilities, truth, clusters=clusters
        )
        missed = tuple(label for label, each in zip(card.labels, chosen, strict=True) if not each.is_met)
        promised = tuple(label for label, each in zip(card.labels, chosen, strict=True) if each.promised)
        thresholds = tuple(each.threshold for each in chosen)
        kept = {"temperature": temperature, "thresholds": thresholds}
        return fitted(card, **kept, operating=fitted(card.operating, missed=missed, promised=promised))

    def decode(self, logits: Floats, temperature: float = 1.0) -> Floats:
        """A sigmoid per label."""
        return calibration.sigmoid(logits, temperature)

    def predicted(
        self, decoded: Floats, truth: Bools, ids: Sequence[str], card: Card, clusters: Ints | None = None
    ) -> SetPredictions:
        """With the labels' thresholds."""
        return SetPredictions(card.labels, tuple(ids), truth, decoded, thresholds_of(card), clusters)

    def predictions(self, decoded: Floats, card: Card) -> list[dict[str, Any]]:
        """labels: those that reach their thresholds, in label order."""
        decided = decide(decoded, thresholds_of(card))
        return [{"labels": [card.labels[at] for at in np.flatnonzero(row)]} for row in decided]

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """The set: two models may have the same labels in another order."""
        return set(prediction["labels"])


def thresholds_of(card: Card) -> tuple[float, ...]:
    """One per label; 0.5 before they are fitted."""
    return card.thresholds or (0.5,) * len(card.labels)


ENTRY = SetDecoding()
