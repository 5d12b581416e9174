"""Settings of generation runs: defaults with their reasons, and the estimated time. No torch."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lifecycle.runtime.engine.base import SMOLLM2
from lifecycle.runtime.engine.strategy import Strategy
from lifecycle.runtime.engine.task_types.settings import (
    Choice,
    Facts,
    Lengths,
    Problem,
    Settings,
    Suggestion,
    shared_choices,
    tokens,
)

if TYPE_CHECKING:
    from lifecycle.runtime.engine.spec import TrainSpec

IA3_MODELS = (
    "llama",
    "mistral",
    "gpt2",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "phi",
    "opt",
    "gpt_neox",
    "bloom",
    "falcon",
)
RATE = {"lora": 1e-3, "full": 5e-5, "ia3": 5e-3, "prompt": 1e-1, "p_tuning": 1e-3, "prefix": 3e-2}
RATE_REASONS = {
    "lora": "Adapters start at zero and need a much higher learning rate than full fine-tuning.",
    "full": "All weights are trained, so small steps preserve what the base model learned.",
    "ia3": "Only scaling vectors are trained, starting at one; they need a high learning rate.",
    "prompt": (
        "Only a few prepended vectors are trained; they need a very high learning rate and more epochs."
    ),
    "p_tuning": "The prompt network uses a standard learning rate.",
    "prefix": "Only prepended keys and values are trained, with a high learning rate.",
}
FRAME_TOKENS = 32  # about, of a chat template
LENGTHS = (128, 256, 384, 512, 768, 1024, 2048)
ANSWERS = (32, 64, 128, 256, 512)
# that a run should make, where rows are few
STEPS = {"prompt": 400, "p_tuning": 400, "prefix": 400, "ia3": 200, "lora": 120, "full": 120}

# Weights of a decoder times tokens a second, trained on one core (SmolLM2-135M, LoRA, bf16, all-in); a
# measured rate replaces it.
WORK = 135e6 * 95.0
COST = {"lora": 1.0, "full": 1.5, "ia3": 1.1, "prompt": 1.1, "p_tuning": 1.1, "prefix": 1.0}
FORWARD = 2.5  # times as fast as training
START_SECONDS = 25.0
LLAMA_LIKE = ("llama", "mistral", "qwen2", "qwen3")


class TextSettings(Settings):
    """Decoders have only these strategies."""

    decoder = True
    other_base = f"is an encoder, which can't generate text. Choose a decoder, such as {SMOLLM2}."
    strategies = ("lora", "full", "ia3", "prompt", "p_tuning", "prefix")
    paces = {name: 1 / cost for name, cost in COST.items()}
    example = "prompt and response"
    ia3_models = IA3_MODELS

    def check(self, spec: TrainSpec) -> None:
        """There are no labels, and no head."""
        self.check_thresholds(spec)
        self.check_unlabeled(spec, "the task is generation", "pooling", "keep_head")

    def untrainable(self, counts: Mapping[str, Mapping[str, Any]]) -> Problem | None:
        """There are training rows."""
        return self.untrained(counts, "Add responses")

    def misfit(self, strategy: str, name: str) -> str:
        """Strategies that need a head or an encoder don't fit."""
        if strategy in self.strategies:
            return ""
        if strategy == "head":
            return f"{name} is only available for classification. Choose prompt tuning, which is as small."
        if strategy == "fast_lora":
            return f"{name} is only available for encoders. Choose LoRA."
        return f"{name} are only available for encoders. Choose LoRA."

    def lengths(self, rows: Iterable[Mapping[str, Any]]) -> Lengths:
        """Of prompt and answer together, and of answers."""
        pairs = [(len(row["text"]), len(row["answer"])) for row in rows] or [(1, 1)]
        whole, answers = sorted(map(sum, pairs)), sorted(answer for _, answer in pairs)
        at = min(len(pairs) - 1, int(len(pairs) * 0.99))
        return Lengths(tokens(statistics.median(whole)), tokens(whole[at]), answer=tokens(answers[at]))

    def suggest(self, facts: Facts, base: Mapping[str, Any], strategy: str) -> Suggestion:
        """As `Settings.suggest`, with the time by the size of the base."""
        rows, long_tokens, answers = facts.rows, facts.lengths.long, facts.lengths.answer
        if rows < 1 or strategy not in self.strategies:
            raise ValueError(f"Suggested settings need rows and a known strategy; got {rows}, {strategy!r}.")
        batch = 8 if rows >= 64 else 4
        steps = math.ceil(rows / batch)
        epochs = min(20, max(1 if rows > 20_000 else 3, math.ceil(STEPS[strategy] / steps)))
        needed = long_tokens + FRAME_TOKENS
        longest = next((each for each in LENGTHS if each >= needed), LENGTHS[-1])
        answer = next((each for each in ANSWERS if each >= 1.25 * answers), ANSWERS[-1])
        tail = (
            "longer ones lose part of the prompt"
            if needed > longest
            else "batches are padded to their longest row only"
        )
        passes = (
            f"{rows:,} rows make {steps:,} step{'s' * (steps != 1)} per epoch, {epochs * steps:,} in total;"
            " the best step is used."
        )
        choices = {
            "epochs": Choice(epochs, passes),
            "batch_size": Choice(
                batch, "Small batches: the logits of a large vocabulary use most of the memory."
            ),
            "learning_rate": Choice(RATE[strategy], RATE_REASONS[strategy]),
            "max_tokens": Choice(
                longest, f"99 % of rows have up to about {needed:.0f} tokens in prompt and response; {tail}."
            ),
            "max_new_tokens": Choice(
                answer, f"99 % of responses have up to about {answers:.0f} tokens; generation stops there."
            ),
            "weight_decay": Choice(0.0, "Off: short runs with few parameters hardly need it."),
            "warmup_fraction": Choice(
                0.06, "The learning rate rises over the first 6 % of steps, which stabilises the start."
            ),
            "evaluations_per_epoch": Choice(
                2 if epochs <= 4 else 1, "The step with the lowest validation loss is used."
            ),
            "patience": Choice(
                3 if epochs >= 4 else 0,
                (
                    "Stops if validation loss hasn't fallen for this many evaluations."
                    if epochs >= 4
                    else "Off: the run is short, and the best step is used anyway."
                ),
            ),
            **shared_choices(strategy),
            **self.inner(strategy),
        }
        asked = epochs * choices["evaluations_per_epoch"].value
        return Suggestion(
            choices, *estimate_seconds(facts, epochs, asked, strategy, base.get("parameters") or 0)
        )

    def inner(self, strategy: str, layers: int = 0) -> dict[str, Choice]:
        """As `Settings.inner`."""
        plain, found = Strategy(), {}
        if strategy == "lora":
            found = {
                "rank": Choice(
                    plain.rank,
                    "Rank 8 on query and value weights is enough for style and a few facts; increase it for"
                    " more.",
                ),
                "alpha": Choice(plain.alpha, "Twice the rank, the usual scaling."),
                "dropout": Choice(0.05, "Drops 5 % of adapter inputs to reduce overfitting."),
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
        if strategy in ("prompt", "p_tuning", "prefix"):
            found["virtual_tokens"] = Choice(
                plain.virtual_tokens, "Trained vectors prepended to every prompt; 10 to 50 are usual."
            )
        if strategy == "p_tuning":
            found["width"] = Choice(
                128, "Width of the small network that generates the vectors; it isn't needed after training."
            )
        if strategy in ("lora", "full", "ia3"):
            found["frozen_layers"] = Choice(
                0, "All layers are trained; freezing the lowest saves time and helps with few rows."
            )
        return found

    def trainable(
        self, strategy: str, base: Mapping[str, Any], labels: int, inner: Mapping[str, Any]
    ) -> int | None:
        """In a decoder whose layers are like Llama's; None for others.

        LoRA: query (H to H) and value (H to K) of each layer. IA3: keys, values (K each) and what enters the
        last dense part (I). Prompt: V vectors (H). P-tuning: these, and a network of three layers. Prefix: a
        key and a value (K each) of V places in each layer.
        """
        hidden, layers, kv, wide = (
            int(base.get(name) or 0) for name in ("hidden_size", "layers", "kv_size", "inner_size")
        )
        if strategy == "full" and not inner.get("frozen_layers"):
            return base.get("parameters")
        if base.get("architecture") not in LLAMA_LIKE or not (hidden and layers and kv and wide):
            return None
        virtual, width, learning = (
            int(inner.get("virtual_tokens", 0)),
            int(inner.get("width", 0)),
            layers - int(inner.get("frozen_layers", 0)),
        )
        counts = {
            "lora": (
                learning * int(inner.get("rank", 0)) * (2 * hidden + hidden + kv)
                + (learning * (hidden + kv) if inner.get("dora") else 0)
            ),
            "ia3": learning * (2 * kv + wide),
            "prompt": virtual * hidden,
            "p_tuning": (
                virtual * hidden + hidden * width + width + width * width + width + width * hidden + hidden
            ),
            "prefix": virtual * layers * 2 * kv,
        }
        return counts.get(strategy)


def estimate_seconds(
    facts: Facts, epochs: int, evaluations: int, strategy: str, parameters: int
) -> tuple[float, str]:
    """About how long a run takes, and the basis of the estimate. parameters: of the base, 0 where they are
    not known.
    """
    size = parameters or 135e6
    cores = facts.cores or os.cpu_count() or 1
    rate = facts.rate or WORK * cores / size / COST[strategy] / max(facts.lengths.median, 8)  # rows a second
    seconds = (
        START_SECONDS + epochs * facts.rows / rate + evaluations * facts.validation_rows / (FORWARD * rate)
    )
    if facts.rate:
        return (
            seconds,
            f"From {facts.rate:.1f} examples per second, measured in an earlier run on this machine.",
        )
    return (
        seconds,
        (
            f"From {WORK / 135e6:.0f} tokens per second and core, measured with LoRA on SmolLM2-135M, scaled"
            " to this base and data."
        ),
    )


ENTRY = TextSettings()
