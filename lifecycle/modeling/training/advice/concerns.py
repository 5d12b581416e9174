"""What to look at before anything is trained. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lifecycle.modeling.training.advice.shapes import FEW_ROWS, MEMBERSHIP, SETFIT, SEVERITIES, Answers, Concern, Data, Lengths
from lifecycle.runtime.statistics.significance import Z_TOLD, rows_needed

DIFFERENCE, DISAGREED = 0.02, 0.1
CUT = 0.01
NAMED = 5
POWER = "Power of a paired comparison: 80 % at 95 % confidence"


def look(answers: Answers, data: Data) -> list[Concern]:
    """Warnings about the data, the worst first."""
    found = [*leaks(data), *tiny(data), *missing(data), *small_test(data), *sensitive(answers)]
    return sorted(found, key=lambda each: SEVERITIES.index(each.severity))


def names(labels: Sequence[str]) -> str:
    """The first five, and how many more."""
    more = f" and {len(labels) - NAMED:,} more" if len(labels) > NAMED else ""
    return ", ".join(labels[:NAMED]) + more


def leaks(data: Data) -> list[Concern]:
    """Where the test split may know the training rows."""
    found = []
    if data.leaked:
        found.append(Concern(
            "leakage", "bad", f"{data.leaked:,} test rows have their text or group in train too.",
            "What is measured on them is memory, and every score is too good.", "Freeze the snapshot again: it keeps a group on one side.",
        ))  # fmt: skip
    if not data.scanned:
        found.append(Concern(
            "not_scanned", "watch", "Nobody has looked for near duplicates.",
            "Equal texts and declared groups are kept on one side; nearly equal texts only once a scan has found them.",
            "Scan the dataset for near duplicates, then freeze again.",
        ))  # fmt: skip
    if data.contradictions:
        found.append(Concern(
            "contradictions", "watch", f"{data.contradictions:,} test rows have a text with two labels.",
            "No model can be right about both, so no score reaches 1.", "Settle which label holds, then freeze again.",
        ))  # fmt: skip
    return found


def tiny(data: Data) -> list[Concern]:
    """Classes with too few training rows to be learnt."""
    few = sorted((count, label) for label, count in data.rows_of("train").items() if count < FEW_ROWS)
    if not few:
        return []
    return [Concern(
        "tiny_classes", "watch", f"{len(few):,} of {len(data.labels):,} classes have fewer than {FEW_ROWS} training rows.",
        f"{names([f'{label} ({count})' for count, label in few])}.", "Label more of these, or merge them into others.", SETFIT,
    )]  # fmt: skip


def missing(data: Data) -> list[Concern]:
    """Classes that a split does not have."""
    found = []
    for split, meaning in (("train", "never learnt"), ("validation", "not watched while it trains"), ("test", "not measured")):
        absent = [label for label, count in data.rows_of(split).items() if not count]
        if absent and data.splits.get(split):
            title = f"{len(absent):,} {'class has' if len(absent) == 1 else 'classes have'} no {split} row, so {meaning}."
            next_step = "Label more of these and freeze again; from three texts on a class stands in every split."
            found.append(Concern(f"missing_in_{split}", "bad" if split == "train" else "watch", title, f"{names(absent)}.", next_step))
    return found


def small_test(data: Data) -> list[Concern]:
    """Whether the test split could tell two versions apart that differ by two points."""
    rows = data.splits.get("test", 0)
    if not rows:
        text = "Nothing can be measured that was not looked at before."
        return [Concern("no_test", "bad", "There is no test split.", text, "Freeze a snapshot with a share for test.")]
    half = Z_TOLD * math.sqrt(DISAGREED / rows)
    needed = rows_needed(rows, DIFFERENCE, DIFFERENCE - half, DIFFERENCE + half)
    if needed is None:
        return []
    text = f"About {needed:,} rows tell a difference of {DIFFERENCE * 100:.0f} points, where two versions disagree on a tenth of them."
    title = f"{rows:,} test rows are too few to tell two versions apart."
    return [Concern("small_test", "watch", title, text, "Label more, or expect to see larger differences only.", POWER)]


def sensitive(answers: Answers) -> list[Concern]:
    """What follows where texts are sensitive."""
    if not answers.sensitive:
        return []
    looked = "Not measured: nothing here has looked for personal data."
    return [Concern(
        "sensitive", "watch", "The texts are sensitive.",
        f"{looked} Training and serving stay on your own machines; whether a text was trained on may still be read from the model.",
        "Take out what the model does not need, and measure membership inference on the evaluation's page.", MEMBERSHIP,
    )]  # fmt: skip


def cut(lengths: Lengths, limit: int) -> list[Concern]:
    """Texts that the model will not read to their end."""
    share = lengths.share_over(limit)
    if share <= CUT:
        return []
    title = f"{share * 100:.0f} of 100 texts are longer than {limit} tokens."
    return [
        Concern("cut", "watch", title, "The model reads their first tokens only.", "Choose a base model for longer texts, or shorten them.")
    ]
