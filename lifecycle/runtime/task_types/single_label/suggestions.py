"""The most likely labels of a text; the first is the pre-label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.suggestions import Place, Scored, Suggestions

SHOWN = 3  # maximum number of labels that a model suggests per text
LEAST = 0.05  # minimum probability of further suggestions


class SingleLabelSuggestions(Suggestions):
    """One label each."""

    offered = f"up to {SHOWN} labels per text, with their probabilities"
    remark = f"Labels after the most likely one need a probability of at least {LEAST}."

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """Up to three labels; after the first, each with a probability of at least 0.05.

        Ranked by probability. If one label has a threshold, labels that are at least as likely as the
        prediction are left out. Labels mapped to the same one are added up; the share of unknown labels is
        dropped.
        """
        summed: dict[str, float] = {}
        for label, probability in zip(prediction["labels"], prediction["probabilities"], strict=True):
            if label in known:
                summed[known[label]] = summed.get(known[label], 0.0) + probability
        top = known.get(prediction["label"]) if prediction.get("deciding") else None
        allowed = [
            (key, score)
            for key, score in summed.items()
            if top not in summed or key == top or score < summed[top]
        ]
        ranked = sorted(allowed, key=lambda pair: -pair[1])[:SHOWN]
        return [
            Scored({"label": key}, round(min(score, 1.0), 6))
            for at, (key, score) in enumerate(ranked)
            if at == 0 or score >= LEAST
        ]

    def of_label(self, label: str, places: Sequence[Place] = (), score: float | None = None) -> Value:
        """The label."""
        return {"label": label}

    def contradict(self, one: Value, other: Value) -> bool:
        """Two labels."""
        return one != other

    def combine(self, scored: Sequence[Scored]) -> Value | None:
        """The label with the highest score; labels without a score come last."""
        return (
            min(scored, key=lambda each: (each.score is None, -(each.score or 0.0))).value if scored else None
        )


ENTRY = SingleLabelSuggestions()
