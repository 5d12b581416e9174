"""Rankings as monitoring counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.ranking.decoding import ranked
from lifecycle.runtime.task_types.ranking.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.ranking.measures import Ranked, RankedAnswers, padded, score
from lifecycle.runtime.task_types.ranking.served import ENTRY as SERVED
from lifecycle.runtime.task_types.ranking.served import ServedRankings
from lifecycle.runtime.task_types.watched import Figure, Observed, Watched, finite


def candidates(value: Value, chars: int) -> float:
    """How many candidates were ranked."""
    return len(value["ranking"])


class WatchedOrders(Watched[RankedAnswers]):
    """By the place of the best candidate in the request, from 1. A row is right if each pair with a
    preference is, and there is one.
    """

    labels_as = "position"
    served: ClassVar[ServedRankings] = SERVED

    def observed(self, rows: RankedAnswers) -> Observed:
        """As `Watched.observed`."""
        kept = MEASURES.some(rows, finite(padded(rows.strengths, 0.0)))
        entries = [self.served.entry(each) for each in ranked(kept.matrix)]
        scored = kept.scored if len(kept) else None
        return Observed(
            names=(),
            ids=kept.ids,
            labels=[(each["label"],) for each in entries],
            confidence=np.array([each["confidence"] for each in entries], dtype=np.float64),
            right=(
                (scored.decided > 0) & (scored.right == scored.decided)
                if scored
                else np.zeros(0, dtype=np.bool_)
            ),
            clusters=kept.clusters,
            values=[each.get("value") for each in entries],
        )


class WatchedRankings(WatchedOrders):
    """With the number of candidates, and orders that feedback gives."""

    figures = (Figure("candidates", candidates, whole=True),)
    orders = True

    def taus(self, predicted: Sequence[Value], right: Sequence[Value]) -> Floats:
        """As `Watched.taus`. Both orders of a row contain the same candidates; 1 of a single one."""
        truth = [Ranked(ranks_of(each), (0,) * len(each["ranking"])) for each in right]
        strengths = padded([[-rank for rank in ranks_of(each)] for each in predicted], np.nan)
        return np.nan_to_num(score(strengths, truth).tau, nan=1.0) if truth else np.zeros(0)


def ranks_of(value: Value) -> tuple[int, ...]:
    """The rank of each candidate in the order of the request, 0 the best."""
    return tuple(np.argsort(value["ranking"]).tolist())


ENTRY = WatchedRankings()
