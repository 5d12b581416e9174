"""Settings shared by all tasks with encoders: defaults for this data, each with its reason, and the estimated
time of the run. No torch.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lifecycle.runtime.engine.base import MINILM
from lifecycle.runtime.engine.document import SpecError, shown
from lifecycle.runtime.engine.strategy import DECODER_STRATEGIES, Strategy
from lifecycle.runtime.engine.task_types.settings import (
    Choice,
    Facts,
    Lengths,
    Settings,
    Suggestion,
    shared_choices,
    tokens,
)

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec

IA3_MODELS = ("bert", "roberta", "deberta", "deberta-v2")  # encoders of which PEFT knows what IA3 scales
LEARNING_LAYERS = 2  # of fast_lora, the upper ones
MAX_LABELS = 1000

SPECIAL_TOKENS = 2
# the tokens of a text are guessed by its characters: slang and names have twice as many
LENGTHS = (128, 256, 512)
FULL_STEPS = 250
IMBALANCE = 10.0

# Examples a second on 2 cores at 16 tokens a text with bf16 (banking77, all-MiniLM-L6-v2); a measured rate of
# this machine replaces it.
RATES = {"lora": 170.0, "fast_lora": 460.0, "full": 145.0, "ia3": 160.0, "adapter": 170.0, "head": 15_000.0}
FORWARD_RATE = 450.0
RATE_TOKENS = 16
RATE_CORES = 2
START_SECONDS = 12.0

ENCODER_RATE = {"lora": 2e-3, "fast_lora": 2e-3, "full": 2e-4, "ia3": 5e-3, "adapter": 1e-3}
HEAD_RATE = 1e-2
KEPT_HEAD_SHARE = 0.2  # of the rate of a head that begins at random
RATE_REASONS = {
    "lora": "Adapters start at zero and need about ten times the learning rate of full fine-tuning.",
    "fast_lora": "Adapters start at zero and need about ten times the learning rate of full fine-tuning.",
    "full": "All weights are trained, so small steps preserve what the base model learned.",
    "ia3": "Only scaling vectors are trained, starting at one; they need a high learning rate.",
    "adapter": (
        "Adapters start as the identity and need about five times the learning rate of full fine-tuning."
    ),
}


class EncoderSettings(Settings):
    """Labels of texts and of their parts, and responses in order. least_steps: that a run should make, where
    rows are few.
    """

    decoder = False
    other_base = f"is a decoder, which only attends to earlier tokens. Choose an encoder, such as {MINILM}."
    strategies: ClassVar[tuple[str, ...]] = ("lora", "fast_lora", "full", "ia3", "adapter", "head")
    paces = RATES
    ia3_models = IA3_MODELS
    least_steps: ClassVar[int] = FULL_STEPS

    def check(self, spec: TrainSpec) -> None:
        """Labels are given, each once."""
        self.check_thresholds(spec)
        self.check_strategy(spec)
        if len(set(spec.labels)) != len(spec.labels):
            twice = next(label for label in spec.labels if spec.labels.count(label) > 1)
            raise SpecError("labels", f"contains {shown(twice)} twice.")
        if len(spec.labels) > MAX_LABELS:
            raise SpecError("labels", f"may contain up to {MAX_LABELS} names, got {len(spec.labels)}.")
        if not spec.labels:
            raise SpecError("labels", "must contain at least two names, got none.")

    @staticmethod
    def check_strategy(spec: TrainSpec) -> None:
        """Raises SpecError for a strategy that decoders alone take."""
        if spec.strategy.kind in DECODER_STRATEGIES:
            raise SpecError("strategy.kind", f"{spec.strategy.kind} is only available for generation.")

    def misfit(self, strategy: str, name: str) -> str:
        """Decoder strategies don't fit."""
        fits = strategy in self.strategies
        return "" if fits else f"{name} is only available for generation. Choose LoRA."

    def lengths(self, rows: Iterable[Mapping[str, Any]]) -> Lengths:
        """Of the texts."""
        return lengths_of(len(row["text"]) for row in rows)

    def suggest(self, facts: Facts, base: Mapping[str, Any], strategy: str) -> Suggestion:
        """As `Settings.suggest`, with the time by the pace of a strategy."""
        rows = facts.rows
        if rows < 1 or strategy not in self.strategies:
            raise ValueError(f"Suggested settings need rows and a known strategy; got {rows}, {strategy!r}.")
        batch_size = self.batch_size(facts)
        epochs = _epochs(rows, batch_size.value, strategy, self.least_steps)
        choices = {
            "epochs": epochs,
            "batch_size": batch_size,
            **(
                {"learning_rate": Choice(ENCODER_RATE[strategy], RATE_REASONS[strategy])}
                if strategy != "head"
                else {}
            ),
            "head_learning_rate": Choice(
                HEAD_RATE, "The head starts from random weights and must train faster than the encoder."
            ),
            "max_tokens": _max_tokens(facts.lengths.long),
            "pooling": Choice(
                "mean", "Sentence encoders are trained with mean pooling; their [CLS] vector adapts slowly."
            ),
            "weight_decay": Choice(0.01, "The default; it hardly matters for short runs."),
            "warmup_fraction": Choice(
                0.06, "The learning rate rises over the first 6 % of steps, which stabilises the start."
            ),
            "evaluations_per_epoch": _evaluations(epochs.value),
            "patience": _patience(epochs.value),
            "class_weights": _class_weights(facts.counts),
            "label_smoothing": Choice(
                0.0, "Off: 0.1 makes the model less confident, which helps with noisy labels."
            ),
            "focal_gamma": Choice(0.0, "Off: 2 down-weights easy rows, which helps with rare, hard labels."),
            **shared_choices(strategy),
            **self.inner(strategy, base.get("layers") or 0),
        }
        asked = epochs.value * choices["evaluations_per_epoch"].value
        return Suggestion(
            self.own(choices, facts, strategy), *estimate_seconds(facts, epochs.value, asked, strategy)
        )

    def batch_size(self, facts: Facts) -> Choice:
        """Rows of a step."""
        few = f"{facts.rows:,} rows are few, so small batches give more steps."
        return Choice(16, few) if facts.rows < 500 else _large_batch(facts.rows)

    def own(self, choices: dict[str, Choice], facts: Facts, strategy: str) -> dict[str, Choice]:
        """The task's own choices."""
        return choices

    def inner(self, strategy: str, layers: int = 0) -> dict[str, Choice]:
        """As `Settings.inner`."""
        plain, choices = Strategy(), {}
        if strategy in ("lora", "fast_lora"):
            choices = {
                "rank": Choice(
                    plain.rank,
                    "Rank 8 on query and value weights is within one point of full fine-tuning on banking77.",
                ),
                "alpha": Choice(plain.alpha, "Twice the rank, the usual scaling."),
                "dora": Choice(
                    False,
                    "Off: DoRA trains magnitude and direction of weights separately; slightly better at low"
                    " ranks, and slower.",
                ),
                "rank_stabilised": Choice(
                    False,
                    "Off: if on, adapters are scaled by the square root of the rank, which helps high ranks.",
                ),
            }
        if strategy == "adapter":
            choices = {
                "width": Choice(
                    plain.width, "Narrow enough for few rows; doubling it rarely helps classification."
                )
            }
        if strategy in ("lora", "fast_lora", "adapter"):
            choices["dropout"] = Choice(plain.dropout, "Drops 10 % of adapter inputs to reduce overfitting.")
        if strategy == "fast_lora":
            kept = max(1, layers - LEARNING_LAYERS)
            choices["frozen_layers"] = Choice(
                kept,
                f"The output of this many of {layers} layers, from the bottom, is cached; training only runs"
                " the others.",
            )
        elif strategy != "head":
            choices["frozen_layers"] = Choice(
                0, "All layers are trained; freezing the lowest saves time and helps with few rows."
            )
        return choices

    def trainable(
        self, strategy: str, base: Mapping[str, Any], labels: int, inner: Mapping[str, Any]
    ) -> int | None:
        """By the shapes of an encoder.

        LoRA: query and value of each layer, two matrices of hidden x rank each. IA3: keys, values and what
        enters both dense parts, of which the inner one is taken to be four times as wide. Adapters: down and
        up with their biases. The head: hidden x outputs and a bias.
        """
        hidden, layers, parameters = base.get("hidden_size"), base.get("layers"), base.get("parameters")
        if not hidden or not layers or not parameters:
            return None
        outputs = self.outputs(labels)
        head: int = hidden * outputs + outputs
        lora, width = 2 * 2 * hidden * int(inner.get("rank", 0)), int(inner.get("width", 0))
        counts: dict[str, int] = {
            "full": parameters + head,
            "lora": layers * lora + head,
            "fast_lora": (layers - int(inner.get("frozen_layers", 0))) * lora + head,
            "ia3": layers * 7 * hidden + head,
            "adapter": layers * (2 * hidden * width + width + hidden) + head,
            "head": head,
        }
        return counts[strategy]

    def outputs(self, labels: int) -> int:
        """Logits of the head: one a label."""
        return labels

    def continuing(
        self, name: str, before: Mapping[str, Any], labels: Sequence[str], choices: Mapping[str, Choice]
    ) -> dict[str, Choice]:
        """Rehearsal, and the head if it has outputs of the task."""
        both, every, known = self.inherited(labels, before["labels"])
        found = super().continuing(name, before, labels, choices)
        if not every:
            return found
        found["keep_head"] = Choice(both > 0, f"The head of {name} was trained on {known}")
        if both and "pooling" in choices:
            found["pooling"] = Choice(before["pooling"], f"Same as the head of {name}.")
        if both == every and "head_learning_rate" in choices:
            rate = KEPT_HEAD_SHARE * choices["head_learning_rate"].value
            found["head_learning_rate"] = Choice(
                rate, "The head is already trained, so it needs a low learning rate."
            )
        return found

    def inherited(self, labels: Sequence[str], known: Collection[str]) -> tuple[int, int, str]:
        """How many of its outputs a head shares with these labels, of how many, and a text that names
        them.
        """
        both = sum(label in known for label in labels)
        some = f"{both} of these {len(labels)} labels; the others start from random weights."
        return both, len(labels), some if both < len(labels) else "all of these labels."


