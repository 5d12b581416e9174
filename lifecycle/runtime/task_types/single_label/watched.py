"""Single-label predictions as monitoring counts them."""

from __future__ import annotations

from lifecycle.runtime.task_types.single_label.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.runtime.task_types.watched import Observed, Watched, finite


class WatchedLabels(Watched[Predictions]):
    """By the predicted label and its probability."""

    def observed(self, rows: Predictions) -> Observed:
        """As `Watched.observed`."""
        kept = MEASURES.some(rows, finite(rows.probabilities))
        predicted = kept.predicted
        return Observed(
            names=kept.labels,
            ids=kept.ids,
            labels=[(kept.labels[at],) for at in predicted],
            confidence=kept.confidence,
            right=predicted == kept.truth,
            clusters=kept.clusters,
            probabilities=kept.probabilities,
            truth=kept.truth,
        )


ENTRY = WatchedLabels()
