"""What the page shows of the rows of one group: each task's rows as its other pages show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404
from django.urls import reverse

from lifecycle.evaluation import marks, marks_page, orders_page, pages, queries, rules, slices, texts_page
from lifecycle.evaluation.group_words import within
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.parts import may_read, thread, whole
from lifecycle.evaluation.slices_page import chosen
from registry.access.models import User


def items(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The rows of a group, or only those with a mistake; 30 a page in an order that never changes. Raises Http404 for a group that is not
    there."""
    evaluation = queries.get_evaluation(user, uuid)
    rows = queries.rows_of(evaluation)
    _, column = chosen(user, evaluation, given.get("column", ""), rows.ids)
    number = whole(given.get("group", ""))
    if column is None or number is None:
        raise Http404
    grouping = slices.grouping_of(evaluation, column, rows.ids)
    if number >= len(grouping.names):
        raise Http404
    by = given.get("measure", "") if given.get("measure") in rows.quotients else next(iter(rows.quotients))
    start, errors = whole(given.get("from", "")) or 0, given.get("errors") == "1" and rows.wrong is not None
    found = slices.rows_of_group(rows, grouping, number, by, errors=errors)
    group = {"column": column.key, "group": number, "measure": by}
    here = group | ({"errors": 1} if errors else {})
    back = urlencode({"column": column.key, "measure": by})
    kind = str(evaluation.task_type.key)
    return {
        "evaluation": evaluation, "thread": thread(evaluation), "column": column, "name": grouping.names[number],
        "errors": errors, "total": len(found), "may_read": may_read(user, evaluation), "kind": kind,
        **LINES[kind](user, evaluation, found[start : start + pages.PAGE]),
        "lowest_by": within(by) if rows.wrong is None else "",
        "pick_url": pages.pick_url(user, evaluation) if rows.wrong is not None else "",
        "back": f"{reverse('evaluation:slices', args=[uuid])}?{back}",
        "all_url": f"?{urlencode(group)}", "errors_url": f"?{urlencode(group | {'errors': 1})}",
        "pager": {
            "previous": f"?{urlencode(here | {'from': max(0, start - pages.PAGE)})}" if start else "",
            "next": f"?{urlencode(here | {'from': start + pages.PAGE})}" if start + pages.PAGE < len(found) else "", "about": None,
        },
    }  # fmt: skip


def of_one(user: User, evaluation: Evaluation, rows: Sequence[int]) -> dict[str, Any]:
    """Answers of one class a text."""
    answers = queries.answers_of(evaluation)
    return {"lines": pages.lines(user, evaluation, [rules.answer_at(answers, row) for row in rows])}


def of_sets(user: User, evaluation: Evaluation, rows: Sequence[int]) -> dict[str, Any]:
    """Answers of several classes a text."""
    sets, sure = queries.sets_of(evaluation)
    return {"lines": pages.lines(user, evaluation, [rules.set_at(sets, sure.confidence, row) for row in rows])}


def of_spans(user: User, evaluation: Evaluation, rows: Sequence[int]) -> dict[str, Any]:
    """Texts with what is marked in them."""
    some = queries.marks_at(evaluation, rows)
    return {"lines": marks_page.lines(user, evaluation, marks.every(some), some.labels)}


def of_orders(user: User, evaluation: Evaluation, rows: Sequence[int]) -> dict[str, Any]:
    """Responses in order."""
    return {"lines": orders_page.lines(user, evaluation, queries.predicted_of(evaluation), rows)}


def of_texts(user: User, evaluation: Evaluation, rows: Sequence[int]) -> dict[str, Any]:
    """Written answers with their scores."""
    return texts_page.table(user, evaluation, queries.texts_of(evaluation), rows)


LINES: Mapping[str, Callable[[User, Evaluation, Sequence[int]], dict[str, Any]]] = {
    "single_label": of_one, "multi_label": of_sets, "spans": of_spans, "preference": of_orders, "ranking": of_orders, "free_text": of_texts,
}  # fmt: skip