def tokens_from_characters(characters: float) -> int:
    """About how many tokens an English text of this length has, special tokens included."""
    return tokens(characters) + SPECIAL_TOKENS


def lengths_of(characters: Iterable[int]) -> Lengths:
    """Of texts with so many characters."""
    known = sorted(characters) or [1]
    median, long = statistics.median(known), known[min(len(known) - 1, int(len(known) * 0.99))]
    return Lengths(tokens_from_characters(median), tokens_from_characters(long))


def _large_batch(rows: int) -> Choice:
    if rows > 50_000:
        return Choice(64, f"{rows:,} rows are many, so larger batches are faster without loss of accuracy.")
    return Choice(32, "32 texts of similar length per step: fast on a CPU and still many steps.")


def _epochs(rows: int, batch_size: int, strategy: str, least_steps: int) -> Choice:
    steps = math.ceil(rows / batch_size)
    if strategy == "head":
        return Choice(
            min(60, max(20, math.ceil(1000 / steps))),
            "Frozen embeddings are cached, so epochs cost almost nothing.",
        )
    if rows > 200_000:
        return Choice(1, f"One pass over {rows:,} rows is {steps:,} steps, enough.")
    if rows > 50_000:
        return Choice(2, f"Two passes over {rows:,} rows are {2 * steps:,} steps, enough.")
    epochs = min(20, max(4, math.ceil(least_steps / steps)))
    if epochs > 4:
        return Choice(
            epochs,
            f"{rows:,} rows make {steps} step{'s' * (steps != 1)} per epoch; {epochs} epochs make"
            f" {epochs * steps} (at least {least_steps} steps, up to 20 epochs).",
        )
    return Choice(
        4, f"{4 * steps:,} steps. On data like this, the best step is usually in the third or fourth epoch."
    )


