"""What the pages show of an evaluation of marked parts: scores, how spans were mistaken, and the texts with both marked in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lifecycle.evaluation import charts, marks, pages, queries, rules
from lifecycle.evaluation.marks import Marks, Mistake, Piece
from lifecycle.evaluation.models import Analysis, Evaluation
from lifecycle.evaluation.parts import beside, may_read, measured, strip, tabs, thread, whole
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import count
from registry.access.models import User

SORTS = ("f1", "label", "support")
FEW = 5  # texts with the surest mistakes on the report itself
MOST = 12  # classes whose confusion is printed; of more the table by class tells


@dataclass(frozen=True, slots=True)
class MarkLine:
    """An item with its spans. pieces, mistakes: empty where the person may not read samples or the item is gone; uuid: where it is gone.
    why: where the words are found that speak for the spans; empty where there are none, or no text."""

    marks: Marks
    pieces: list[Piece]
    mistakes: list[Mistake]
    url: str
    uuid: str = ""
    why: str = ""


def detail(user: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
    """Everything on the page of an evaluation of marked parts."""
    report = evaluation.report
    sort = given.get("sort") if given.get("sort") in SORTS else "f1"
    errors, worst = queries.chosen_marks(evaluation, 0, FEW)
    return {
        "evaluation": evaluation,
        "tabs": tabs(evaluation, "detail"),
        "thread": thread(evaluation),
        "rival": rules.rival(report),
        "figures": figures(report),
        "metrics": measured(report),
        **beside(report),
        "against": pages.held_against(evaluation),
        "kinds": marks.kinds(report),
        "lost": report["lost"],
        "matrix": matrix(report),
        "reliability": charts.reliability(report),
        "f1": charts.f1_by_class(report),
        "per_class": sorted(report["per_class"], key=lambda each: (-each[sort] if sort == "support" else each[sort], each["label"])),
        "sort": sort,
        "errors": errors,
        "lines": lines(user, evaluation, marks.every(worst), worst.labels),
        "may_read": may_read(user, evaluation),
    }


def figures(report: Mapping[str, Any]) -> list[Figure]:
    """The strip: the main metrics, each with its interval as reference, and how much was looked at."""
    return [*strip(report), Figure("True spans", count(report["spans"]["true"]), sub=f"{count(report['rows'])} texts")]


def matrix(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The confusion of classes as cells that are clicked, with what was missed and invented; None where there are too many classes."""
    labels, counts = marks.matrix(report)
    if len(labels) > MOST + 1:
        return None
    off = [value for row, line in enumerate(counts) for column, value in enumerate(line) if row != column]
    top = max(off, default=0)
    return {
        "labels": labels,
        "rows": [
            {
                "label": labels[row],
                "cells": [
                    pages.Cell(value, pages.depth(value, top, row == column), labels[row], labels[column])
                    for column, value in enumerate(line)
                ],
            }
            for row, line in enumerate(counts)
        ],
    }


def lines(user: User, evaluation: Evaluation, some: Sequence[Marks], labels: Sequence[str]) -> list[MarkLine]:
    """Items with their spans in the text; texts only for people who may read samples."""
    items = queries.items_by_digest(evaluation, [each.item for each in some])
    readable = may_read(user, evaluation)
    found = []
    for each in some:
        item = items.get(each.item)
        text = item.text if item and readable else ""
        cut, told = (marks.pieces(text, each, labels), marks.mistakes(text, each, labels)) if text else ([], [])
        url = find_url("datasets:item", uuid=item.uuid) if item else ""
        why = queries.address_of(Analysis.Kind.WORDS, evaluation.uuid, each.item) if text and each.found else ""
        found.append(MarkLine(each, cut, told, url, str(item.uuid) if item else "", why))
    return found


def lines_of(user: User, evaluation: Evaluation, digests: Sequence[str]) -> list[MarkLine]:
    """These items with their spans in the text, in this order."""
    found = queries.marks_to(evaluation, digests)
    rows = {each.item: each for each in marks.every(found)}
    return lines(user, evaluation, [rows[item] for item in digests if item in rows], found.labels)


def items(user: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
    """The texts of one kind of mistake, one cell of the confusion or one group of errors, or all with a mistake; 30 a page in an order that
    never changes."""
    kind, true, found, group = (given.get(name, "") for name in ("kind", "true", "predicted", "group"))
    kind = kind if kind in marks.NAMES else ""
    start = whole(given.get("from", "")) or 0
    if group:
        digests = queries.group_of_errors(evaluation, group)
        total, shown = len(digests), lines_of(user, evaluation, digests[start : start + pages.PAGE])
    else:
        total, some = queries.chosen_marks(evaluation, start, pages.PAGE, kind=kind, true=true, found=found)
        shown = lines(user, evaluation, marks.every(some), some.labels)
    return {
        "evaluation": evaluation,
        "kind": marks.NAMES.get(kind, ""),
        "meant": marks.MEANT.get(kind, ""),
        "true": true,
        "predicted": found,
        "nothing": marks.NOTHING,
        "group": group,
        "chosen": urlencode({"kind": kind, "true": true, "predicted": found, "group": group}),
        "total": total,
        "thread": thread(evaluation),
        "lines": shown,
        "may_read": may_read(user, evaluation),
        "pick_url": pages.pick_url(user, evaluation),
        "start": start,
        "before": max(0, start - pages.PAGE),
        "after": start + pages.PAGE if start + pages.PAGE < total else 0,
    }
