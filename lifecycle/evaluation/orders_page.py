"""What the pages show of an evaluation of responses in order: scores, length, the rows, and two of them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from datasets_app.snapshots import queries as snapshots
from lifecycle.evaluation import charts, orders, pages, queries
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import may_read, measured, strip, tabs, thread, whole
from lifecycle.task_types.ranking.measures import RankedAnswers
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.access.models import User

PAGE, FEW = 30, 6


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One row. prompt, and the responses' texts: empty where the person may not read samples or the item is gone; uuid: where it is gone.

    sure: how sure the model is of its surest mistake in the row, a half to 1; 0 where it makes none. why: where the words are found that
    speak for its order; empty where there is no text.
    """

    item: str
    uuid: str
    url: str
    prompt: str
    responses: list[orders.Response]
    sure: float
    readable: bool
    why: str = ""


def detail(user: User, evaluation: Evaluation) -> dict[str, Any]:
    """Everything on the page of an evaluation of orders."""
    report, found = evaluation.report, queries.predicted_of(evaluation)
    wrong = orders.ordered(found, orders.WRONG)
    return pages.parts(evaluation) | {
        "evaluation": evaluation,
        "reliability": charts.reliability(report),
        "tabs": tabs(evaluation, "detail"),
        "thread": thread(evaluation),
        "figures": figures(report),
        "metrics": [each for each in measured(report) if each["meant"]],
        "wrong": len(wrong),
        "lines": lines(user, evaluation, found, wrong[:FEW]),
        "may_read": may_read(user, evaluation),
    }


def figures(report: Mapping[str, Any]) -> list[Figure]:
    """The strip: the main metrics, each with its interval as reference, and how much was looked at."""
    ties = f"{count(report['ties'])} more in which neither is better" if report["ties"] else f"{count(report['rows'])} rows"
    return [*strip(report), Figure("Pairs", count(report["pairs"]), sub=ties)]


def lines(user: User, evaluation: Evaluation, found: RankedAnswers, rows: Sequence[int]) -> list[OrderLine]:
    """Rows with their responses in the order of people; texts only for people who may read samples."""
    readable = may_read(user, evaluation)
    items = queries.items_by_digest(evaluation, [found.ids[row] for row in rows])
    said = snapshots.learned_rows_of(evaluation.snapshot, [found.ids[row] for row in rows]) if readable else {}
    surest = found.surest_error
    made = []
    for row in rows:
        digest, item = found.ids[row], items.get(found.ids[row])
        told = said.get(digest)
        texts = told["responses"] if told else []
        url, uuid = (find_url("datasets:item", uuid=item.uuid), str(item.uuid)) if item else ("", "")
        responses = orders.responses(found.ranks[row], found.strengths[row], texts)
        prompt = told["text"] if told else ""
        why = queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest) if told else ""
        made.append(OrderLine(digest, uuid, url, prompt, responses, float(surest[row]), told is not None, why))
    return made


def items(user: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
    """The rows with a mistake, the surest first, or all, the closest first; 30 a page, in an order that never changes."""
    found = queries.predicted_of(evaluation)
    sort = given.get("sort", "") if given.get("sort") in orders.SORTS else orders.WRONG
    rows = orders.ordered(found, sort)
    start = whole(given.get("from", "")) or 0
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "sort": sort,
        "sorts": orders.SORTS.items(),
        "total": len(rows),
        "lines": lines(user, evaluation, found, rows[start : start + PAGE]),
        "may_read": may_read(user, evaluation),
        "pick_url": pages.pick_url(user, evaluation),
        "chosen": urlencode({"sort": sort}),
        "start": start,
        "before": max(0, start - PAGE),
        "after": start + PAGE if start + PAGE < len(rows) else 0,
    }
