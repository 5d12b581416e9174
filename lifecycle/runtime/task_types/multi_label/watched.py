"""Label sets as monitoring counts them."""

from __future__ import annotations

import numpy as np

from lifecycle.runtime.task_types.multi_label.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions, least_certain
from lifecycle.runtime.task_types.watched import Observed, Watched, finite


class WatchedSets(Watched[SetPredictions]):
    """By each label that reaches its threshold. A set is right if all its labels are."""

    def observed(self, rows: SetPredictions) -> Observed:
        """As `Watched.observed`."""
        kept = MEASURES.some(rows, finite(rows.probabilities))
        decided = kept.decided
        return Observed(
            names=kept.labels,
            ids=kept.ids,
            labels=[tuple(kept.labels[at] for at in np.flatnonzero(row)) for row in decided],
            confidence=least_certain(kept.probabilities, decided),
            right=(decided == kept.truth).all(axis=1),
            clusters=kept.clusters,
        )


ENTRY = WatchedSets()
