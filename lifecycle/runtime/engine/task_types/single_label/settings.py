"""Settings of single-label runs. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.engine.document import SpecError, listed, shown
from lifecycle.runtime.engine.task_types.encoder_settings import EncoderSettings
from lifecycle.runtime.engine.task_types.settings import Choice, Facts, Problem

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec


class SingleLabelSettings(EncoderSettings):
    """One label may have a threshold, from which on it is the answer."""

    def check_thresholds(self, spec: TrainSpec) -> None:
        """Raises SpecError for a threshold of no label, or of one that isn't there."""
        point, chosen = spec.operating_point, spec.operating_class
        if chosen not in ("", *spec.labels):
            raise SpecError(
                "operating_class", f"must be empty or one of {listed(spec.labels)}, got {shown(chosen)}."
            )
        if chosen and point == "f1":
            raise SpecError(
                "operating_point", f"must be precision or recall if {shown(chosen)} has a threshold."
            )
        if point != "f1" and not chosen:
            message = (
                f"must be the label with the target {point} of {spec.operating_target:g}: one of"
                f" {listed(spec.labels)}."
            )
            raise SpecError("operating_class", message)

    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """At least two labels need training rows."""
        trained = [label for label, splits in counts["labels"].items() if splits.get("train")]
        if len(trained) > 1:
            return None
        problem = (
            f"all its training rows carry the label {trained[0]}" if trained else "it has no training rows"
        )
        return Problem(
            f"{problem}; a classifier needs at least two labels.",
            "Label rows with another label and create a new dataset version.",
        )

    def own(self, choices: dict[str, Choice], facts: Facts, strategy: str) -> dict[str, Choice]:
        """With the label that has a threshold."""
        return choices | (one_threshold(facts.labels) if facts.labels else {})


def one_threshold(labels: Sequence[str]) -> dict[str, Choice]:
    """None at first."""
    reason = (
        "Rare labels are seldom the most likely. With a threshold, the label is predicted from that"
        " probability; below it, the most likely other label."
    )
    points = (
        ("f1", "None: predict the most likely label"),
        ("precision", "Precision of at least"),
        ("recall", "Recall of at least"),
    )
    return {
        "operating_class": Choice("", reason, (("", "None"), *((label, label) for label in labels))),
        "operating_point": Choice(
            "f1",
            "Choose recall if missing the label costs more, precision if predicting it wrongly does.",
            points,
        ),
        "operating_target": Choice(
            0.9, "Chosen on validation; the test value can differ slightly. Not used without a label."
        ),
    }


ENTRY = SingleLabelSettings()
