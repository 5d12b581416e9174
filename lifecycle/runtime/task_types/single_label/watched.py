"""Single-label predictions as monitoring counts them."""

from __future__ import annotations

from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.runtime.task_types.watched import Observed, Watched, finite, kept


class WatchedLabels(Watched[Predictions]):
    """By the predicted label and its probability."""

    def observed(self, rows: Predictions) -> Observed:
        """As `Watched.observed`."""
        ids, truth, predicted, confidence, probabilities, clusters = kept(
            finite(rows.probabilities),
            rows.ids,
            rows.truth,
            rows.predicted,
            rows.confidence,
            rows.probabilities,
            rows.clusters,
        )
        return Observed(
            names=rows.labels,
            ids=ids,
            labels=[(rows.labels[at],) for at in predicted],
            confidence=confidence,
            right=predicted == truth,
            clusters=clusters,
            probabilities=probabilities,
            truth=truth,
        )


ENTRY = WatchedLabels()
