"""Settings for this data. Pure."""

from __future__ import annotations

import math

from lifecycle.modeling.training.advice.shapes import (
    MEMBERSHIP,
    THIS,
    Answers,
    Candidate,
    Data,
    Lengths,
    Setting,
)
from lifecycle.runtime.engine.task_types.encoder_settings import IMBALANCE, LENGTHS
from lifecycle.runtime.engine.task_types.settings import Suggestion

RARE = 100.0  # times as many rows as the smallest class
NOISY = 0.02  # share of rows with a doubted label
BATCH_TOKENS = 64 * 128  # the largest suggested batch, at the default maximum length
SHORTEST = 64
STEP = 8
PATIENCE = 2
SMOOTHING, GAMMA = 0.1, 2.0
FOCAL = "Lin et al. 2017 (focal loss), where gamma 2 did best"
WEIGHTS = f"Applies from a ratio of {IMBALANCE:.0f}; King and Zeng 2001"
SMOOTH = "Lukasik et al. 2020: smoothing helps with noisy labels"
DEFAULT = "The product's default"


def choose_settings(
    answers: Answers, data: Data, lengths: Lengths, base: Candidate, suggestion: Suggestion
) -> list[Setting]:
    """Fields of the spec, in display order."""
    usual = {
        name: Setting(name, each.value, each.reason, DEFAULT) for name, each in suggestion.choices.items()
    }
    longest = choose_max_tokens(lengths, base)
    batch, accumulation = choose_batch(usual["batch_size"], longest.value)
    patience = usual["patience"]
    if answers.sensitive:
        patience = Setting(
            "patience",
            PATIENCE,
            "Sensitive data: training stops when validation stops improving, before texts are memorised.",
            MEMBERSHIP,
        )
    # head only has no encoder rate
    rates = [usual[name] for name in ("learning_rate", "head_learning_rate") if name in usual]
    return [longest, batch, *accumulation, *rates, usual["epochs"], patience, *choose_loss(data)]


def choose_max_tokens(lengths: Lengths, base: Candidate) -> Setting:
    """The 99th percentile, in steps of 8; at least 64, or 128 if tokens are estimated from characters; at
    most the base's limit.
    """
    needed = lengths.percentile(99)
    value = max(SHORTEST if lengths.counted else LENGTHS[0], math.ceil(needed / STEP) * STEP)
    how = (
        f"counted by the tokenizer of {base.name}"
        if lengths.counted
        else "estimated at 4.5 characters per token"
    )
    known = (
        f"95 % of texts have up to {lengths.percentile(95)} tokens, 99 % up to {needed}, {how} on"
        f" {len(lengths.tokens):,} texts"
    )
    if base.max_tokens and value > base.max_tokens:
        return Setting(
            "max_tokens", base.max_tokens, f"{known}. {base.name} accepts no more than this.", THIS
        )
    return Setting(
        "max_tokens",
        value,
        f"{known}. Batches are padded to their longest text only, so a high limit costs nothing.",
        THIS,
    )


def choose_batch(usual: Setting, longest: int) -> tuple[Setting, list[Setting]]:
    """The default batch, accumulated over smaller ones if long texts would exceed memory."""
    parts = 1
    while usual.value / parts * longest > BATCH_TOKENS and usual.value // parts > 1:
        parts *= 2
    if parts == 1:
        return usual, []
    rows = usual.value // parts
    reason = (
        f"{usual.value} texts of {longest} tokens are {usual.value * longest:,} tokens; memory grows with"
        f" tokens, and the default batch has {BATCH_TOKENS:,}."
    )
    source = "Gradient accumulation: the same step with less memory"
    return Setting("batch_size", rows, reason, source), [
        Setting("accumulation", parts, f"Keeps {usual.value} texts per step.", source)
    ]


def choose_loss(data: Data) -> list[Setting]:
    """Class weights, focal loss, and label smoothing."""
    counts = [each for each in data.rows_of("train").values() if each]
    ratio = max(counts) / min(counts) if counts else 1.0
    even = f"argest label has {ratio:,.1f} times the rows of the smallest"
    weighs, focal = ratio > IMBALANCE, ratio > RARE
    weights = f"The l{even}, which {'would otherwise be ignored' if weighs else 'needs no weighting'}."
    easy = (
        f"The l{even}: focal loss down-weights easy rows in favour of rare ones."
        if focal
        else (f"Off: the l{even}; the threshold is {RARE:.0f}.")
    )
    smooth = not focal and bool(data.doubted) and (data.doubted or 0) > NOISY * sum(data.splits.values())
    certain = (
        f"A scan found {data.doubted:,} possible label errors; smoothing reduces their effect."
        if smooth
        else smoothing_reason(data, focal=focal)
    )
    return [
        Setting("class_weights", weighs, weights, WEIGHTS),
        Setting("focal_gamma", GAMMA if focal else 0.0, easy, FOCAL),
        Setting("label_smoothing", SMOOTHING if smooth else 0.0, certain, SMOOTH),
    ]


def smoothing_reason(data: Data, *, focal: bool) -> str:
    """Why labels aren't smoothed."""
    if focal:
        return "Off: it can't be combined with focal loss."
    return (
        "Off: labels haven't been scanned for errors."
        if data.doubted is None
        else "Off: scans found few possible label errors."
    )
