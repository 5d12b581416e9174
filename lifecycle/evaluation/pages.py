"""What the pages of this room show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.db.models import QuerySet

from lifecycle.evaluation import (
    charts,
    compare,
    confidence,
    marks,
    orders,
    queries,
    rules,
    side_by_side,
    texts_page,
)
from lifecycle.evaluation.actions import SPLITS
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import beside, cell, may_read, measured, strip, tabs, thread, whole
from lifecycle.refusals import Refused
from lifecycle.statistics.metrics import as_change
from lifecycle.task_types.by_key.measures import MEASURES
from lifecycle.task_types.measures import ECE
from lifecycle.training.models import Run
from lifecycle.training.rules import RunState
from lifecycle.training.thresholds import Threshold, promises, threshold_of
from lifecycle.ui.addresses import find_url, key_in
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.access.models import User
from registry.access.policy import can

PAGE = 30
LISTED = 200  # evaluations that a picker shows
WORST, PAIRS = 10, 8
SORTS = {"label": False, "support": True, "precision": False, "recall": False, "f1": False}
TOLD_AS = {"better": "ok", "worse": "bad", "unclear": "info"}  # how a note shows a verdict
KNOWN_BY = (*sorted({each.metrics.leading.name for each in MEASURES.values()}), ECE.name)  # what a list shows of evaluations


@dataclass(frozen=True, slots=True)
class ItemLine:
    """An answer with its item. text, url: empty where the person may not read samples or the item is gone; uuid: where it is gone.

    why: where the words are found that speak for the answer; empty where there is no text.
    """

    answer: rules.Answer | rules.Change
    text: str
    url: str
    uuid: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix that is read and clicked. depth: 0 to 6 on the sequential scale; 0 on the diagonal."""

    count: int
    depth: int
    true: str
    predicted: str


