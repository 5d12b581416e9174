"""Sensible settings where texts are written, each with its reason, and about how long a run will take. No torch; beside `defaults`."""

from __future__ import annotations

import math
import os
from typing import Any

from lifecycle.engine.defaults import CHARACTERS_PER_TOKEN, Choice, Suggestion, several_processes
from lifecycle.engine.spec import Strategy

# As people choose them, the most fitting first.
STRATEGIES = ("lora", "full", "ia3", "prompt", "p_tuning", "prefix")
IA3_MODELS = ("llama", "mistral", "gpt2", "qwen2", "qwen3", "gemma", "gemma2", "phi", "opt", "gpt_neox", "bloom", "falcon")
RATE = {"lora": 1e-3, "full": 5e-5, "ia3": 5e-3, "prompt": 1e-1, "p_tuning": 1e-3, "prefix": 3e-2}
RATE_REASONS = {
    "lora": "Adapters start at zero and take a rate far above that of full fine-tuning.",
    "full": "All weights move, so small steps keep what the base model knows.",
    "ia3": "A few scales learn, from one: they move little and take a large rate.",
    "prompt": "A few vectors before the prompt learn alone; they need a very large rate, and more epochs.",
    "p_tuning": "The network that makes the prompt learns as networks do.",
    "prefix": "Keys and values before the prompt learn alone, at a large rate.",
}
FRAME_TOKENS = 32  # about, of a chat template
LENGTHS = (128, 256, 384, 512, 768, 1024, 2048)
ANSWERS = (32, 64, 128, 256, 512)
STEPS = {"prompt": 400, "p_tuning": 400, "prefix": 400, "ia3": 200, "lora": 120, "full": 120}  # that a run should make, where rows are few

# Weights of a decoder times tokens a second, learnt on one core (SmolLM2-135M, LoRA, bf16, all-in); a measured rate replaces it.
WORK = 135e6 * 95.0
COST = {"lora": 1.0, "full": 1.5, "ia3": 1.1, "prompt": 1.1, "p_tuning": 1.1, "prefix": 1.0}
FORWARD = 2.5  # times as fast as learning
START_SECONDS = 25.0


