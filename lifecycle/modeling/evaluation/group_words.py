"""Reports of slices in words. Pure: reports in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.runtime.statistics.groups import FISHER, NORMAL, PERMUTATION
from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.ui.numbers import GAP, count, decimals, signed, significant

TESTS = {
    FISHER: "Fisher's exact test",
    PERMUTATION: "a permutation test of slice membership",
    NORMAL: "the normal limit of a permutation test of slice membership",
}


def title(name: str) -> str:
    """The name of a measure as a column heading."""
    return NAMED[name].title


def within(name: str) -> str:
    """The name of a measure within a sentence."""
    return NAMED[name].words


def summary(report: Mapping[str, Any]) -> dict[str, str] | None:
    """The slice significantly below the rest, or else the lowest, and which others are below the rest; None
    if fewer than two have enough rows. {"verdict": of the slice, "fact", "text"}.
    """
    if report["worst"] is None:
        return None
    group, measure = report["groups"][report["worst"]], report["measure"]
    values = {score["value"] for each in report["groups"] if (score := each["scores"][measure])}
    if len(values) == 1 and group["verdict"] != "worse":
        fact = f"No slice is lower: {within(measure)} is {decimals(*values)} in each."
        return {"verdict": "unclear", "fact": fact, "text": ""}
    fact = (
        f"{group['name']} is {'below the rest' if group['verdict'] == 'worse' else 'lowest'}:"
        f" {measure_text(measure, group)}."
    )
    groups = f"{count(report['compared'])} {'slice' if report['compared'] == 1 else 'slices'}"
    if group["p"] is None:
        text = f"No verdict: fewer than {report['least']} informative rows outside the slice."
    elif group["verdict"] == "worse":
        text = f"This is significant after correction for {groups} ({chance(group['p'])})."
        others = [report["groups"][number]["name"] for number in report["worse"][1:]]
        text += f" Also lower: {', '.join(others)}." if others else ""
    elif group["verdict"] == "better":
        text = "It's still above the rest, because slices that are too small for a verdict are lower."
    else:
        text = f"This isn't significant after correction for {groups} ({chance(group['p'])})."
    return {"verdict": group["verdict"], "fact": fact, "text": text}


def chance(p: float) -> str:
    """p = 0.012, p < 0.001."""
    return f"p{GAP}<{GAP}0.001" if p < 0.001 else f"p{GAP}={GAP}{significant(p)}"


def measure_text(measure: str, group: Mapping[str, Any]) -> str:
    """A slice's score, and its difference from the rest if there is one, with their intervals."""
    score = group["scores"][measure]
    words = (
        f"{within(measure)} {decimals(score['value'])} ({decimals(score['low'])} to"
        f" {decimals(score['high'])})"
    )
    if group["difference"] is None:
        return words
    ends = f"{signed(group['difference_low'])} to {signed(group['difference_high'])}"
    return f"{words}, {signed(group['difference'])} ({ends}) compared with the rest"
