"""Settings of ranking runs. No torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.task_types.encoder_settings import EncoderSettings, lengths_of
from lifecycle.runtime.engine.task_types.settings import (
    OF_LABELS,
    Choice,
    Facts,
    Lengths,
    Problem,
    Suggestion,
)

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec

ORDERED = "the task is ranking"


class RankingSettings(EncoderSettings):
    """Each response is read with its prompt, and scored."""

    strategies = tuple(each for each in EncoderSettings.strategies if each != "fast_lora")
    example = "responses to a prompt"
    answers_by = "a ranking"

    def check(self, spec: TrainSpec) -> None:
        """Without labels, and without cached outputs of single texts."""
        self.check_thresholds(spec)
        self.check_strategy(spec)
        self.check_unlabeled(spec, ORDERED)
        if spec.strategy.cached:
            raise SpecError(
                "strategy.cached", f"must be false where {ORDERED}: each is read with its prompt."
            )

    def outputs(self, labels: int) -> int:
        """The score."""
        return 1

    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """There are training rows."""
        return self.untrained(counts, "Label preferences")

    def misfit(self, strategy: str, name: str) -> str:
        """A response is read with its prompt, so that nothing of the base is computed once."""
        if strategy == "fast_lora":
            return (
                f"{name} isn't available for ranking, because each response is encoded with its prompt."
                " Choose LoRA."
            )
        return super().misfit(strategy, name)

    def lengths(self, rows: Iterable[Mapping[str, Any]]) -> Lengths:
        """Of prompt and response together."""
        found = [[len(row["text"]) + len(each) for each in row["responses"]] for row in rows]
        texts = [characters for each in found for characters in each]
        return replace(lengths_of(texts), texts=max(1, len(texts)) / max(1, len(found)))

    def suggest(self, facts: Facts, base: Mapping[str, Any], strategy: str) -> Suggestion:
        """As of texts, each of which is a response here."""
        found = super().suggest(facts, base, strategy)
        return replace(found, seconds=found.seconds * (1.0 if facts.rate else facts.lengths.texts))

    def own(self, choices: dict[str, Choice], facts: Facts, strategy: str) -> dict[str, Choice]:
        """Without settings that need labels."""
        return {name: each for name, each in choices.items() if name not in OF_LABELS}

    def inherited(self, labels: Sequence[str], known: Collection[str]) -> tuple[int, int, str]:
        """Its one output means the same."""
        return 1, 1, "the quality of a response."


ENTRY = RankingSettings()
