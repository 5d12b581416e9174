"""Pre-labels of multi-label texts, one per label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.suggestions import Place, Scored, Suggestions

HALF = 0.5  # minimum score of a label that counts as present


class MultiLabelSuggestions(Suggestions):
    """One label each; a text may have several."""

    offered = "every label whose probability reaches its threshold, or none"

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """Every label that reaches its threshold. Of labels mapped to the same one, the most likely
        counts.
        """
        found: dict[str, float] = {}
        for label, probability, threshold in zip(
            prediction["labels"], prediction["probabilities"], prediction["thresholds"], strict=True
        ):
            if label in known and probability >= threshold:
                found[known[label]] = max(found.get(known[label], 0.0), round(probability, 6))
        return [
            Scored({"labels": [key]}, score)
            for key, score in sorted(found.items(), key=lambda pair: -pair[1])
        ]

    def of_label(self, label: str, places: Sequence[Place] = (), score: float | None = None) -> Value:
        """The label."""
        return {"labels": [label]}

    def combine(self, scored: Sequence[Scored]) -> Value | None:
        """Labels with a score of at least 0.5, and those without a score."""
        likely = {
            label for value, score in scored if score is None or score >= HALF for label in value["labels"]
        }
        return {"labels": sorted(likely)} if scored else None


ENTRY = MultiLabelSuggestions()
