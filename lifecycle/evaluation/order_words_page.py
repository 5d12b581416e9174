"""What the page shows on which words stand that speak for a response and its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datasets_app.snapshots import queries as snapshots
from lifecycle.evaluation import orders, queries
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.words_page import Part, asked, missing, parts, strongest_effect


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was left out, and whether it stands in the prompt or in the response."""

    part: Part
    where: str


def explained(evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
    """The prompt and the responses of an item, those of one shaded, or how to get that. Raises Http404 where there is no such item.

    chosen: the number of the response, from 1; by default the one that the model puts first.
    """
    found = queries.order_of(evaluation, digest)
    if found is None:
        raise missing()
    context, row = asked(evaluation, digest), snapshots.learned_rows_of(evaluation.snapshot, [digest]).get(digest)
    (ranks,), (strengths,) = found.ranks, found.strengths
    first = strengths.index(max(strengths))
    every = context["kept"].get("responses", []) if row else []
    report = next((each for each in every if str(each["answer"] + 1) == chosen), every[0] if every else {})
    prompt, response = [], []
    if row and report:
        top = strongest_effect([*report["prompt"], *report["words"]])
        prompt, response = parts(row["text"], report["prompt"], top), parts(row["responses"][report["answer"]], report["words"], top)
    words = [Word(part, name) for name, some in (("prompt", prompt), ("response", response)) for part in some if part.effect is not None]
    shown = report["answer"] if report else first
    address = queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest)
    return context | {
        "first": first + 1,
        "by_model": orders.told(strengths),
        "by_people": orders.people(ranks),
        "shared": strengths.count(max(strengths)) > 1,
        "right": ranks[first] == min(ranks) if len(set(ranks)) > 1 else None,
        "row": row,
        "report": report,
        "shown": shown + 1,
        "gap": abs(report.get("log_odds", 0.0)),
        "tabs": [
            {"label": f"Response {each['answer'] + 1}", "url": f"{address}&for={each['answer'] + 1}", "current": each is report}
            for each in every
        ],
        "prompt": prompt,
        "response": response,
        "others": [(at + 1, text) for at, text in enumerate(row["responses"]) if at != shown or not report] if row else [],
        "words": sorted(words, key=lambda word: -abs(word.part.effect or 0)),
    }
