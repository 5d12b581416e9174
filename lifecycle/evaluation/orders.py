"""What may be said of a model that puts responses in order. Pure: reports and answers in, sentences and rows for pages out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.evaluation.rules import Change
from lifecycle.evaluation.text_rules import Told
from lifecycle.statistics import calibration
from lifecycle.task_types.ranking import measures as ranking
from lifecycle.task_types.ranking.measures import RankedAnswers
from lifecycle.ui.numbers import GAP, count, percent, signed

WRONG, CLOSE = "wrong", "close"
SORTS = {WRONG: "Surest mistakes first", CLOSE: "Closest first"}


def length(report: Mapping[str, Any]) -> Told | None:
    """Whether the model leans to the longer response more than people do; None where no two responses differ in length."""
    people, model = report.get("longer_preferred_by_people"), report.get("longer_preferred")
    if people is None or model is None:
        return None
    interval = (report.get("intervals") or {}).get("longer_surplus") or {}
    low, high = interval.get("low") or 0.0, interval.get("high") or 0.0
    of = f"Of {count(report['apart'])} pairs of different length people prefer the longer in {percent(people)}"
    text = f"{of}, the model in {percent(model)}; the difference lies between {points(low)} and {points(high)} points (95{GAP}%)."
    if low > 0:
        step = "Compare more pairs in which the shorter response is better, or check what it gives to short ones."
        return Told("warn", "It prefers longer responses more often than people do.", f"{text} {step}")
    if high < 0:
        return Told("warn", "It prefers shorter responses more often than people do.", text)
    return Told("ok", "It prefers longer responses about as often as people do.", text)


def points(share: float) -> str:
    """A difference of shares in points of a hundred, with its sign."""
    return signed(100 * share, 0)


@dataclass(frozen=True, slots=True)
class Response:
    """One response of a row. place: by people, from 1, equal ones alike; model: by the model, from 1. chance: that it is the best of the
    row, by the model, 0 to 1 (Plackett and Luce). text: empty where it may not be read."""

    place: int
    model: int
    chance: float
    text: str


def responses(ranks: Sequence[int], strengths: Sequence[float], texts: Sequence[str] = ()) -> list[Response]:
    """The responses of a row in the order that people put them in; equal ones as they came."""
    chances = calibration.softmax(np.array([strengths]))[0]
    levels = sorted(set(ranks))
    by_model = sorted(range(len(ranks)), key=lambda at: (-strengths[at], at))
    found = [
        Response(levels.index(rank) + 1, by_model.index(at) + 1, float(chances[at]), texts[at] if texts else "")
        for at, rank in enumerate(ranks)
    ]
    return sorted(found, key=lambda each: each.place)


def ordered(found: RankedAnswers, sort: str) -> list[int]:
    """Rows with a pair the wrong way round, the surest of these mistakes first; or all, those first of which the model is least sure."""
    surest = found.surest_error
    if sort == WRONG:
        rows = np.flatnonzero(surest > 0)
        return [int(row) for row in rows[np.argsort(-surest[rows], kind="stable")]]
    top = np.sort(np.nan_to_num(found.matrix, nan=-np.inf), axis=1)
    return [int(row) for row in np.argsort(top[:, -1] - top[:, -2], kind="stable")]


def is_right(found: RankedAnswers) -> NDArray[np.bool_]:
    """Whether every pair of a row is the right way round (N,); rows whose responses people find equal are."""
    scored = found.scored
    return scored.right == scored.decided


def changes(one: RankedAnswers, two: RankedAnswers) -> list[Change]:
    """Items that the two put in a different order, with the same truth: broken (only the first has every pair right), fixed, other (neither
    has)."""
    first, second = ranking.ENTRY.shared(one, two)
    right = is_right(one), is_right(two)
    found = []
    for row, other in zip(first, second, strict=True):
        before, after = told(one.strengths[row]), told(two.strengths[other])
        was, now = bool(right[0][row]), bool(right[1][other])
        if before != after and not (was and now):  # both are right where they differ about responses that people find equal
            kind = "other" if was == now else "fixed" if now else "broken"
            found.append(Change(one.ids[row], (people(one.ranks[row]),), (before,), (after,), kind))
    order = {"broken": 0, "fixed": 1, "other": 2}
    return sorted(found, key=lambda each: (order[each.kind], each.item))


def told(strengths: Sequence[float]) -> str:
    """A model's order in words, responses by their numbers from 1."""
    return people([sorted(set(strengths), reverse=True).index(each) for each in strengths])


def people(ranks: Sequence[int]) -> str:
    """An order in words, as "2 > 1 = 3"."""
    return ranking.in_order(ranks)
