"""What the page shows on which the words of a text stand that speak for its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import Http404

from lifecycle.evaluation import marks, queries, rules
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import thread

DEPTHS = 3
LEAST = 0.01  # in log-odds; a smaller effect is rounding, and not marked


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text. effect: of a word, None between words. depth: 1 to 3 for a word that speaks for the answer, −1 to −3 against."""

    text: str
    effect: float | None = None
    depth: int = 0


def explained(evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
    """The text of an item with its words shaded, or how to get that. Raises Http404 where the evaluation holds no such item.

    chosen: the class whose words are shown, where a text may have several, or the place of the part; by default the first.
    """
    answer = queries.answer_to(evaluation, digest)
    if answer is None:
        raise missing()
    context = asked(evaluation, digest)
    item, kept = context["item"], context["kept"]
    every = kept.get("classes") or kept.get("parts") or ([kept] if "words" in kept else [])
    report = next((each for each in every if key(each) == chosen), every[0] if every else {})
    is_marks = rules.is_marks(evaluation.report)
    if is_marks:
        answer = replace(answer, true=marks.in_words(answer.true, item.text), predicted=marks.in_words(answer.predicted, item.text))
    cut = parts(item.text, report["words"]) if report else []
    return context | {
        "answer": answer,
        "several": evaluation.task_type.has_thresholds,
        "marks": is_marks,
        "named": named(report, item.text) if report else "",
        "report": report,
        "tabs": tabs(queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest), every, report, item.text) if len(every) > 1 else [],
        "parts": cut,
        "words": strongest(cut),
    }


def asked(evaluation: Evaluation, digest: str) -> dict[str, Any]:
    """What the page shows of any task: the item, what was found of it ("kept", empty before that), and the job that finds it. Raises
    Http404."""
    item = queries.items_by_digest(evaluation, [digest]).get(digest)
    if item is None:
        raise missing()
    job = queries.analysis_job(evaluation, Analysis.Kind.WORDS, digest)
    analysis = queries.analysis(evaluation, Analysis.Kind.WORDS, digest)
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "item": item,
        "analysis": analysis,
        "kept": analysis.report if analysis else {},
        "job": job,
        "working": job is not None and not job.is_finished,
    }


def missing() -> Http404:
    """The answer where an evaluation does not hold an item."""
    return Http404("This evaluation holds no such item.")


def strongest(cut: Sequence[Part]) -> list[Part]:
    """The words of some parts, those with the most effect first."""
    return sorted((part for part in cut if part.effect is not None), key=lambda part: -abs(part.effect or 0))


def tabs(address: str, every: Sequence[Mapping[str, Any]], shown: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
    """Links to the words of each class, those that were given, then the likeliest that were not; or of each marked part."""
    return [
        {
            "label": named(each, text) if each.get("given", True) else f"{named(each, text)} (not given)",
            "url": f"{address}&{urlencode({'for': key(each)})}",
            "current": each is shown,
        }
        for each in every
    ]


def key(each: Mapping[str, Any]) -> str:
    """What a class or a part is chosen by."""
    return f"{each['start']}-{each['end']}" if "start" in each else str(each["answer"])


def named(each: Mapping[str, Any], text: str) -> str:
    """A class, or a part with its class."""
    return marks.quote(text, each["start"], each["end"], each["answer"]) if "start" in each else str(each["answer"])


def parts(text: str, words: Sequence[Mapping[str, Any]], top: float | None = None) -> list[Part]:
    """The text cut at its words; joined together they are the text. The deepest shade is for the strongest effect, and thirds of it.

    top: that effect, where the words of several texts are shaded alike.
    """
    top = strongest_effect(words) if top is None else top
    found, at = [], 0
    for word in words:
        found += [Part(text[at : word["start"]]), Part(text[word["start"] : word["end"]], word["effect"], depth(word["effect"], top))]
        at = word["end"]
    return [part for part in [*found, Part(text[at:])] if part.text]


def strongest_effect(words: Sequence[Mapping[str, Any]]) -> float:
    """Whichever way it goes; 0 without words."""
    return max((abs(word["effect"]) for word in words), default=0.0)


def depth(effect: float, top: float) -> int:
    """How deep a word is shaded, by its share of the strongest effect; 0 where it says nothing."""
    if abs(effect) < LEAST:
        return 0
    shade = min(DEPTHS, 1 + int(DEPTHS * abs(effect) / top))
    return shade if effect > 0 else -shade
