"""What the pages of models that write texts show: the report, its rows, and two of them side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from datasets_app.snapshots import queries as snapshots
from lifecycle.evaluation import queries, text_rules
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import beside, may_read, measured, strip, tabs, thread, whole
from lifecycle.statistics import words
from lifecycle.task_types.contents.dialogue import turns_before
from lifecycle.task_types.free_text import measures as free_text
from lifecycle.task_types.free_text import verbatim
from lifecycle.task_types.free_text.measures import TextAnswers
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.access.models import User

PAGE = 30
WORST = 6
PLACES = dict.fromkeys(text_rules.SORTS, 2) | {"copied_words": 0, "answer_words": 0}


@dataclass(frozen=True, slots=True)
class TextLine:
    """One row. prompt, reference, answer, base: empty where the person may not read samples or the item is gone.

    turns: of a dialogue, those before the answer; empty where the prompt is one text. scores: by the names of text_rules.SORTS; None
    where a row has none. ungrounded: content words of the answer that its context lacks.
    copied: the longest run of words that it shares with a training answer; copied_from, copied_url: the digest and the page of that item,
    empty where it cannot be told any more. cut: the answer reached its longest length without an end. why: where the words are found that
    speak for the answer; empty where there is none, or no text.
    """

    item: str
    url: str
    prompt: str
    reference: str
    answer: str
    base: str | None
    scores: Mapping[str, float | None]
    ungrounded: tuple[str, ...]
    copied: str
    copied_from: str
    copied_url: str
    cut: bool
    turns: tuple[Mapping[str, str], ...] = ()
    why: str = ""


def parts(evaluation: Evaluation) -> dict[str, Any]:
    """What a run's page and the report begin with: whether it beats its baselines, the figures, the baselines."""
    report = evaluation.report
    return {"written": True, "lead": text_rules.lead(report), "figures": figures(report), **beside(report)}


def figures(report: Mapping[str, Any]) -> list[Figure]:
    """The strip: the main metrics, each with its interval as reference."""
    shown = {each.label: each for each in strip(report)}
    grounded = free_text.METRICS["groundedness"].title
    if shown[grounded].value is None:
        shown[grounded] = replace(shown[grounded], sub="no row has a context")
    return [*shown.values(), Figure("Rows", count(report["rows"]), sub=f"up to {count(report['max_new_tokens'])} tokens an answer")]


def detail(user: User, evaluation: Evaluation) -> dict[str, Any]:
    """Everything on the page of an evaluation of written texts."""
    report = evaluation.report
    found = queries.texts_of(evaluation)
    worst = text_rules.ordered(found, text_rules.LEADING.name, best=False)[:WORST]
    return parts(evaluation) | {
        "evaluation": evaluation,
        "tabs": tabs(evaluation, "detail"),
        "thread": thread(evaluation),
        "metrics": measured(report),
        "grounds": text_rules.grounds(report),
        "copied": text_rules.copied(report),
        "cut": text_rules.cut(report),
        "unended": text_rules.unended(report),
        "left_out": text_rules.left_out(report),
        **table(user, evaluation, found, worst),
        "may_read": may_read(user, evaluation),
        "others": list(queries.comparable_with(evaluation, user)[:1]),
    }


def columns(found: TextAnswers) -> list[dict[str, str]]:
    """The scores that some row has, as columns of the table."""
    some = {name: any(not math.isnan(value) for value in text_rules.column(found, name)) for name in text_rules.SORTS}
    return [{"key": name, "label": label} for name, (label, _) in text_rules.SORTS.items() if some[name]]


def table(user: User, evaluation: Evaluation, found: TextAnswers, rows: Sequence[int]) -> dict[str, Any]:
    """Rows as a table shows them: columns, and lines with the cells of their scores."""
    shown = columns(found)
    made = [
        {
            "line": line,
            "cells": [{"label": each["label"], "value": line.scores[each["key"]], "digits": PLACES[each["key"]]} for each in shown],
        }
        for line in lines(user, evaluation, found, rows)
    ]
    return {"columns": shown, "lines": made}


