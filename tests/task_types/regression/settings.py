"""Run settings of regression. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.engine.task_types.encoder_settings import EncoderSettings
from lifecycle.runtime.engine.task_types.settings import OF_LABELS, Choice, Facts, Problem

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec


class NumberSettings(EncoderSettings):
    """There are no labels and one output."""

    answers_by = "a number"

    def check(self, spec: TrainSpec) -> None:
        """Without settings of labels."""
        self.check_thresholds(spec)
        self.check_strategy(spec)
        self.check_unlabeled(spec, "numbers are predicted")

    def outputs(self, labels: int) -> int:
        """The number."""
        return 1

    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """Requires training rows."""
        return self.untrained(counts, "Annotate texts with a number")

    def own(self, choices: dict[str, Choice], facts: Facts, strategy: str) -> dict[str, Choice]:
        """Without options that need labels."""
        return {name: each for name, each in choices.items() if name not in OF_LABELS}

    def inherited(self, labels: Sequence[str], known: Collection[str]) -> tuple[int, int, str]:
        """The output has the same meaning."""
        return 1, 1, "a text's number."


ENTRY = NumberSettings()
