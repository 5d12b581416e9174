"""Whether to fine-tune, from which base, and with which strategy. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lifecycle.modeling.training.advice.shapes import (
    FEW_ROWS,
    LIMIT,
    OPERATIONS_A_SECOND,
    SETFIT,
    Answers,
    Candidate,
    Concern,
    Data,
    Setting,
    Verdict,
)

ENOUGH_ROWS = 1_000  # of all classes
FULL_ROWS = 4_000
FASTER = ("full", "lora", "fast_lora", "head")
THOUSAND = "Rule of thumb: about 1,000 labels"
MEASURED = (
    "Measured: 4,000 rows of banking77 on all-MiniLM-L6-v2, accuracy 0.901 with head only, 0.910 with LoRA,"
    " 0.924 with full fine-tuning"
)
ADAPTERS = "Mireshghallah et al. 2022: adapters memorise least"
ARITHMETIC = (
    f"Estimate: 24 × layers × width² operations per token, {OPERATIONS_A_SECOND / 1e9:.0f} billion per second"
    " on one core"
)


def judge(answers: Answers, data: Data) -> Verdict:
    """Whether this data is worth fine-tuning, and how."""
    if answers.baseline_does:
        reason = (
            "A simpler method that is good enough needs no labels, retraining, or approval. Measure it on the"
            " test split first."
        )
        return Verdict("baseline", "Use the simpler method; don't fine-tune yet.", reason, "Your answer")
    rows = sorted(data.rows_of("train").values())
    middle = rows[(len(rows) - 1) // 2] if rows else 0
    if middle < FEW_ROWS:
        missing = sum(max(0, FEW_ROWS - each) for each in rows)
        reason = (
            f"Half of the {len(rows):,} labels have up to {middle:,} training rows. {missing:,} more, spread"
            f" over the small ones, would give each {FEW_ROWS}. Below that, even few-shot methods vary by"
            " several points from sample to sample."
        )
        return Verdict("label_more", "Label more texts first.", reason, SETFIT)
    if data.train < ENOUGH_ROWS and answers.sensitive:
        reason = (
            f"{data.train:,} training rows are fewer than about {ENOUGH_ROWS:,}, and the texts are sensitive:"
            " adapters memorise less of individual texts than a head, and the score shows whether more"
            " labels help."
        )
        return Verdict("adapters", "Train adapters only, and keep labeling.", reason, ADAPTERS)
    if data.train < ENOUGH_ROWS:
        reason = (
            f"{data.train:,} training rows are fewer than about {ENOUGH_ROWS:,}: a head on frozen embeddings"
            " trains in seconds, overfits least, and shows whether more labels help."
        )
        return Verdict("head", "Train the head only, and keep labeling.", reason, THOUSAND)
    return Verdict(
        "fine_tune",
        "Fine-tune.",
        f"{data.train:,} training rows; the median label has {middle:,}. That's enough to train on.",
        THOUSAND,
    )


# ── Base and strategy ───────────────────────────────────────────────────────
def choose_base(
    answers: Answers, chosen: Candidate, others: Sequence[Candidate], tokens: int
) -> tuple[Candidate, Setting, list[Concern]]:
    """The selected base if it is within the limits, else the largest one that is, else the smallest of all
    with a warning.

    tokens: of a long text, the 95th percentile.
    """
    if not exceeded(answers, chosen, tokens):
        limits = answers.latency_ms is not None or answers.size_mb is not None
        reason = (
            f"Within your limits: {base_text(chosen, tokens)}."
            if limits
            else "Chosen above, and within your limits."
        )
        return chosen, Setting("base", chosen.name, reason, ARITHMETIC if limits else "Your choice"), []
    fitting = [each for each in others if not exceeded(answers, each, tokens)]
    why = " and ".join(exceeded(answers, chosen, tokens))
    if fitting:
        best = max(fitting, key=lambda each: each.bytes)
        return (
            best,
            Setting("base", best.name, f"{chosen.name} {why}. This one: {base_text(best, tokens)}.", LIMIT),
            [],
        )
    smallest = min([chosen, *others], key=lambda each: each.bytes or math.inf)
    text = f"The closest is {smallest.name}: {base_text(smallest, tokens)}."
    next_step = (
        "Add a smaller base model, or distil. The int8 graph is a quarter of the size; each run measures how"
        " well its predictions agree."
    )
    warning = Concern("limits", "bad", "No base model meets your limits.", text, next_step, ARITHMETIC)
    return smallest, Setting("base", smallest.name, "The smallest available.", LIMIT), [warning]


def exceeded(answers: Answers, base: Candidate, tokens: int) -> list[str]:
    """The limits that a base exceeds, as ends of sentences; unknown values exceed none."""
    found, latency = [], base.latency_ms(tokens)
    if answers.size_mb is not None and base.bytes > answers.size_mb * 1e6:
        found.append(f"is {megabytes(base.bytes)} MB; your limit is {answers.size_mb:g} MB")
    if answers.latency_ms is not None and latency is not None and latency > answers.latency_ms:
        found.append(
            f"takes about {latency:,.1f} ms for {tokens} tokens; your limit is {answers.latency_ms:g} ms"
        )
    return found


def megabytes(size: int) -> str:
    """Rounded; two digits for small sizes."""
    return f"{size / 1e6:,.0f}" if size >= 10**7 else f"{size / 1e6:.2g}"


def base_text(base: Candidate, tokens: int) -> str:
    """The size and latency of a base in words."""
    latency = base.latency_ms(tokens)
    time = (
        "latency unknown"
        if latency is None
        else f"about {latency:,.1f} ms for a text of {tokens} tokens on one core"
    )
    return f"{megabytes(base.bytes)} MB in fp32, {time}"


def choose_strategy(
    answers: Answers, data: Data, verdict: Verdict, seconds: Mapping[str, float]
) -> tuple[Setting, list[Concern]]:
    """What to train. seconds: estimated time by strategy; missing ones aren't available for this base."""
    if answers.sensitive:
        best = Setting(
            "strategy",
            "lora",
            "Sensitive data: adapters memorise less of individual texts than full fine-tuning or a head.",
            ADAPTERS,
        )
    elif verdict.code in ("label_more", "head"):
        best = Setting(
            "strategy", "head", "Few rows: the encoder is frozen, so only the head can overfit.", MEASURED
        )
    elif data.train >= FULL_ROWS:
        best = Setting(
            "strategy",
            "full",
            f"{data.train:,} rows are enough for full fine-tuning, the most accurate strategy.",
            MEASURED,
        )
    else:
        best = Setting(
            "strategy",
            "lora",
            f"With {data.train:,} rows, nearly as accurate as full fine-tuning and smaller to store.",
            MEASURED,
        )
    if answers.minutes is None or seconds[best.value] <= answers.minutes * 60:
        return best, []
    faster = [each for each in FASTER[FASTER.index(best.value) + 1 :] if each in seconds]
    fits = next((each for each in faster if seconds[each] <= answers.minutes * 60), None)
    if fits:
        slow, quick = minutes(seconds[best.value]), minutes(seconds[fits])
        reason = f"{best.value} takes {slow}, more than your {answers.minutes:g} min; this takes {quick}."
        return Setting("strategy", fits, reason, LIMIT), []
    last = faster[-1] if faster else best.value
    warning = Concern(
        "too_long",
        "watch",
        f"No strategy finishes within {answers.minutes:g} min.",
        f"The fastest, {last}, takes {minutes(seconds[last])}.",
        "Run a 10-step dry run to measure it on this machine, choose a smaller base model, or allow more"
        " time.",
        "Time estimate",
    )
    return Setting("strategy", last, "The fastest available.", LIMIT), [warning]


def minutes(seconds: float) -> str:
    """The estimated time, for a sentence."""
    return f"about {seconds / 60:,.1f} min" if seconds >= 60 else f"about {seconds:.0f} s"
