"""What may be said of a model that writes texts. Pure: reports in, sentences and lists for pages out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lifecycle.engine.task_types.free_text.prompts import where_lost
from lifecycle.task_types.free_text import measures as free_text
from lifecycle.task_types.free_text.measures import TextAnswers
from lifecycle.ui.numbers import GAP, count, decimals, percent, signed, significant

BASELINES = free_text.BASELINES
LEADING = free_text.METRICS.leading
UNTUNED = "prompted_base"
# What rows are sorted and searched by, with what stands for the worst: low or high values.
SORTS = {
    "rouge_l": ("ROUGE-L", 1),
    "token_f1": ("Token F1", 1),
    "exact_match": ("Exact match", 1),
    "groundedness": ("Groundedness", 1),
    "loss": ("Loss of a token", -1),
    "copied_words": ("Words copied", -1),
    "answer_words": ("Words", 1),
}


def against(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The paired difference of the main score from each baseline that was measured."""
    return {name: each[LEADING.name] for name, each in (report.get("against") or {}).items() if name in BASELINES and LEADING.name in each}


def unbeaten(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The baselines that a fine-tune is not told to be better than."""
    return {name: each for name, each in found.items() if each["verdict"] != "better"}


def strongest(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The baseline with the highest score; of equal ones the first of BASELINES."""
    return max(found, key=lambda each: (found[each]["baseline"], -tuple(BASELINES).index(each)))


@dataclass(frozen=True, slots=True)
class Told:
    """A finding. kind: ok, warn or bad. fact, text: in words."""

    kind: str
    fact: str
    text: str


def lead(report: Mapping[str, Any]) -> Told | None:
    """What stands first: whether a fine-tune beats its baselines, and how it stands to the model before it was tuned in any case; None
    where it was measured beside nothing."""
    found = against(report)
    if not found:
        return None
    left = unbeaten(found)
    name = strongest(left or found)
    text, base = stands(name, found[name]), ""
    if name != UNTUNED and UNTUNED in found:
        base = f" {stands(UNTUNED, found[UNTUNED])}"
    if not left:
        return Told("ok", "This run beats every baseline.", f"{text}{base}")
    if found[name]["verdict"] == "worse":
        step = "Take the baseline, or look at data, rates and epochs before you go on."
        return Told("bad", "A baseline is better than this run.", f"{text}{base} {step}")
    return Told("warn", "This run is not clearly better than a baseline.", f"{text}{base} More rows in this split would tell.")


def stands(name: str, found: Mapping[str, Any]) -> str:
    """One baseline beside the run, in a sentence."""
    reached = f"{BASELINES[name]} reaches {LEADING.one} of {decimals(found['baseline'], 3)}, this run {decimals(found['candidate'], 3)}"
    low, high = (signed(found[end] or 0.0, 3) for end in ("low", "high"))
    return f"{reached}; on the same rows the difference lies between {low} and {high} (95{GAP}%)."


def copied(report: Mapping[str, Any]) -> Told | None:
    """The finding about word-for-word copies; None where no training rows were at hand."""
    found = report.get("copied")
    if not found:
        return None
    words, rows, of = found["words"], found["rows"], report["rows"]
    beside = (
        f"Of the references of this split, which no model wrote, {percent(found['reference_share'])} do; the longest run is "
        f"{count(found['reference_longest'])} words. A run that stands in the row's own prompt is not counted."
    )
    if not rows:
        fact = f"No answer repeats {words} or more words in a row of a training answer."
        return Told("ok", fact, f"The longest run is {count(found['longest'])} words. {beside}")
    fact = f"{count(rows)} of {count(of)} answers repeat {words} or more words in a row of a training answer, {percent(found['share'])}."
    kind = "bad" if found["share"] > 2 * found["reference_share"] and rows > 1 else "warn"
    return Told(kind, fact, f"The longest run is {count(found['longest'])} words. {beside}")


def grounds(report: Mapping[str, Any]) -> str:
    """What stands beside groundedness: of how many rows it is, and what the references reach."""
    rows, own = report.get("with_context", 0), (report.get("references") or {}).get("groundedness")
    if not rows and report.get("dialogues") == report["rows"]:
        return "Not measured: what an answer of a dialogue has to rest on stands in its turns, if anywhere, and not apart from them."
    if not rows:
        return "Not measured: no row of this split has a context. Import one below the prompt, such as the passage that holds the answer."
    reached = f" The references themselves reach {decimals(own, 2)}." if own is not None else ""
    return f"Of {count(rows)} of {count(report['rows'])} rows, those with a context.{reached}"


def cut(report: Mapping[str, Any]) -> str:
    """What did not fit, in a sentence; empty where everything did."""
    found, parts = report.get("truncation") or {}, []
    if found.get("prompts"):
        where = where_lost(found.get("turns", 0))
        parts.append(f"{count(found['prompts'])} prompts were cut by {count(found['prompt_tokens'])} tokens ({where})")
    if found.get("answers"):
        parts.append(f"{count(found['answers'])} references at their end ({count(found['answer_tokens'])} tokens), for the loss alone")
    return f"{', '.join(parts)}: a row has up to {count(found['limit'])} tokens." if parts else ""


def left_out(report: Mapping[str, Any]) -> str:
    """Which dialogues of the split are not measured, in a sentence; empty where all are."""
    found = report.get("left_out") or {}
    if not found:
        return ""
    number = sum(found.values())
    kinds = ", ".join(f"{count(each)} {reason}" for reason, each in sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
    return f"{count(number)} {'dialogue is' if number == 1 else 'dialogues are'} neither learnt nor measured: {kinds}."


def unended(report: Mapping[str, Any]) -> str:
    """How many answers were cut at the longest length, in a sentence; empty where none was or where that was not counted."""
    found = report.get("cut_answers") or {}
    if not found.get("rows"):
        return ""
    of, longest = count(report["rows"]), count(report["max_new_tokens"])
    text = f"{count(found['rows'])} of {of} answers ({percent(found['share'])}) were cut at {longest} tokens, without an end of their own."
    if found.get("base_rows") is not None:
        base = found["base_rows"]
        text += f" Of the base's before fine-tuning, {count(base) if base else 'none'} {'was' if base == 1 else 'were'}."
    return f"{text} Where references are longer, train with a longer answer; where they are not, the model has not learnt to stop."


# ── Rows ────────────────────────────────────────────────────────────────────
def column(found: TextAnswers, name: str) -> np.ndarray[Any, Any]:
    """The value of each row by which it is sorted (N,); NaN where it has none."""
    scored = found.scored
    if name == "loss":
        return scored.nats / np.maximum(scored.tokens, 1)
    if name == "copied_words":
        return np.array([float(each.words) for each in found.copied])
    return {
        "rouge_l": scored.rouge_l, "token_f1": scored.f1, "exact_match": scored.exact, "groundedness": scored.grounded,
        "answer_words": scored.length,
    }[name]  # fmt: skip


def ordered(found: TextAnswers, sort: str, *, best: bool, low: float | None = None, high: float | None = None) -> list[int]:
    """Rows by a score, worst first (best: best first), by item where they are equal; those with a score from low to high alone.

    Rows without the score come last, and not at all where a range is asked for.
    """
    values, sign = column(found, sort), SORTS[sort][1] * (-1 if best else 1)
    known = ~np.isnan(values)
    inside = known.copy() if low is not None or high is not None else np.ones(len(values), dtype=bool)
    with np.errstate(invalid="ignore"):
        inside &= values >= low if low is not None else True
        inside &= values <= high if high is not None else True
    rows = np.flatnonzero(inside)
    order = np.lexsort((np.array(found.ids)[rows], np.where(known, sign * np.nan_to_num(values), 0.0)[rows], ~known[rows]))
    return [int(row) for row in rows[order]]


# ── Two versions ────────────────────────────────────────────────────────────
def turned(one: TextAnswers, two: TextAnswers) -> dict[str, list[str]]:
    """Items that both answered to the same reference: better, worse and same, by ROUGE-L of two against one, most changed first."""
    theirs = {item: row for row, item in enumerate(two.ids)}
    moved = [
        (float(two.scored.rouge_l[theirs[item]] - one.scored.rouge_l[row]), item)
        for row, item in enumerate(one.ids)
        if item in theirs and two.targets[theirs[item]] == one.targets[row]
    ]
    return {
        "worse": [item for change, item in sorted(moved) if change < 0],
        "better": [item for change, item in sorted(moved, key=lambda each: (-each[0], each[1])) if change > 0],
        "same": sorted(item for change, item in moved if change == 0),
    }


def summary(report: Mapping[str, Any], first: str, second: str) -> dict[str, str]:
    """The finding in words: which is better by ROUGE-L, how many answers moved, and how many rows would tell where nothing is told."""
    found, changed = report["metrics"][LEADING.name], report["changes"]
    points = f"{signed(100 * found['difference'], 1)} points {LEADING.words}"
    interval = f"(95{GAP}% {decimals(100 * found['low'], 1)} to {decimals(100 * found['high'], 1)})"
    facts = {
        "better": f"{second} is better: {points} {interval}.",
        "worse": f"{second} is worse: {points} {interval}.",
        "unclear": f"No clear difference between {first} and {second}: {points} {interval}.",
    }
    better, worse, same = (count(changed[name]) for name in ("better", "worse", "same"))
    text = f"{better} answers are nearer to their reference, {worse} farther, {same} as near"
    text += f"; sign test p{GAP}={GAP}{significant(changed['p'])}." if changed["better"] + changed["worse"] else "."
    if report["rows_needed"]:
        about = round(report["rows_needed"], 2 - len(str(report["rows_needed"])))
        text += f" Were the difference truly that large, about {count(about)} rows would tell it; there are {count(report['rows'])}."
    return {"verdict": found["verdict"], "fact": facts[found["verdict"]], "text": text}
