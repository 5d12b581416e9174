"""Settings of span runs. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.engine.document import SpecError, listed
from lifecycle.runtime.engine.task_types.encoder_settings import EncoderSettings
from lifecycle.runtime.engine.task_types.settings import Choice, Facts, Problem
from lifecycle.runtime.task_types.spans.tagging import tags

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec

# For a head over each word. On 589 sentences of WikiGold LoRA reaches a micro-F1 of 0.69 with the rate,
# batches and epochs of spans, and 0.65 with 0.001 and those of whole texts (`python -m benchmarks.quality
# --only wikigold`); a dictionary of the training spans has 0.44.
TAG_RATE = {"full": 1e-3} | dict.fromkeys(("lora", "fast_lora", "ia3", "adapter"), 5e-3)
TAG_STEPS = 450
TAGGED_TOKENS = 512  # of a step, each of which has a tag to learn from
FEW_TAGGED_ROWS = 5_000  # beyond, there are steps enough


class SpanSettings(EncoderSettings):
    """Every word is a training example."""

    least_steps = TAG_STEPS

    def check(self, spec: TrainSpec) -> None:
        """Nothing is pooled."""
        self.check_strategy(spec)
        if spec.pooling != "mean":
            raise SpecError("pooling", "must be mean for spans, which use token vectors directly.")
        super().check(spec)

    def outputs(self, labels: int) -> int:
        """The tags."""
        return tags(labels)

    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """Each label needs training spans."""
        labels = counts["labels"]
        never = tuple(label for label, splits in labels.items() if not splits.get("train"))
        if labels and not never:
            return None
        problem = (
            f"its training rows have no spans labeled {listed(never)}"
            if never
            else "its training rows have no spans"
        )
        return Problem(
            f"{problem}. A label needs training spans.",
            "Label some or remove the label, then create a new dataset version.",
        )

    def batch_size(self, facts: Facts) -> Choice:
        """Few texts make a step, unless there are many."""
        median = facts.lengths.median
        if facts.rows > FEW_TAGGED_ROWS:
            return super().batch_size(facts)
        size = next((each for each in (16, 8) if each * median <= TAGGED_TOKENS), 4)
        reason = (
            f"Every word is a training example, about {median:.0f} per text, so batches are small and there"
            " are more steps."
        )
        return Choice(size, reason)

    def own(self, choices: dict[str, Choice], facts: Facts, strategy: str) -> dict[str, Choice]:
        """Without a pooling, and with the rate of tags."""
        reason = (
            "The head starts from random weights and trains on every word, so it needs a lower learning rate"
            " than for whole texts."
        )
        rate = {"head_learning_rate": Choice(TAG_RATE[strategy], reason)} if strategy in TAG_RATE else {}
        return {name: each for name, each in (choices | rate).items() if name != "pooling"}


ENTRY = SpanSettings()
