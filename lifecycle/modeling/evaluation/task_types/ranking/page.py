"""Evaluation pages of rankings: scores, length bias, and rows with the annotated and the predicted order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.evaluation import charts, queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import beside, may_read
from lifecycle.modeling.evaluation.shading import Part, parts, strongest_effect
from lifecycle.modeling.evaluation.task_types.page import (
    Line,
    Note,
    Read,
    ReportPage,
    asked,
    held_against,
    line_of,
    missing,
    why,
)
from lifecycle.modeling.evaluation.task_types.ranking.rows import CLOSE, WRONG, RankedRow, by_model
from lifecycle.modeling.evaluation.task_types.ranking.rows import ENTRY as ROWS
from lifecycle.runtime.engine.flips import Flip
from lifecycle.runtime.engine.perturb import disturb, disturb_responses
from lifecycle.runtime.statistics import calibration
from lifecycle.runtime.task_types.ranking.measures import in_order
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import GAP, count, percent, signed
from registry.ground.access.models import User

SORTS = {WRONG: "Most confident errors first", CLOSE: "Smallest margin first"}
FEW = 6  # rows with the most confident errors in the report


@dataclass(frozen=True, slots=True)
class Response:
    """One response of a row. place: by annotators, from 1, ties equal; model: by the model, from 1. chance:
    probability of being the row's best by the model, 0 to 1 (Plackett and Luce). text: empty if it may not be
    read.
    """

    place: int
    model: int
    chance: float
    text: str


@dataclass(frozen=True, slots=True)
class RankedLine(Line):
    """A prompt with its responses. sure: confidence of the most confident misranked pair, 0.5 to 1; 0 if all
    pairs are correct. readable: whether texts are shown, even if there is no prompt.
    """

    responses: list[Response]
    sure: float
    readable: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was left out. where: prompt or response."""

    part: Part
    where: str