def tokens(characters: float) -> int:
    """About how many tokens an English text of this length has."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def suggest(
    *,
    rows: int,
    median_tokens: float,
    long_tokens: float,
    long_answer: float,
    strategy: str,
    parameters: int = 0,
    validation_rows: int = 0,
    measured_rate: float | None = None,
    cores: int | None = None,
) -> Suggestion:
    """Settings for `rows` prompts with completions.

    median_tokens, long_tokens: the middle and the 99th percentile of rows, prompt and completion together; long_answer: the 99th percentile
    of completions. parameters: of the base, 0 where it is not known. measured_rate: examples a second of an earlier run like it.
    """
    if rows < 1 or strategy not in STRATEGIES:
        raise ValueError(f"Settings need rows and a known strategy; got {rows}, {strategy!r}.")
    batch = 8 if rows >= 64 else 4
    steps = math.ceil(rows / batch)
    epochs = min(20, max(1 if rows > 20_000 else 3, math.ceil(STEPS[strategy] / steps)))
    needed = long_tokens + FRAME_TOKENS
    longest = next((each for each in LENGTHS if each >= needed), LENGTHS[-1])
    answer = next((each for each in ANSWERS if each >= 1.25 * long_answer), ANSWERS[-1])
    tail = "of longer ones a part of the prompt is left out" if needed > longest else "batches are padded only to their own longest row"
    passes = f"{rows:,} rows make {steps:,} step{'s' * (steps != 1)} an epoch, {epochs * steps:,} in all; the best step is kept."
    choices = {
        "epochs": Choice(epochs, passes),
        "batch_size": Choice(batch, "Few rows at a time: the logits of a large vocabulary take most of the memory."),
        "learning_rate": Choice(RATE[strategy], RATE_REASONS[strategy]),
        "max_tokens": Choice(longest, f"99 of 100 rows have up to about {needed:.0f} tokens, prompt and answer; {tail}."),
        "max_new_tokens": Choice(answer, f"99 of 100 answers have up to about {long_answer:.0f} tokens; a generated one ends there."),
        "weight_decay": Choice(0.0, "Off: short runs of few weights hardly need it."),
        "warmup_fraction": Choice(0.06, "Rates rise over the first 6 % of steps, so that the first batches do not shake the model."),
        "evaluations_per_epoch": Choice(2 if epochs <= 4 else 1, "The step with the least validation loss is kept."),
        "patience": Choice(3 if epochs >= 4 else 0, "Stops where validation loss has not fallen for so many evaluations." if epochs >= 4
                           else "The run is short: it goes to its end, and the best step is kept anyway."),
        "schedule": Choice("linear", "Rates fall evenly to zero; cosine keeps them high for longer, constant lets them stay."),
        "accumulation": Choice(1, "Each batch is a step; more batches of one step act as a larger batch without its memory."),
        **several_processes(strategy),
        "gradient_checkpointing": Choice(False, "Off: on, a step takes a third more time and much less memory, for long texts."),
        "max_gradient_norm": Choice(1.0, "Longer gradients are shortened to 1, so that one odd batch does not throw the weights off."),
        "precision": Choice("auto", "bf16 where this processor has instructions for it, else fp32."),
    }  # fmt: skip
    if strategy == "prefix":
        del choices["gradient_checkpointing"]  # does not go with it
    choices |= inner(strategy)
    asked = epochs * choices["evaluations_per_epoch"].value
    seconds, reason = _seconds(rows, validation_rows, epochs, asked, median_tokens, strategy, parameters, measured_rate, cores)
    return Suggestion(choices, seconds, reason)


def _seconds(
    rows: int, validation: int, epochs: int, evaluations: int, tokens: float, strategy: str, parameters: int, measured: float | None,
    cores: int | None,
) -> tuple[float, str]:  # fmt: skip
    size = parameters or 135e6
    rate = measured or WORK * (cores or os.cpu_count() or 1) / size / COST[strategy] / max(tokens, 8)  # rows a second
    seconds = START_SECONDS + epochs * rows / rate + evaluations * validation / (FORWARD * rate)
    if measured:
        return seconds, f"From {measured:.1f} examples a second, measured in an earlier run on this machine."
    return seconds, f"From {WORK / 135e6:.0f} tokens a second and core, measured with LoRA on SmolLM2-135M, scaled to this base and data."


def settings_of(strategy: str) -> frozenset[str]:
    """The names of the settings of the strategy itself."""
    return frozenset(inner(strategy))


def inner(strategy: str) -> dict[str, Choice]:
    """The settings of the strategy itself."""
    plain, found = Strategy(), {}
    if strategy == "lora":
        found = {
            "rank": Choice(plain.rank, "Rank 8 on the query and value weights is enough for a style and a few facts; raise it for more."),
            "alpha": Choice(plain.alpha, "Twice the rank, the usual scale."),
            "dropout": Choice(0.05, "Drops a twentieth of the adapters' inputs against overfitting."),
            "dora": Choice(False, "Off: DoRA learns size and direction of weights apart; a little better at low ranks, and slower."),
            "rank_stabilised": Choice(False, "Off: on, adapters are scaled by the root of the rank, which high ranks need."),
        }
    if strategy in ("prompt", "p_tuning", "prefix"):
        found["virtual_tokens"] = Choice(
            plain.virtual_tokens, "Vectors that stand before every prompt and alone learn; 10 to 50 are usual."
        )
    if strategy == "p_tuning":
        found["width"] = Choice(128, "Of the small network that makes these vectors; it is not needed once they are made.")
    if strategy in ("lora", "full", "ia3"):
        found["frozen_layers"] = Choice(0, "All layers learn; freezing the lowest saves time and helps where rows are few.")
    return found


def trainable(strategy: str, facts: dict[str, Any], settings: dict[str, Any]) -> int | None:
    """How many weights learn in a decoder whose layers are like Llama's; None for others, and where a size is not known.

    LoRA: query (H to H) and value (H to K) of each layer. IA3: keys, values (K each) and what enters the last dense part (I). Prompt: V
    vectors (H). P-tuning: these, and a network of three layers. Prefix: a key and a value (K each) of V places in each layer.
    """
    hidden, layers, kv, wide = (int(facts.get(name) or 0) for name in ("hidden_size", "layers", "kv_size", "inner_size"))
    if strategy == "full" and not settings.get("frozen_layers"):
        return facts.get("parameters")
    if facts.get("architecture") not in LLAMA_LIKE or not (hidden and layers and kv and wide):
        return None
    virtual, width, learning = (
        int(settings.get("virtual_tokens", 0)),
        int(settings.get("width", 0)),
        layers - int(settings.get("frozen_layers", 0)),
    )
    counts = {
        "lora": learning * int(settings.get("rank", 0)) * (2 * hidden + hidden + kv)
        + (learning * (hidden + kv) if settings.get("dora") else 0),
        "ia3": learning * (2 * kv + wide),
        "prompt": virtual * hidden,
        "p_tuning": virtual * hidden + hidden * width + width + width * width + width + width * hidden + hidden,
        "prefix": virtual * layers * 2 * kv,
    }
    return counts.get(strategy)


LLAMA_LIKE = ("llama", "mistral", "qwen2", "qwen3")
