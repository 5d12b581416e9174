"""Findings about models that generate text. Pure functions from reports to sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.modeling.evaluation.task_types.generation.rows import LEADING
from lifecycle.modeling.evaluation.task_types.page import Note
from lifecycle.runtime.engine.task_types.generation.prompts import where_lost
from lifecycle.runtime.task_types.generation.measures import BASELINES
from lifecycle.ui.numbers import GAP, count, decimals, percent, signed

UNTUNED = "prompted_base"


def against(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The paired difference of the main score from each measured baseline."""
    return {
        name: each[LEADING.name]
        for name, each in (report.get("against") or {}).items()
        if name in BASELINES and LEADING.name in each
    }


def unbeaten(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The baselines that the fine-tuned model doesn't significantly beat."""
    return {name: each for name, each in found.items() if each["verdict"] != "better"}


def strongest(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The baseline with the highest score; ties go to the first in BASELINES."""
    return max(found, key=lambda each: (found[each]["baseline"], -tuple(BASELINES).index(each)))


def lead(report: Mapping[str, Any]) -> Note | None:
    """The lead finding: whether the fine-tuned model beats its baselines, always including the base before
    fine-tuning. None without baselines.
    """
    found = against(report)
    if not found:
        return None
    left = unbeaten(found)
    name = strongest(left or found)
    text, base = comparison_text(name, found[name]), ""
    if name != UNTUNED and UNTUNED in found:
        base = f" {comparison_text(UNTUNED, found[UNTUNED])}"
    if not left:
        return Note("ok", "This run beats every baseline.", f"{text}{base}")
    if found[name]["verdict"] == "worse":
        step = "Use the baseline, or check data, learning rate, and epochs before you continue."
        return Note("bad", "A baseline is better than this run.", f"{text}{base} {step}", wash=True)
    return Note(
        "warn",
        "This run isn't clearly better than a baseline.",
        f"{text}{base} A larger split would give a clearer answer.",
    )


def comparison_text(name: str, found: Mapping[str, Any]) -> str:
    """The comparison with one baseline as a sentence."""
    reached = (
        f"{BASELINES[name]} reaches {LEADING.one} of {decimals(found['baseline'], 3)}, this run"
        f" {decimals(found['candidate'], 3)}"
    )
    low, high = (signed(found[end] or 0.0, 3) for end in ("low", "high"))
    return f"{reached}; 95{GAP}% interval of the difference on the same rows: {low} to {high}."


def copied(report: Mapping[str, Any]) -> Note | None:
    """The finding about verbatim copies of training responses; None if no training rows were available."""
    found = report["copied"]
    if not found:
        return None
    words, rows, total = found["words"], found["rows"], report["rows"]
    beside = (
        f"{percent(found['reference_share'])} of this split's references do too, although no model wrote"
        f" them; their longest match is {count(found['reference_longest'])} words. Text that also occurs in"
        " the row's prompt isn't counted."
    )
    if not rows:
        fact = f"No response shares {words} or more consecutive words with a training response."
        return Note("ok", fact, f"The longest match is {count(found['longest'])} words. {beside}")
    which = f"{count(rows)} of {count(total)} responses ({percent(found['share'])})"
    fact = f"{which} share {words} or more consecutive words with a training response."
    kind = "bad" if found["share"] > 2 * found["reference_share"] and rows > 1 else "warn"
    return Note(kind, fact, f"The longest match is {count(found['longest'])} words. {beside}")


def grounds(report: Mapping[str, Any]) -> str:
    """The note on groundedness: how many rows it covers, and the value of the references."""
    rows, own = report["with_context"], report["references"].get("groundedness")
    if not rows and report["dialogues"] == report["rows"]:
        return "Not measured: the facts a chat response relies on aren't separate from its turns."
    if not rows:
        return (
            "Not measured: no row of this split has a context. Import one with each prompt, such as the"
            " passage that contains the answer."
        )
    reached = f" The references reach {decimals(own, 2)}." if own is not None else ""
    return f"Measured on the {count(rows)} of {count(report['rows'])} rows with a context.{reached}"


def cut(report: Mapping[str, Any]) -> str:
    """What was truncated, as a sentence; empty if nothing was."""
    found, parts = report["truncation"], []
    if found["prompts"]:
        where = where_lost(found.get("turns", 0))
        parts.append(
            f"{count(found['prompts'])} prompts were truncated by {count(found['prompt_tokens'])} tokens"
            f" ({where})"
        )
    if found["answers"]:
        parts.append(
            f"{count(found['answers'])} references at their end ({count(found['answer_tokens'])} tokens), for"
            " the loss only"
        )
    return f"{', '.join(parts)}: a row has at most {count(found['limit'])} tokens." if parts else ""


def left_out(report: Mapping[str, Any]) -> str:
    """Which dialogues of the split are excluded, as a sentence; empty if none are."""
    found = report["left_out"]
    if not found:
        return ""
    number = sum(found.values())
    kinds = ", ".join(
        f"{count(each)} {reason}"
        for reason, each in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    return (
        f"{count(number)} {'dialogue is' if number == 1 else 'dialogues are'} excluded from training and"
        f" evaluation: {kinds}."
    )


def unended(report: Mapping[str, Any]) -> str:
    """How many responses were truncated at the maximum length, as a sentence; empty if none were."""
    found = report["cut_answers"]
    if not found["rows"]:
        return ""
    n, longest = count(report["rows"]), count(report["max_new_tokens"])
    text = (
        f"{count(found['rows'])} of {n} responses ({percent(found['share'])}) were truncated at {longest}"
        " tokens without an end token."
    )
    if found["base_rows"] is not None:
        base = found["base_rows"]
        text += (
            f" Before fine-tuning, {count(base) if base else 'none'} of the base's responses"
            f" {'was' if base == 1 else 'were'}."
        )
    return (
        f"{text} If references are longer, train with a higher maximum response length; if they aren't, the"
        " model hasn't learned to stop."
    )
