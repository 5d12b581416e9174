"""Pre-labels of spans: one value per text, with a score per span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import BadAnswer, Value
from lifecycle.runtime.task_types.suggestions import Place, Scored, Suggestions


class SpanSuggestions(Suggestions):
    """Spans, which may overlap."""

    offered = "spans with their labels and the lowest probability of their tokens"

    def from_model(self, prediction: Mapping[str, Any], known: Mapping[str, str]) -> list[Scored]:
        """All spans, scored by the least confident one; none without spans."""
        found = [
            {
                "start": each["start"],
                "end": each["end"],
                "label": known[each["label"]],
                "score": round(each["confidence"], 6),
            }
            for each in prediction["spans"]
            if each["label"] in known
        ]
        return [Scored({"spans": found}, min(each["score"] for each in found))] if found else []

    def of_label(self, label: str, places: Sequence[Place] = (), score: float | None = None) -> Value:
        """Every place."""
        scored = {} if score is None else {"score": score}
        return {"spans": [{"start": start, "end": end, "label": label, **scored} for start, end in places]}

    def contradict(self, one: Value, other: Value) -> bool:
        """Different labels at the same place."""
        labels = {(each["start"], each["end"]): each["label"] for each in one["spans"]}
        return any(
            labels.get((each["start"], each["end"]), each["label"]) != each["label"]
            for each in other["spans"]
        )

    def unscored(self, raw: Any) -> Any:
        """Spans without scores. Raises BadAnswer for a score that isn't from 0 to 1."""
        if not isinstance(raw, Mapping) or not isinstance(spans := raw.get("spans"), list):
            return raw
        for each in spans:
            score = each.get("score") if isinstance(each, Mapping) else None
            if score is not None and (
                isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1
            ):
                raise BadAnswer(
                    "score", "A span's score must be a number from 0 to 1.", "Correct it, or leave it out."
                )
        bare = [
            {name: each[name] for name in each if name != "score"} if isinstance(each, Mapping) else each
            for each in spans
        ]
        return {**raw, "spans": bare}

    def rename(self, value: Value, names: Mapping[str, str]) -> Value:
        """The same places."""
        return {
            "spans": [
                {**each, "label": names[each["label"]]} for each in value["spans"] if each["label"] in names
            ]
        }

    def combine(self, scored: Sequence[Scored]) -> Value | None:
        """All spans without duplicates, each with its best score."""
        found: dict[tuple[int, int, str], Mapping[str, Any]] = {}
        for each in (each for value, _ in scored for each in value["spans"]):
            held = found.setdefault((each["start"], each["end"], each["label"]), each)
            if (each.get("score") or 0.0) > (held.get("score") or 0.0):
                found[each["start"], each["end"], each["label"]] = each
        return {"spans": [found[place] for place in sorted(found)]} if scored else None


ENTRY = SpanSuggestions()
