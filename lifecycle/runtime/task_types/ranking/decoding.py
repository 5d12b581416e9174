"""Decoding of rankings: responses' logits divided by the temperature are scores; their differences are
log-odds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.statistics.metrics import Floats, Ints
from lifecycle.runtime.task_types.decoding import C, Card, Decoding, fitted
from lifecycle.runtime.task_types.ranking import measures as ranking
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers


class RankDecoding(Decoding[RankedAnswers]):
    """Logits and scores are (N, M), NaN for missing responses."""

    def fit(self, card: C, logits: Floats, truth: Sequence[Ranked], clusters: Ints | None = None) -> C:
        """Fit the temperature to the log loss of pairs with a preference."""
        pairs = ranking.pairs_of(logits, truth)
        difference, order = pairs.difference[pairs.decided], pairs.order[pairs.decided]
        sides = np.stack([difference, np.zeros(len(difference))], axis=1)
        return fitted(card, temperature=calibration.fit_temperature(sides, (order < 0).astype(np.int64)))

    def decode(self, logits: Floats, temperature: float = 1.0) -> Floats:
        """Strengths."""
        return np.asarray(logits, dtype=np.float64) / temperature

    def predicted(
        self,
        decoded: Floats,
        truth: Sequence[Ranked],
        ids: Sequence[str],
        card: Card,
        clusters: Ints | None = None,
    ) -> RankedAnswers:
        """As in `RankedAnswers.of`."""
        return RankedAnswers.of(ids, decoded, truth, clusters)

    def predictions(self, decoded: Floats, card: Card) -> list[dict[str, Any]]:
        """As `ranked`."""
        return ranked(decoded)

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """The full ranking."""
        return prediction["order"]


def ranked(strengths: Floats) -> list[dict[str, Any]]:
    """Of each row (N, M), NaN for missing responses. order: response numbers from 0, best first; strengths:
    the score of each response in its original order.
    """
    known = [each[~np.isnan(each)] for each in strengths]
    return [
        {"order": np.argsort(-each, kind="stable").tolist(), "strengths": each.tolist()} for each in known
    ]


def ranks(strengths: Iterable[float]) -> list[int]:
    """Of each response, 0 the strongest; equal ones are equal."""
    known = list(strengths)
    levels = sorted(set(known), reverse=True)
    return [levels.index(each) for each in known]


def sure(strengths: Iterable[float]) -> float:
    """How likely the strongest response is better than the next."""
    first, second = sorted(strengths, reverse=True)[:2]
    return float(calibration.sigmoid(np.array(first - second)))


ENTRY = RankDecoding()
