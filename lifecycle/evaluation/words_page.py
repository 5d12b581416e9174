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
    item = queries.items_by_digest(evaluation, [digest]).get(digest) if answer else None
    if answer is None or item is None:
        raise Http404("This evaluation holds no such item.")
    analysis = queries.analysis(evaluation, Analysis.Kind.WORDS, digest)
    job = queries.analysis_job(evaluation, Analysis.Kind.WORDS, digest)
    kept = analysis.report if analysis else {}
    every = kept.get("classes") or kept.get("parts") or ([kept] if "words" in kept else [])
    report = next((each for each in every if key(each) == chosen), every[0] if every else {})
    is_marks = rules.is_marks(evaluation.report)
    if is_marks:
        answer = replace(answer, true=marks.in_words(answer.true, item.text), predicted=marks.in_words(answer.predicted, item.text))
    cut = parts(item.text, report["words"]) if report else []
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "item": item,
        "answer": answer,
        "several": rules.is_several(evaluation.report),
        "marks": is_marks,
        "named": named(report, item.text) if report else "",
        "analysis": analysis,
        "report": report,
        "tabs": tabs(queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest), every, report, item.text) if len(every) > 1 else [],
        "parts": cut,
        "words": sorted((part for part in cut if part.effect is not None), key=lambda part: -abs(part.effect or 0)),
        "job": job,
        "working": job is not None and not job.is_finished,
    }


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


def parts(text: str, words: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The text cut at its words; joined together they are the text. The deepest shade is for the strongest effect, and thirds of it."""
    top = max((abs(word["effect"]) for word in words), default=0.0)
    found, at = [], 0
    for word in words:
        found += [Part(text[at : word["start"]]), Part(text[word["start"] : word["end"]], word["effect"], depth(word["effect"], top))]
        at = word["end"]
    return [part for part in [*found, Part(text[at:])] if part.text]


def depth(effect: float, top: float) -> int:
    """How deep a word is shaded, by its share of the strongest effect; 0 where it says nothing."""
    if abs(effect) < LEAST:
        return 0
    shade = min(DEPTHS, 1 + int(DEPTHS * abs(effect) / top))
    return shade if effect > 0 else -shade