class RankedPage(ReportPage[RankedRow]):
    """Shows the annotated and the predicted order side by side."""

    templates = "ranking"
    words = "lifecycle/modeling/evaluation/task_types/ranking/words.html"
    unit = "ranked row"
    name = "Rows"
    heads = {"text": "Prompt and responses", "true": "Annotators"}
    disturbed = "prompts and responses"
    flips = (
        "Changed rankings are shown with the share of correctly ordered pairs before and after, and with the"
        " probability that the first response beats the second."
    )
    loss = (
        "the mean over its pairs of the negative log-probability of the preferred response; for ties, the"
        " mean of both"
    )

    def summary(self, evaluation: Evaluation) -> dict[str, Any]:
        """Baselines and length bias."""
        report = evaluation.report
        note = length(report)
        return {
            "rival": rules.rival(report),
            "length": [note] if note else [],
            **beside(report),
            "against": held_against(evaluation),
        }

    def report(self, viewer: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
        """Adds metrics with a description, reliability, and the most confident errors."""
        context = super().report(viewer, evaluation, given)
        with self.rows.opened(evaluation) as opened:
            wrong = self.rows.find(opened, {})
            shown = self.listed(viewer, evaluation, opened, wrong[:FEW])
        return (
            context
            | shown
            | {
                "metrics": [each for each in context["metrics"] if each["meant"]],
                "reliability": charts.reliability(evaluation.report, charts.Reliability(counted="pairs")),
                "wrong": len(wrong),
            }
        )

    def counted(self, report: Mapping[str, Any]) -> Figure:
        """Pairs."""
        ties = f"and {count(report['ties'])} ties" if report["ties"] else f"{count(report['rows'])} rows"
        return Figure("Pairs", count(report["pairs"]), sub=ties)

    def cell(self, given: Mapping[str, str]) -> dict[str, str]:
        """The sort order of rows."""
        return {"sort": CLOSE if given.get("sort") == CLOSE else WRONG}

    def heading(self, cell: Mapping[str, str]) -> dict[str, Any]:
        """The sort order and its choices."""
        return {**cell, "choice": True, "sorts": SORTS.items()}

    def lines(self, viewer: User, evaluation: Evaluation, rows: Sequence[RankedRow]) -> list[RankedLine]:
        """Rows with their responses in the annotated order."""
        items = queries.items_by_digest(evaluation, [row.item for row in rows], viewer)
        contents = self.read_rows(evaluation, items) if may_read(viewer, evaluation) else {}
        found = []
        for row in rows:
            content = contents.get(row.item)
            line = line_of(evaluation, items.get(row.item), row.item, readable=False)
            if content:
                line |= {"text": content["text"], "why": why(evaluation, row.item)}
            shown = responses(row.ranks, row.strengths, content["responses"] if content else ())
            found.append(RankedLine(**line, responses=shown, sure=row.surest, readable=content is not None))
        return found

    def read_rows(self, evaluation: Evaluation, items: Mapping[str, Item]) -> Mapping[str, Any]:
        """Prompts with their responses."""
        return snapshots.learned_rows_of(evaluation.snapshot, list(items))

    def disturb(self, flip: Flip, row: Mapping[str, Any], seed: int) -> Read:
        """The prompt first."""
        again = disturb(flip.probe, row["text"], seed=seed, name=flip.id).text
        others = disturb_responses(flip.probe, row["responses"], seed=seed, name=flip.id)
        return Read((row["text"], *numbered(row["responses"])), (again, *numbered(others)))

    def explained(self, evaluation: Evaluation, digest: str, chosen: str = "") -> dict[str, Any]:
        """The prompt and responses of an item with one response shaded. chosen: its number from 1; by default
        the model's first.
        """
        found = self.rows.one(evaluation, digest)
        if found is None:
            raise missing()
        context, row = (
            asked(evaluation, digest),
            snapshots.learned_rows_of(evaluation.snapshot, [digest]).get(digest),
        )
        best = max(found.strengths)
        first = found.strengths.index(best)
        every = context["kept"].get("responses", []) if row else []
        report = next(
            (each for each in every if str(each["answer"] + 1) == chosen), every[0] if every else {}
        )
        shown = report["answer"] if report else first
        address = why(evaluation, digest)
        return (
            context
            | shaded(row, report)
            | {
                "first": first + 1,
                "by_model": by_model(found.strengths),
                "by_people": in_order(found.ranks),
                "shared": found.strengths.count(best) > 1,
                "right": found.ranks[first] == min(found.ranks) if len(set(found.ranks)) > 1 else None,
                "row": row,
                "report": report,
                "shown": shown + 1,
                "gap": abs(report.get("log_odds", 0.0)),
                "tabs": [
                    {
                        "label": f"Response {each['answer'] + 1}",
                        "url": f"{address}&for={each['answer'] + 1}",
                        "current": each is report,
                    }
                    for each in every
                ],
                "others": (
                    [(at + 1, text) for at, text in enumerate(row["responses"]) if at != shown or not report]
                    if row
                    else []
                ),
            }
        )


def shaded(row: Mapping[str, Any] | None, report: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt and response of an explanation, shaded on one scale, and their words by effect; empty
    without one.
    """
    prompt, response = [], []
    if row and report:
        top = strongest_effect([*report["prompt"], *report["words"]])
        prompt, response = (
            parts(row["text"], report["prompt"], top),
            parts(row["responses"][report["answer"]], report["words"], top),
        )
    words = [
        Word(part, name)
        for name, some in (("prompt", prompt), ("response", response))
        for part in some
        if part.effect is not None
    ]
    return {
        "prompt": prompt,
        "response": response,
        "words": sorted(words, key=lambda word: -abs(word.part.effect or 0)),
    }


def length(report: Mapping[str, Any]) -> Note | None:
    """Whether the model prefers longer responses more often than annotators; None if no responses differ in
    length.
    """
    people, model = report.get("longer_preferred_by_people"), report.get("longer_preferred")
    if people is None or model is None:
        return None
    interval = (report.get("intervals") or {}).get("longer_surplus") or {}
    low, high = interval.get("low") or 0.0, interval.get("high") or 0.0
    shares = (
        f"In {count(report['apart'])} pairs of different length, annotators prefer the longer response in"
        f" {percent(people)}"
    )
    text = (
        f"{shares}, the model in {percent(model)}; 95{GAP}% interval of the difference: {points(low)} to"
        f" {points(high)} points."
    )
    if low > 0:
        step = "Label more pairs whose shorter response is better, or check the scores of short responses."
        return Note(
            "warn", "The model prefers longer responses more often than annotators do.", f"{text} {step}"
        )
    if high < 0:
        return Note("warn", "The model prefers shorter responses more often than annotators do.", text)
    return Note("ok", "The model prefers longer responses about as often as annotators do.", text)


def points(share: float) -> str:
    """A signed difference of shares in percentage points."""
    return signed(100 * share, 0)


def responses(ranks: Sequence[int], strengths: Sequence[float], texts: Sequence[str] = ()) -> list[Response]:
    """The responses in the annotated order; ties in their original order."""
    chances = calibration.softmax(np.array([strengths]))[0]
    levels = sorted(set(ranks))
    order = sorted(range(len(ranks)), key=lambda at: (-strengths[at], at))
    found = [
        Response(levels.index(rank) + 1, order.index(at) + 1, float(chances[at]), texts[at] if texts else "")
        for at, rank in enumerate(ranks)
    ]
    return sorted(found, key=lambda each: each.place)


def numbered(responses: Sequence[str]) -> list[str]:
    """Responses with the numbers that rankings use."""
    return [f"{at}: {text}" for at, text in enumerate(responses, 1)]


ENTRY = RankedPage(ROWS)
