"""What is set of a run that learns numbers. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.engine.task_types.encoder_settings import EncoderSettings
from lifecycle.runtime.engine.task_types.settings import OF_LABELS, Choice, Facts, Problem

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec


class NumberSettings(EncoderSettings):
    """There are no labels, and one output."""

    answers_by = "a number"

    def check(self, spec: TrainSpec) -> None:
        """Nothing of labels is set."""
        self.check_thresholds(spec)
        self.check_strategy(spec)
        self.check_unlabelled(spec, "numbers are predicted")

    def outputs(self, labels: int) -> int:
        """The number."""
        return 1

    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """There are training rows."""
        return self.untrained(counts, "Give texts a number")

    def own(self, choices: dict[str, Choice], facts: Facts, strategy: str) -> dict[str, Choice]:
        """Without what means nothing where there are no labels."""
        return {name: each for name, each in choices.items() if name not in OF_LABELS}

    def inherited(self, labels: Sequence[str], known: Collection[str]) -> tuple[int, int, str]:
        """Its one output means the same."""
        return 1, 1, "which number a text has."


ENTRY = NumberSettings()
