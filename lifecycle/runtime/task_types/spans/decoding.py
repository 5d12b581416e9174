"""Span decoding: a softmax over each token's tags, and the most likely valid tag sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Ints
from lifecycle.runtime.task_types.decoding import C, Card, Decoding, fitted
from lifecycle.runtime.task_types.spans import tagging
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Marked, Tokens


class SpanDecoding(Decoding[SpanPredictions]):
    """Logits and probabilities are arrays of each text's tokens (T, K)."""

    def fit(self, card: C, logits: Tokens, truth: Sequence[Marked], clusters: Ints | None = None) -> C:
        """Fit the temperature to the log loss over all tokens."""
        tags = [tagging.tag(each.spans, at) for each, at in zip(truth, logits.offsets, strict=True)]
        flat = np.concatenate(
            [each for each in logits.values if len(each)] or [np.zeros((0, tagging.tags(len(card.labels))))]
        )
        return fitted(
            card,
            temperature=calibration.fit_temperature(
                flat, np.concatenate([*tags, np.zeros(0, dtype=np.int64)])
            ),
        )

    def decode(self, logits: Tokens, temperature: float = 1.0) -> Tokens:
        """Softmax over each token's tags."""
        return replace(
            logits,
            values=tuple(
                calibration.softmax(each, temperature) if len(each) else each for each in logits.values
            ),
        )

    def predicted(
        self,
        decoded: Tokens,
        truth: Sequence[Marked],
        ids: Sequence[str],
        card: Card,
        clusters: Ints | None = None,
    ) -> SpanPredictions:
        """As in `SpanPredictions.of`."""
        return SpanPredictions.of(card.labels, ids, decoded, truth, clusters)

    def predictions(self, decoded: Tokens, card: Card) -> list[dict[str, Any]]:
        """spans: {"start", "end", "label", "confidence"}, by place."""
        return [
            {
                "spans": [
                    {
                        "start": one.start,
                        "end": one.end,
                        "label": card.labels[one.label],
                        "confidence": one.confidence,
                    }
                    for one in some
                ]
            }
            for some in tagging.find(decoded)
        ]

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """Place and label of each span."""
        return [super(SpanDecoding, self).identity(each) for each in prediction["spans"]]


ENTRY = SpanDecoding()
