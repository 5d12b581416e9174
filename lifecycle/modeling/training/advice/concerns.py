"""Warnings before training. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lifecycle.modeling.training.advice.shapes import (
    FEW_ROWS,
    MEMBERSHIP,
    SETFIT,
    SEVERITIES,
    Answers,
    Concern,
    Data,
    Lengths,
)
from lifecycle.runtime.statistics.significance import Z_ALPHA, rows_needed

DIFFERENCE, DISAGREED = 0.02, 0.1
CUT = 0.01
NAMED = 5
POWER = "Power of a paired comparison: 80 % at 95 % confidence"


def look(answers: Answers, data: Data) -> list[Concern]:
    """Warnings about the data, worst first."""
    found = [*leaks(data), *tiny(data), *missing(data), *small_test(data), *sensitive(answers)]
    return sorted(found, key=lambda each: SEVERITIES.index(each.severity))


def names(labels: Sequence[str]) -> str:
    """The first five, and the number of others."""
    more = f" and {len(labels) - NAMED:,} more" if len(labels) > NAMED else ""
    return ", ".join(labels[:NAMED]) + more


def leaks(data: Data) -> list[Concern]:
    """Possible leakage from training rows to the test split."""
    found = []
    if data.leaked:
        found.append(
            Concern(
                "leakage",
                "bad",
                f"{data.leaked:,} test rows have the same text or group as a train row.",
                "Scores on these rows measure memorisation and are too high.",
                "Create a new dataset version: it keeps each group in one split.",
            )
        )
    if not data.scanned:
        found.append(
            Concern(
                "not_scanned",
                "watch",
                "Near duplicates haven't been checked.",
                "Equal texts and declared groups stay in one split; near duplicates only after a scan has"
                " found them.",
                "Scan the dataset for near duplicates, then create a new version.",
            )
        )
    if data.contradictions:
        found.append(
            Concern(
                "contradictions",
                "watch",
                f"{data.contradictions:,} test rows have texts with contradicting labels.",
                "No model can predict both correctly, so no score can reach 1.",
                "Resolve the labels, then create a new dataset version.",
            )
        )
    return found


def tiny(data: Data) -> list[Concern]:
    """Classes with too few training rows."""
    few = sorted((count, label) for label, count in data.rows_of("train").items() if count < FEW_ROWS)
    if not few:
        return []
    return [
        Concern(
            "tiny_classes",
            "watch",
            f"{len(few):,} of {len(data.labels):,} labels have fewer than {FEW_ROWS} training rows.",
            f"{names([f'{label} ({count})' for count, label in few])}.",
            "Label more of these, or merge them into others.",
            SETFIT,
        )
    ]


def missing(data: Data) -> list[Concern]:
    """Classes missing from a split."""
    found = []
    for split, meaning in (
        ("train", "isn't learned"),
        ("validation", "isn't tracked during training"),
        ("test", "isn't measured"),
    ):
        absent = [label for label, count in data.rows_of(split).items() if not count]
        if absent and data.splits.get(split):
            title = (
                f"{len(absent):,} {'label has' if len(absent) == 1 else 'labels have'} no {split} row and"
                f" {meaning}."
            )
            next_step = (
                "Label more of these and create a new version; a label with three or more texts appears in"
                " every split."
            )
            found.append(
                Concern(
                    f"missing_in_{split}",
                    "bad" if split == "train" else "watch",
                    title,
                    f"{names(absent)}.",
                    next_step,
                )
            )
    return found


def small_test(data: Data) -> list[Concern]:
    """Whether the test split can detect a difference of two points between two versions."""
    rows = data.splits.get("test", 0)
    if not rows:
        text = "The model can't be measured on unseen rows."
        return [
            Concern(
                "no_test",
                "bad",
                "The dataset version has no test split.",
                text,
                "Create a dataset version with a test split.",
            )
        ]
    half = Z_ALPHA * math.sqrt(DISAGREED / rows)
    needed = rows_needed(rows, DIFFERENCE, DIFFERENCE - half, DIFFERENCE + half)
    if needed is None:
        return []
    text = (
        f"Detecting a difference of {DIFFERENCE * 100:.0f} points needs about {needed:,} rows, if two"
        " versions disagree on 10 % of them."
    )
    title = f"{rows:,} test rows are too few to compare two versions."
    return [
        Concern(
            "small_test",
            "watch",
            title,
            text,
            "Label more, or only larger differences will be detected.",
            POWER,
        )
    ]


def sensitive(answers: Answers) -> list[Concern]:
    """Consequences of sensitive texts."""
    if not answers.sensitive:
        return []
    looked = "Personal data hasn't been scanned for."
    return [
        Concern(
            "sensitive",
            "watch",
            "The texts are sensitive.",
            f"{looked} Training and serving stay on your own machines, but the model may still reveal which"
            " texts it was trained on.",
            "Remove data the model doesn't need, and run a membership-inference test on the evaluation page.",
            MEMBERSHIP,
        )
    ]


def cut(lengths: Lengths, limit: int) -> list[Concern]:
    """Texts that would be truncated."""
    share = lengths.share_over(limit)
    if share <= CUT:
        return []
    title = f"{share * 100:.0f} % of texts are longer than {limit} tokens."
    return [
        Concern(
            "cut",
            "watch",
            title,
            "The model only sees their first tokens.",
            "Choose a base model with a longer context, or shorten the texts.",
        )
    ]
