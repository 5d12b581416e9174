"""Settings of multi-label runs. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.engine.document import listed
from lifecycle.runtime.engine.task_types.encoder_settings import EncoderSettings
from lifecycle.runtime.engine.task_types.settings import Choice, Facts, Problem

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec


class MultiLabelSettings(EncoderSettings):
    """Each label has a threshold of its own."""

    def check_thresholds(self, spec: TrainSpec) -> None:
        """Raises SpecError where one label is to have a threshold."""
        self.check_no_class(spec)

    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """Each label needs training rows with it and without it."""
        rows, labels = counts["splits"].get("train", 0), counts["labels"]
        never = tuple(label for label, splits in labels.items() if not splits.get("train"))
        always = tuple(label for label, splits in labels.items() if rows and splits.get("train") == rows)
        if rows and labels and not (never or always):
            return None
        problem = f"{'no' if never else 'every'} training row has {listed(never or always)}"
        problem = problem if rows and labels else "it has no training rows with a label"
        why = f"{problem}. A label needs training texts with and without it."
        return Problem(why, "Label more texts or remove the label, then create a new dataset version.")

    def own(self, choices: dict[str, Choice], facts: Facts, strategy: str) -> dict[str, Choice]:
        """With what the thresholds are chosen for."""
        point = Choice("f1", "Best F1 per label; choose precision or recall if one kind of error costs more.")
        target = Choice(0.9, "Target precision or recall per label on validation; not used for best F1.")
        return choices | {"operating_point": point, "operating_target": target}


ENTRY = MultiLabelSettings()
