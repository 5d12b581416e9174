"""The likeliest labels of a text, of which the first is the suggestion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.suggestions import Place, Scored, Suggestions

SHOWN = 3  # labels that a model suggests for one text
LEAST = 0.05  # probability from which a label beside the likeliest is worth a suggestion


class SingleLabelSuggestions(Suggestions):
    """One label each."""

    offered = f"up to {SHOWN} classes for each, with their probabilities"
    remark = f"A class beside the likeliest is suggested from a probability of {LEAST}."

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """Up to three labels, each later one at least 0.05 likely.

        Suggestions are ranked by how likely they are. Where one label answers from a threshold on, those that are as likely as the answer
        or more are left out. Labels that lead to one are added up; the share of those that are unknown is left out with them.
        """
        summed: dict[str, float] = {}
        for label, probability in zip(prediction["labels"], prediction["probabilities"], strict=True):
            if label in known:
                summed[known[label]] = summed.get(known[label], 0.0) + probability
        top = known.get(prediction["label"]) if prediction.get("deciding") else None
        allowed = [(key, score) for key, score in summed.items() if top not in summed or key == top or score < summed[top]]
        ranked = sorted(allowed, key=lambda pair: -pair[1])[:SHOWN]
        return [Scored({"label": key}, round(min(score, 1.0), 6)) for at, (key, score) in enumerate(ranked) if at == 0 or score >= LEAST]

    def of_label(self, label: str, places: Sequence[Place] = (), score: float | None = None) -> Value:
        """The label."""
        return {"label": label}

    def contradict(self, one: Value, other: Value) -> bool:
        """Two labels."""
        return one != other

    def combine(self, scored: Sequence[Scored]) -> Value | None:
        """The surest label; those without a score are the last."""
        return min(scored, key=lambda each: (each.score is None, -(each.score or 0.0))).value if scored else None


ENTRY = SingleLabelSuggestions()