def lines(user: User, evaluation: Evaluation, found: TextAnswers, rows: Sequence[int]) -> list[TextLine]:
    """Rows with their texts, for people who may read samples; scores for everybody who sees the evaluation."""
    readable = may_read(user, evaluation)
    learnt = snapshots.items_at(evaluation.snapshot, "train", {found.copied[row].row for row in rows}) if readable else {}
    digests = [found.ids[row] for row in rows] + list(learnt.values())
    items = queries.items_by_digest(evaluation, digests)
    said = snapshots.learned_rows_of(evaluation.snapshot, digests) if readable else {}
    made = []
    values = {name: text_rules.column(found, name) for name in text_rules.SORTS}
    for row in rows:
        digest, item, told = found.ids[row], items.get(found.ids[row]), said.get(found.ids[row], {})
        answer = found.answers[row] if told else ""  # what was written to an item that is gone is not shown either
        scores = {name: None if math.isnan(value[row]) else float(value[row]) for name, value in values.items()}
        missing = tuple(words.ungrounded(answer, told["context"])) if told.get("context") else ()
        base = found.base_answers[row] if told and found.base_answers else None
        url = find_url("datasets:item", uuid=item.uuid) if item else ""
        run = found.copied[row].text if told else ""
        source = learnt.get(found.copied[row].row, "")
        if not verbatim.holds(said.get(source, {}).get("answer", ""), run):  # rows are counted otherwise once one of train is erased
            source = ""
        source_url = find_url("datasets:item", uuid=items[source].uuid) if source else ""
        why = queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, digest) if answer else ""
        made.append(
            TextLine(
                digest, url, told.get("text", ""), told.get("answer", ""), answer, base, scores, missing, run, source, source_url,
                bool(found.cut and found.cut[row]), turns_before(told), why,
            )
        )  # fmt: skip
    return made


def answers(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The rows of an evaluation by a score, worst first, those of a range where one is asked for; 30 a page, in an order that stays."""
    evaluation = queries.get_evaluation(user, uuid)
    found = queries.texts_of(evaluation)
    sort = given.get("sort", "") if given.get("sort") in text_rules.SORTS else text_rules.LEADING.name
    best, low, high = given.get("best") == "1", number(given.get("low")), number(given.get("high"))
    rows = text_rules.ordered(found, sort, best=best, low=low, high=high)
    start = whole(given.get("from", "")) or 0
    chosen: dict[str, Any] = {"sort": sort} | ({"best": "1"} if best else {})
    chosen |= {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "total": len(rows),
        "sort": sort,
        "sort_label": text_rules.SORTS[sort][0],
        "best": best,
        "low": low,
        "high": high,
        **table(user, evaluation, found, rows[start : start + PAGE]),
        "may_read": may_read(user, evaluation),
        "chosen": urlencode(chosen),
        "start": start,
        "before": max(0, start - PAGE),
        "after": start + PAGE if start + PAGE < len(rows) else 0,
    }


def number(text: str | None) -> float | None:
    """A bound of a range; None where there is none, or no number."""
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


def changed(user: User, a: Evaluation, b: Evaluation) -> list[dict[str, Any]]:
    """Rows whose answers moved most between two evaluations, those that b made worse first: their texts from both."""
    first, second = queries.texts_of(a), queries.texts_of(b)
    moved = text_rules.turned(first, second)
    at, other = ({item: row for row, item in enumerate(each.ids)} for each in (first, second))
    items = [("worse", item) for item in moved["worse"][: PAGE // 2]] + [("better", item) for item in moved["better"][: PAGE // 2]]
    before = lines(user, a, first, [at[item] for _, item in items])
    after = lines(user, b, second, [other[item] for _, item in items])
    return [{"kind": kind, "first": one, "second": two} for (kind, _), one, two in zip(items, before, after, strict=True)]
