"""What is said of a model that writes texts. Pure: reports in, findings and sentences out."""

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
    """The paired difference of the main score from each baseline that was measured."""
    return {name: each[LEADING.name] for name, each in (report.get("against") or {}).items() if name in BASELINES and LEADING.name in each}


def unbeaten(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The baselines that a fine-tune is not told to be better than."""
    return {name: each for name, each in found.items() if each["verdict"] != "better"}


def strongest(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The baseline with the highest score; of equal ones the first of BASELINES."""
    return max(found, key=lambda each: (found[each]["baseline"], -tuple(BASELINES).index(each)))


def lead(report: Mapping[str, Any]) -> Note | None:
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
        return Note("ok", "This run beats every baseline.", f"{text}{base}")
    if found[name]["verdict"] == "worse":
        step = "Take the baseline, or look at data, rates and epochs before you go on."
        return Note("bad", "A baseline is better than this run.", f"{text}{base} {step}", wash=True)
    return Note("warn", "This run is not clearly better than a baseline.", f"{text}{base} More rows in this split would tell.")


def stands(name: str, found: Mapping[str, Any]) -> str:
    """One baseline beside the run, in a sentence."""
    reached = f"{BASELINES[name]} reaches {LEADING.one} of {decimals(found['baseline'], 3)}, this run {decimals(found['candidate'], 3)}"
    low, high = (signed(found[end] or 0.0, 3) for end in ("low", "high"))
    return f"{reached}; on the same rows the difference lies between {low} and {high} (95{GAP}%)."


def copied(report: Mapping[str, Any]) -> Note | None:
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
        return Note("ok", fact, f"The longest run is {count(found['longest'])} words. {beside}")
    fact = f"{count(rows)} of {count(of)} answers repeat {words} or more words in a row of a training answer, {percent(found['share'])}."
    kind = "bad" if found["share"] > 2 * found["reference_share"] and rows > 1 else "warn"
    return Note(kind, fact, f"The longest run is {count(found['longest'])} words. {beside}")


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