def listing(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """Evaluations, newest first, by keyset."""
    before = key_in(given)
    rows = queries.evaluations(user)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(queries.with_heads(rows, KNOWN_BY)[: PAGE + 1])
    heads = [(row, queries.head_of(row, KNOWN_BY)) for row in found[:PAGE]]
    lines = [{"row": row, "score": cell(rules.leading_of(head), head), "ece": cell(ECE, head)} for row, head in heads]
    older = f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else ""
    return {"lines": lines, "pager": {"previous": "?" if before else "", "next": older, "about": None}}


def of_run(user: User, run: Run) -> dict[str, Any]:
    """The part of a run's page that shows what its evaluations found; validation as in training, with links to all."""
    job, pending = queries.last_job(run), queries.unfinished_job(run)
    found = queries.of_run(run)
    shown = next((each for each in found if each.split == "validation"), found[0] if found else None)
    context = {
        "run": run,
        "evaluations": found,
        "shown": shown,
        "job": job,
        "pending": pending,
        "may_evaluate": can(user, "evaluation.evaluate", run),
        "may_suggest": run.state == RunState.SUCCEEDED and run.task_type.prelabels and can(user, "labeling.manage", run.snapshot.dataset),
        "missing": [split for split in SPLITS if run.snapshot.counts["splits"].get(split) and split not in {each.split for each in found}],
    }
    told = next((each for each in found if each.split == "test"), shown)
    return context | (parts(shown) | {"deciding": deciding(told)} if shown and told else {})


def deciding(evaluation: Evaluation) -> Threshold | None:
    """The class that is the answer from a threshold on, in words; None where none was asked for."""
    found = evaluation.report.get("deciding")
    return threshold_of(found, evaluation.split) if found else None


def parts(evaluation: Evaluation) -> dict[str, Any]:
    """Confused pairs, the matrix of the worst ten, F1 by class and reliability; of marked parts how they were mistaken; of written texts
    their scores; of orders baselines and what length does."""
    report = evaluation.report
    if rules.task_type(report).writes_text:
        return texts_page.parts(evaluation)
    if rules.is_marks(report):
        return {
            "marks": True,
            "rival": rules.rival(report),
            "kinds": marks.kinds(report),
            "f1": charts.f1_by_class(report),
            "reliability": charts.reliability(report),
            "errors": rules.errors(report),
        }
    if rules.task_type(report).has_responses:
        return {
            "orders": True,
            "rival": rules.rival(report),
            "length": orders.length(report),
            **beside(report),
            "against": held_against(evaluation),
        }
    pairs = rules.confused(report, PAIRS)
    return {
        "pairs": pairs,
        "pair_count": rules.count_confused(report),
        "rival": None if queries.is_flattering(evaluation) else rules.rival(report),
        "flattering": queries.is_flattering(evaluation),
        "several": rules.task_type(report).has_thresholds,
        "promises": promises_of(evaluation),
        "read_as": read_as(report),
        "errors": rules.errors(report),
        "held": sum(pair.count for pair in pairs),
        "classes": len(report["confusion"]["labels"]),
        "confusion": charts.confusion(report, limit=WORST),
        "f1": charts.f1_by_class(report),
        "reliability": charts.reliability(report),
    }


def promises_of(evaluation: Evaluation) -> str:
    """Of which classes a precision or recall is promised from their thresholds on; empty where none was asked for."""
    spec = evaluation.run.spec
    asked = evaluation.task_type.has_thresholds and spec.get("operating_point", "f1") != "f1"
    return promises(evaluation.run.result.get("operating"), spec["labels"]) if asked else ""


def read_as(report: Mapping[str, Any]) -> str:
    """What stands between the true class of a pair and the other."""
    return "missed, and given" if rules.task_type(report).has_thresholds else "read as"


def detail(user: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
    """Everything on an evaluation's page."""
    if evaluation.task_type.writes_text:
        return texts_page.detail(user, evaluation)
    report, every = evaluation.report, given.get("classes") == "all"
    sort = given.get("sort") if given.get("sort") in SORTS else "f1"
    labels, calibration = report["confusion"]["labels"], confidence.calibration(evaluation)
    return parts(evaluation) | {
        "calibration": calibration,
        "reliability": charts.reliability(report, calibration["before"]["reliability"] if calibration else ()),
        "deciding": deciding(evaluation),
        "evaluation": evaluation,
        "tabs": tabs(evaluation, "detail"),
        "thread": thread(evaluation),
        "figures": figures(report),
        "every": every,
        "metrics": measured(report),
        **beside(report),
        "against": held_against(evaluation),
        "matrix": None if every else matrix(report, rules.worst(report, WORST)),
        "all_chart": charts.confusion(report, limit=None) if every else None,
        "all_pairs": rules.confused(report, charts.TABLE) if every else [],
        "classes": len(labels),
        "per_class": per_class(report, str(sort)),
        "sort": sort,
        "worst_errors": lines(user, evaluation, queries.worst_errors(evaluation)),
        "may_read": may_read(user, evaluation),
        "others": list(queries.comparable_with(evaluation, user)[:1]),
    }


def figures(report: Mapping[str, Any]) -> list[Figure]:
    """The strip: the main metrics, each with its interval as reference."""
    return [*strip(report), Figure("Rows", count(report["rows"]), sub=f"{count(len(report['confusion']['labels']))} classes")]


def held_against(evaluation: Evaluation) -> str:
    """The score by which the run is held against baselines row by row; empty where it isn't."""
    report = evaluation.report
    known = not queries.is_flattering(evaluation) and any(rules.paired(report, name) for name in report.get("baselines") or {})
    return rules.leading_of(report).heading if known else ""


def matrix(report: Mapping[str, Any], positions: Sequence[int]) -> dict[str, Any] | None:
    """The cells of a small confusion matrix, as links; None without an error."""
    if not positions:
        return None
    labels, counts = rules.matrix(report, positions)
    top = max(value for row, line in enumerate(counts) for column, value in enumerate(line) if row != column)
    return {
        "labels": labels,
        "rows": [
            {
                "label": labels[row],
                "cells": [Cell(value, depth(value, top, row == column), labels[row], labels[column]) for column, value in enumerate(line)],
            }
            for row, line in enumerate(counts)
        ],
    }


def depth(value: int, top: int, diagonal: bool) -> int:
    """How deep a cell is coloured: 1, 2, 3, 5 or 6 of the scale, so that its number can be read; 0 for none."""
    if diagonal or not value or not top:
        return 0
    return (1, 2, 3, 5, 6)[min(4, int(5 * value / (top + 1)))]


def per_class(report: Mapping[str, Any], sort: str) -> list[dict[str, Any]]:
    """Classes in the order asked for: names from A, rows from most, scores from worst."""
    return sorted(report["per_class"], key=lambda each: (-each[sort] if SORTS[sort] else each[sort], each["label"]))


# ── Items ───────────────────────────────────────────────────────────────────
def lines(user: User, evaluation: Evaluation, answers: Sequence[Any]) -> list[ItemLine]:
    """Answers with their items; texts only for people who may read samples."""
    items = queries.items_by_digest(evaluation, [answer.item for answer in answers])
    readable, classified = may_read(user, evaluation), not rules.is_marks(evaluation.report)
    found = []
    for answer in answers:
        item = items.get(answer.item)
        url = find_url("datasets:item", uuid=item.uuid) if item else ""
        text = item.text if item and readable else ""
        why = queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, answer.item) if text and classified else ""
        found.append(ItemLine(answer, text, url, str(item.uuid) if item else "", why))
    return found


def items(user: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
    """The items of one cell, a row, a column, a group of errors, or all errors; 30 a page in an order that never changes."""
    rules.check_classes(evaluation.report)
    true, predicted, group = (given.get(name, "") for name in ("true", "predicted", "group"))
    wrong = given.get("wrong") == "1"
    start = whole(given.get("from", "")) or 0
    if group:
        digests = queries.group_of_errors(evaluation, group)
        total, shown = len(digests), queries.answers_to(evaluation, digests[start : start + PAGE])
    elif evaluation.task_type.has_thresholds:
        sets, sure = queries.sets_of(evaluation)
        rows = rules.sets_in_cell(sets, sure.order, true=true, predicted=predicted, wrong=wrong)
        total, shown = len(rows), [rules.set_at(sets, sure.confidence, row) for row in rows[start : start + PAGE]]
    else:
        answers = queries.answers_of(evaluation)
        rows = rules.rows_in_cell(answers, true=true, predicted=predicted)
        total, shown = len(rows), [rules.answer_at(answers, row) for row in rows[start : start + PAGE]]
    return {
        "evaluation": evaluation,
        "true": true,
        "predicted": predicted,
        "wrong": wrong,
        "read_as": read_as(evaluation.report),
        "group": group,
        "chosen": urlencode({"true": true, "predicted": predicted, "group": group} | ({"wrong": 1} if wrong else {})),
        "total": total,
        "thread": thread(evaluation),
        "lines": lines(user, evaluation, shown),
        "may_read": may_read(user, evaluation),
        "pick_url": pick_url(user, evaluation),
        "start": start,
        "before": max(0, start - PAGE),
        "after": start + PAGE if start + PAGE < total else 0,
    }


def pick_url(user: User, evaluation: Evaluation) -> str:
    """Where ticked items become a queue; empty for who may not open one."""
    dataset = evaluation.snapshot.dataset
    return find_url("labeling:open", uuid=dataset.uuid) if can(user, "labeling.manage", dataset) else ""


# ── Comparing two ───────────────────────────────────────────────────────────
def comparison(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """The picker, and once two are chosen what the second does better or worse on the same items."""
    mine, a = listed(queries.evaluations(user), given.get("a", ""), given.get("run", ""))
    others, b = listed(queries.comparable_with(a, user), given.get("b", "")) if a else ([], None)
    context: dict[str, Any] = {"all": mine, "others": others, "a": a, "b": b}
    if a is None or b is None:
        return context
    try:
        compare.check_dataset(a, b)
        job = queries.comparison_job(a, b) if compare.is_large(a, b) else None
        if not compare.is_ready(a, b):
            return context | {"large": True, "job": job, "waits": job is not None and not job.is_finished}
        report = compare.paired_report(a, b)
    except Refused as refusal:
        return context | {"refusal": refusal}
    metrics = rules.metrics_of(a.report)
    if a.task_type.writes_text:
        return context | {
            "report": report,
            "written": True,
            "told_as": TOLD_AS[report["summary"]["verdict"]],
            "rows": [
                {"name": metrics[name].title, "digits": metrics[name].digits, **as_change(name, report["metrics"][name])}
                for name in metrics.compared
                if name in report["metrics"]
            ],
            "changed": texts_page.changed(user, a, b),
            "kinds": report["changes"],
            "may_read": may_read(user, a),
            "may_ask": may_read(user, a) and can(user, "labeling.manage", a.snapshot.dataset),
            "ask_key": uuid4(),
            "sides": list(queries.sides_of(user, a, b)[:5]),
            "usual": side_by_side.USUAL,
        }
    changed = compare.first_changes(a, b)
    context["marks"] = rules.is_marks(a.report)
    return context | {
        "report": report,
        "other_units": context["marks"] and "log_loss" not in report["metrics"],
        "told_as": TOLD_AS[report["summary"]["verdict"]],
        "rows": [{"name": metrics[name].title} | as_change(name, row) for name, row in report["metrics"].items()],
        "orders": a.task_type.has_responses,
        "per_class": sorted(
            ({"label": label} | row for label, row in report["per_class"].items()), key=lambda row: (row["difference"] or 0, row["label"])
        ),
        "changed": [in_words(line) for line in lines(user, a, changed)] if context["marks"] else lines(user, a, changed),
        "kinds": report["changes"],
        "may_read": may_read(user, a),
    }


def in_words(line: ItemLine) -> ItemLine:
    """A line whose spans are told by their words, where the text may be read."""
    return replace(line, answer=marks.quoted(line.answer, line.text)) if line.text and isinstance(line.answer, rules.Change) else line


def listed(rows: QuerySet[Evaluation], uuid: str, run: str = "") -> tuple[list[Evaluation], Evaluation | None]:
    """The newest of these, and the one that was asked for by its own uuid or its run's, which is listed too however old it is."""
    shown, found = list(rows.defer("report")[:LISTED]), queries.find_evaluation(rows, uuid, run)
    return (shown if found is None or found in shown else [*shown, found]), found
