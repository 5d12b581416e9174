"""Sensible settings for this data, each with the sentence that explains it, and about how long the run will take. No torch."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from lifecycle.engine.spec import Strategy

# As people choose them, the most fitting first; fast_lora is LoRA over lower layers that are run once.
STRATEGIES = ("lora", "fast_lora", "full", "ia3", "adapter", "head")
INNER = frozenset(each.name for each in fields(Strategy)) - {"kind", "target_modules", "cached"}  # settings that go into spec.strategy
IA3_MODELS = ("bert", "roberta", "deberta", "deberta-v2")  # encoders of which PEFT knows what IA3 scales
LEARNING_LAYERS = 2  # of fast_lora, the upper ones

SPECIAL_TOKENS = 2
CHARACTERS_PER_TOKEN = 4.5
LENGTHS = (128, 256, 512)  # the tokens of a text are guessed by its characters: slang and names have twice as many
FULL_STEPS = 250
IMBALANCE = 10.0

# Examples a second on 2 cores at 16 tokens a text with bf16 (banking77, all-MiniLM-L6-v2); a measured rate of this machine replaces it.
RATES = {"lora": 170.0, "fast_lora": 460.0, "full": 145.0, "ia3": 160.0, "adapter": 170.0, "head": 15_000.0}
FORWARD_RATE = 450.0
RATE_TOKENS = 16
RATE_CORES = 2
START_SECONDS = 12.0

ENCODER_RATE = {"lora": 2e-3, "fast_lora": 2e-3, "full": 2e-4, "ia3": 5e-3, "adapter": 1e-3}
HEAD_RATE = 1e-2
# Of a head that reads each word. On 589 sentences of WikiGold LoRA reaches a micro-F1 of 0.69 with the rate, batches and epochs of marked
# parts, and 0.65 with 0.001 and those of whole texts (`python -m benchmarks.quality --only wikigold`); a dictionary of the training spans
# has 0.44.
TAG_RATE = {"full": 1e-3} | dict.fromkeys(("lora", "fast_lora", "ia3", "adapter"), 5e-3)
TAG_STEPS = 450
TAGGED_TOKENS = 512  # of a step, each of which has a tag to learn from
FEW_TAGGED_ROWS = 5_000  # beyond, there are steps enough
KEPT_HEAD_SHARE = 0.2  # of the rate of a head that begins at random
REHEARSED = 0.5
FIXED = {"head": {"learning_rate": 0.0}}  # what a strategy leaves no choice of, by its name
RATE_REASONS = {
    "lora": "Adapters start at zero and take about ten times the rate of full fine-tuning.",
    "fast_lora": "Adapters start at zero and take about ten times the rate of full fine-tuning.",
    "full": "All weights move, so small steps keep what the base model knows.",
    "ia3": "A few scales learn, from one: they move little and take a large rate.",
    "adapter": "Adapters start as if they were not there and take about five times the rate of full fine-tuning.",
}


@dataclass(frozen=True)
class Choice:
    """A setting and why it fits. among: (value, words) of all that it may be, where this data says that."""

    value: Any
    reason: str
    among: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """Choices by field name of TrainSpec (strategy's by rank, alpha, dropout), and the time they need with the sentence behind it."""

    choices: dict[str, Choice]
    seconds: float
    seconds_reason: str

    def values(self) -> dict[str, Any]:
        """The settings without their reasons, as a form's initial values."""
        return {name: choice.value for name, choice in self.choices.items()}


def tokens_from_characters(characters: float) -> int:
    """About how many tokens an English text of this length has, special tokens included."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN) + SPECIAL_TOKENS


def suggest(
    *,
    rows: int,
    classes: int,
    median_tokens: float,
    strategy: str = "lora",
    long_tokens: float | None = None,
    class_counts: Sequence[int] = (),
    validation_rows: int | None = None,
    measured_rate: float | None = None,
    cores: int | None = None,
    layers: int = 0,
    several: bool = False,
    spans: bool = False,
    one_of: Sequence[str] = (),
) -> Suggestion:
    """Settings for `rows` training rows of `classes` labels.

    strategy: one of STRATEGIES. several: whether a text may have any number of labels, each with a threshold. spans: whether parts are
    marked. one_of: the labels, where a text has one of them. layers: of the base model, where known. long_tokens: the 99th percentile
    of token counts, where known. class_counts: training rows of each label. measured_rate: examples a second of an earlier run of the
    same strategy and base on this machine, which makes the estimate of the time a measurement.
    """
    if rows < 1 or classes < 1 or strategy not in RATES:
        raise ValueError(f"Settings need rows, classes and a known strategy; got {rows}, {classes}, {strategy!r}.")
    batch_size = Choice(16, f"{rows:,} rows are few: small batches give more steps.") if rows < 500 else _large_batch(rows)
    if spans and rows <= FEW_TAGGED_ROWS:
        batch_size = _tagged_batch(median_tokens)
    epochs = _epochs(rows, batch_size.value, strategy, TAG_STEPS if spans else FULL_STEPS)
    choices = {
        "epochs": epochs,
        "batch_size": batch_size,
        **({"learning_rate": Choice(ENCODER_RATE[strategy], RATE_REASONS[strategy])} if strategy != "head" else {}),
        "head_learning_rate": Choice(HEAD_RATE, "The head starts from random weights and must learn faster than the encoder."),
        "max_tokens": _max_tokens(median_tokens, long_tokens),
        "pooling": Choice("mean", "Sentence encoders are made for the mean of their token vectors; their [CLS] vector learns slowly."),
        "weight_decay": Choice(0.01, "The usual value; it hardly matters for short runs."),
        "warmup_fraction": Choice(0.06, "Rates rise over the first 6 % of steps, so that the first batches do not shake the encoder."),
        "evaluations_per_epoch": _evaluations(epochs.value),
        "patience": _patience(epochs.value),
        "class_weights": _class_weights(class_counts),
        "label_smoothing": Choice(0.0, "Off: 0.1 makes a model less sure of itself, which helps where some labels are wrong."),
        "focal_gamma": Choice(0.0, "Off: 2 makes rows that are easy count less, which helps where a class is rare and hard."),
        "schedule": Choice("linear", "Rates fall evenly to zero; cosine keeps them high for longer, constant lets them stay."),
        "accumulation": Choice(1, "Each batch is a step; more batches of one step act as a larger batch without its memory."),
        **several_processes(strategy),
        "gradient_checkpointing": Choice(False, "Off: on, a step takes a third more time and much less memory, for long texts."),
        "max_gradient_norm": Choice(1.0, "Longer gradients are shortened to 1, so that one odd batch does not throw the weights off."),
        "precision": Choice("auto", "bf16 where this processor has instructions for it, else fp32."),
    }
    choices |= _inner(strategy, layers)
    if strategy == "head":
        del choices["gradient_checkpointing"]  # the encoder is run once, without a way back
    if spans:
        del choices["pooling"]  # every word is read by itself
        if strategy != "head":
            told = "The head starts from random weights, and learns from every word of a text: it needs less than one that reads it whole."
            choices["head_learning_rate"] = Choice(TAG_RATE[strategy], told)
    if several:
        choices["operating_point"] = Choice("f1", "The best F1 of each class; precision or recall where one kind of mistake costs more.")
        choices["operating_target"] = Choice(0.9, "The precision or recall that each class is to have on validation; best F1 has none.")
    if one_of:
        choices |= _one_threshold(one_of)
    shown = validation_rows if validation_rows is not None else max(1, rows // 9)
    seconds, reason = estimate_seconds(
        rows=rows,
        validation_rows=shown,
        epochs=epochs.value,
        evaluations=epochs.value * choices["evaluations_per_epoch"].value,
        median_tokens=median_tokens,
        strategy=strategy,
        measured_rate=measured_rate,
        cores=cores,
    )
    return Suggestion(choices, seconds, reason)


def continuing(
    base: str, pooling: str, labels: Sequence[str], known: Collection[str], choices: Mapping[str, Choice], *, ranks: bool = False
) -> dict[str, Choice]:
    """What more there is to choose where the base was trained here.

    base: its name. pooling: by which its head reads. labels: of the new data; none where texts are written or responses put in order, which
    ranks says. Half of the rows rehearsed:
    experience replay takes as many old rows as new ones (Chaudhry et al. 2019, Tiny Episodic Memories).
    """
    told = "As many earlier rows as new ones: who is shown new rows alone forgets the old. Rows of this snapshot are not taken twice."
    found = {"rehearsal": Choice(REHEARSED, told)}
    if not labels and not ranks:
        return found
    both = sum(label in known for label in labels)
    some = f"{both} of these {len(labels)} classes; the others begin at random." if both < len(labels) else "all of these classes."
    if ranks:
        labels, both, some = ("score",), 1, "how good a response is."
    found["keep_head"] = Choice(both > 0, f"The head of {base} knows {some}")
    if both and "pooling" in choices:
        found["pooling"] = Choice(pooling, f"As the head of {base} reads texts.")
    if both == len(labels) and "head_learning_rate" in choices:
        rate = KEPT_HEAD_SHARE * choices["head_learning_rate"].value
        found["head_learning_rate"] = Choice(rate, "The head begins with what it knows, so it moves little.")
    return found


def several_processes(strategy: str) -> dict[str, Choice]:
    """How many processes train, and whether the model is divided among them, which cannot be where a part of it is run once, whole."""
    told = "One uses all cores; several share each batch, which pays where the machine has several accelerators."
    found = {"processes": Choice(1, told)}
    if strategy not in ("head", "fast_lora"):
        found["sharded"] = Choice(
            False, "Off: each process holds the whole model. On: its part, for a model that does not fit one GPU; steps take longer."
        )
    return found


def strategy_spec(strategy: str, inner: Mapping[str, Any]) -> dict[str, Any]:
    """What people choose by one name as the engine's strategy. inner: settings of INNER."""
    return ({"kind": "lora", "cached": True} if strategy == "fast_lora" else {"kind": strategy}) | dict(inner)


def settings_of(strategy: str) -> frozenset[str]:
    """The names of the settings of the strategy itself."""
    return frozenset(_inner(strategy, 0))


def _inner(strategy: str, layers: int) -> dict[str, Choice]:
    """The settings of the strategy itself."""
    plain, choices = Strategy(), {}
    if strategy in ("lora", "fast_lora"):
        choices = {
            "rank": Choice(plain.rank, "Rank 8 on the query and value weights reaches full fine-tuning within a point on banking77."),
            "alpha": Choice(plain.alpha, "Twice the rank, the usual scale."),
            "dora": Choice(False, "Off: DoRA learns size and direction of weights apart; a little better at low ranks, and slower."),
            "rank_stabilised": Choice(False, "Off: on, adapters are scaled by the root of the rank, which high ranks need."),
        }
    if strategy == "adapter":
        choices = {"width": Choice(plain.width, "Narrow enough for few rows; twice as wide seldom helps classification.")}
    if strategy in ("lora", "fast_lora", "adapter"):
        choices["dropout"] = Choice(plain.dropout, "Drops a tenth of the adapters' inputs against overfitting.")
    if strategy == "fast_lora":
        kept = max(1, layers - LEARNING_LAYERS)
        choices["frozen_layers"] = Choice(kept, f"So many of {layers} layers, from below, are run once; training runs the others alone.")
    elif strategy != "head":
        choices["frozen_layers"] = Choice(0, "All layers learn; freezing the lowest saves time and helps where rows are few.")
    return choices


def _large_batch(rows: int) -> Choice:
    if rows > 50_000:
        return Choice(64, f"{rows:,} rows are many: larger batches are faster and lose nothing.")
    return Choice(32, "32 texts of like length a step: fast on a processor and still many steps.")


def _tagged_batch(median_tokens: float) -> Choice:
    size = next((each for each in (16, 8) if each * median_tokens <= TAGGED_TOKENS), 4)
    told = f"Every word of a text is learnt from, about {median_tokens:.0f} of them: few texts make a step, and there are more steps."
    return Choice(size, told)


def _epochs(rows: int, batch_size: int, strategy: str, least_steps: int) -> Choice:
    steps = math.ceil(rows / batch_size)
    if strategy == "head":
        return Choice(min(60, max(20, math.ceil(1000 / steps))), "The frozen vectors are computed once, so epochs cost almost nothing.")
    if rows > 200_000:
        return Choice(1, f"One pass over {rows:,} rows is {steps:,} steps, enough.")
    if rows > 50_000:
        return Choice(2, f"Two passes over {rows:,} rows are {2 * steps:,} steps, enough.")
    epochs = min(20, max(4, math.ceil(least_steps / steps)))
    if epochs > 4:
        return Choice(
            epochs,
            f"{rows:,} rows make {steps} step{'s' * (steps != 1)} an epoch; {epochs} epochs make {epochs * steps}"
            f" ({least_steps} steps where 20 epochs allow it).",
        )
    return Choice(4, f"{4 * steps:,} steps. On data like this the best step is usually in the third or fourth epoch.")


def _max_tokens(median_tokens: float, long_tokens: float | None) -> Choice:
    needed = long_tokens if long_tokens is not None else 4 * median_tokens
    value = next((each for each in LENGTHS if each >= needed), LENGTHS[-1])
    known = f"99 of 100 texts have up to {needed:.0f} tokens"
    if long_tokens is None:
        known = f"The middle text has about {median_tokens:.0f} tokens"
    tail = "longer ones are cut" if needed > value else "batches are padded only to their own longest text, so room costs nothing"
    return Choice(value, f"{known}; {tail}.")


def _evaluations(epochs: int) -> Choice:
    if epochs <= 4:
        return Choice(2, "Validation twice an epoch, so that the best step is not missed in a short run.")
    return Choice(1, "Validation once an epoch gives enough points over many epochs.")


def _patience(epochs: int) -> Choice:
    if epochs >= 8:
        return Choice(max(4, epochs // 3), "Stops when the score has not improved for a third of the run.")
    return Choice(0, "The run is short: it goes to its end, and the best step is kept anyway.")


def _one_threshold(labels: Sequence[str]) -> dict[str, Choice]:
    told = "A rare class is seldom the likeliest; with a threshold it is the answer from there on, and else the likeliest of the others is."
    points = (("f1", "None: the likeliest class answers"), ("precision", "Precision of at least"), ("recall", "Recall of at least"))
    return {
        "operating_class": Choice("", told, (("", "None"), *((label, label) for label in labels))),
        "operating_point": Choice("f1", "Recall where missing the class costs more, precision where calling it wrongly does.", points),
        "operating_target": Choice(
            0.9, "Chosen on validation, so test comes out a little above or below. Without a class it does nothing."
        ),
    }


def _class_weights(class_counts: Sequence[int]) -> Choice:
    counts = [count for count in class_counts if count > 0]
    if len(counts) < 2:
        return Choice(False, "Off: rows count equally.")
    ratio = max(counts) / min(counts)
    if ratio > IMBALANCE:
        return Choice(True, f"The largest class has {ratio:.0f} times the rows of the smallest, which would otherwise be ignored.")
    return Choice(False, f"Off: the largest class has {ratio:.1f} times the rows of the smallest, which a model copes with.")


def estimate_seconds(
    *,
    rows: int,
    validation_rows: int,
    epochs: int,
    evaluations: int,
    median_tokens: float,
    strategy: str,
    measured_rate: float | None = None,
    cores: int | None = None,
) -> tuple[float, str]:
    """About how long a run takes, and what that rests on."""
    scale = (cores or os.cpu_count() or RATE_CORES) / RATE_CORES * RATE_TOKENS / max(median_tokens, 4)
    forward = FORWARD_RATE * scale
    if strategy == "head":
        seconds = START_SECONDS + (rows + validation_rows) / forward + epochs * rows / RATES["head"]
    elif strategy == "fast_lora":
        rate = measured_rate or RATES[strategy] * scale
        once, faster = (rows + validation_rows) / forward, RATES[strategy] / RATES["lora"]
        seconds = START_SECONDS + once + epochs * rows / rate + evaluations * validation_rows / (forward * faster)
    else:
        rate = measured_rate or RATES[strategy] * scale
        seconds = START_SECONDS + epochs * rows / rate + evaluations * validation_rows / forward
    if measured_rate:
        return seconds, f"From {measured_rate:.0f} examples a second, measured in an earlier run on this machine."
    measured = f"From {RATES['lora']:.0f} examples a second, measured with LoRA on two cores at {RATE_TOKENS} tokens"
    return seconds, f"{measured}, scaled to this machine and data; other work slows it."
