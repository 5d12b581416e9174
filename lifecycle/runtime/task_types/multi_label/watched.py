"""Label sets as monitoring counts them."""

from __future__ import annotations

import numpy as np

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.multi_label.measures import Bools, SetPredictions
from lifecycle.runtime.task_types.watched import Observed, Watched, finite, kept


class WatchedSets(Watched[SetPredictions]):
    """By each label that reaches its threshold. A set is right if all its labels are."""

    def observed(self, rows: SetPredictions) -> Observed:
        """As `Watched.observed`."""
        ids, truth, decided, probabilities, clusters = kept(
            finite(rows.probabilities),
            rows.ids,
            rows.truth,
            rows.decided,
            rows.probabilities,
            rows.clusters,
        )
        return Observed(
            names=rows.labels,
            ids=ids,
            labels=[tuple(rows.labels[at] for at in np.flatnonzero(row)) for row in decided],
            confidence=confidence(probabilities, decided),
            right=(decided == truth).all(axis=1),
            clusters=clusters,
        )


def confidence(probabilities: Floats, decided: Bools) -> Floats:
    """Of sets (N,): the probability of the least certain decision, for a label or against it."""
    least: Floats = np.where(decided, probabilities, 1 - probabilities).min(axis=1)
    return least


ENTRY = WatchedSets()
