"""Responses to a prompt: their scores by the temperature are strengths, whose differences are log-odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Floats, Ints
from lifecycle.runtime.task_types.decoding import C, Card, Decoding, fitted
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers


class RankDecoding(Decoding[RankedAnswers]):
    """Scores and strengths are (N, M), NaN where a row has no such response."""

    def fit(self, card: C, logits: Floats, truth: Sequence[Ranked], clusters: Ints | None = None) -> C:
        """The temperature of the least log loss of the pairs of which people prefer one."""
        pairs = ranking.pairs_of(logits, truth)
        difference, order = pairs.difference[pairs.decided], pairs.order[pairs.decided]
        sides = np.stack([difference, np.zeros(len(difference))], axis=1)
        return fitted(card, temperature=calibration.fit_temperature(sides, (order < 0).astype(np.int64)))

    def decode(self, logits: Floats, temperature: float = 1.0) -> Floats:
        """Strengths."""
        return np.asarray(logits, dtype=np.float64) / temperature

    def predicted(
        self, decoded: Floats, truth: Sequence[Ranked], ids: Sequence[str], card: Card, clusters: Ints | None = None
    ) -> RankedAnswers:
        """As `RankedAnswers.of`."""
        return RankedAnswers.of(ids, decoded, truth, clusters)

    def predictions(self, decoded: Floats, card: Card) -> list[dict[str, Any]]:
        """order: numbers of the responses from 0, the best first; strengths: of each as it was given."""
        known = [each[~np.isnan(each)] for each in decoded]
        return [{"order": np.argsort(-each, kind="stable").tolist(), "strengths": each.tolist()} for each in known]

    def told(self, prediction: Mapping[str, Any]) -> Any:
        """The whole order."""
        return prediction["order"]


ENTRY = RankDecoding()