def _max_tokens(long: float) -> Choice:
    value = next((each for each in LENGTHS if each >= long), LENGTHS[-1])
    tail = (
        "longer ones are truncated"
        if long > value
        else "batches are padded to their longest text only, so a high limit costs nothing"
    )
    return Choice(value, f"99 % of texts have up to {long:.0f} tokens; {tail}.")


def _evaluations(epochs: int) -> Choice:
    if epochs <= 4:
        return Choice(2, "Validation twice per epoch, so a short run doesn't miss the best step.")
    return Choice(1, "Validation once per epoch is enough over many epochs.")


def _patience(epochs: int) -> Choice:
    if epochs >= 8:
        return Choice(max(4, epochs // 3), "Stops if the score hasn't improved for a third of the run.")
    return Choice(0, "Off: the run is short, and the best step is used anyway.")


def _class_weights(class_counts: Sequence[int]) -> Choice:
    counts = [count for count in class_counts if count > 0]
    if len(counts) < 2:
        return Choice(False, "Off: all rows have equal weight.")
    ratio = max(counts) / min(counts)
    if ratio > IMBALANCE:
        return Choice(
            True,
            f"The largest label has {ratio:.0f} times the rows of the smallest, which would otherwise be"
            " ignored.",
        )
    return Choice(
        False,
        f"Off: the largest label has {ratio:.1f} times the rows of the smallest, which needs no weighting.",
    )


def estimate_seconds(facts: Facts, epochs: int, evaluations: int, strategy: str) -> tuple[float, str]:
    """About how long a run takes, and the basis of the estimate."""
    rows, validation_rows = facts.rows, facts.validation_rows
    scale = (
        (facts.cores or os.cpu_count() or RATE_CORES)
        / RATE_CORES
        * RATE_TOKENS
        / max(facts.lengths.median, 4)
    )
    forward, rate = FORWARD_RATE * scale, facts.rate or RATES[strategy] * scale
    if strategy == "head":
        seconds = START_SECONDS + (rows + validation_rows) / forward + epochs * rows / RATES["head"]
    elif strategy == "fast_lora":
        once, faster = (rows + validation_rows) / forward, RATES[strategy] / RATES["lora"]
        seconds = (
            START_SECONDS + once + epochs * rows / rate + evaluations * validation_rows / (forward * faster)
        )
    else:
        seconds = START_SECONDS + epochs * rows / rate + evaluations * validation_rows / forward
    if facts.rate:
        return (
            seconds,
            f"From {facts.rate:.0f} examples per second, measured in an earlier run on this machine.",
        )
    measured = (
        f"From {RATES['lora']:.0f} examples per second, measured with LoRA on two cores at {RATE_TOKENS}"
        " tokens"
    )
    return seconds, f"{measured}, scaled to this machine and data; other load slows it."
