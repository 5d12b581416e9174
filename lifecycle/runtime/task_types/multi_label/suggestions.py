"""Every label that a text may have, each by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.suggestions import Place, Scored, Suggestions

HALF = 0.5  # score from which a label is one of those that a text has


class MultiLabelSuggestions(Suggestions):
    """One label each; a text may have several."""

    offered = "every class whose probability reaches the model's threshold for it, and none where none does"

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """Every label that reaches its threshold. Of labels that lead to one the likeliest counts."""
        found: dict[str, float] = {}
        for label, probability, threshold in zip(prediction["labels"], prediction["probabilities"], prediction["thresholds"], strict=True):
            if label in known and probability >= threshold:
                found[known[label]] = max(found.get(known[label], 0.0), round(probability, 6))
        return [Scored({"labels": [key]}, score) for key, score in sorted(found.items(), key=lambda pair: -pair[1])]

    def of_label(self, label: str, places: Sequence[Place] = (), score: float | None = None) -> Value:
        """The label."""
        return {"labels": [label]}

    def combine(self, scored: Sequence[Scored]) -> Value | None:
        """The labels with a score of at least a half, and those without one."""
        likely = {label for value, score in scored if score is None or score >= HALF for label in value["labels"]}
        return {"labels": sorted(likely)} if scored else None


ENTRY = MultiLabelSuggestions()
