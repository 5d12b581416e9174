"""The rows of a slice, as the task's other pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404
from django.urls import reverse

from lifecycle.modeling.evaluation import queries, slices
from lifecycle.modeling.evaluation.group_words import within
from lifecycle.modeling.evaluation.parts import may_read, thread, whole
from lifecycle.modeling.evaluation.slices_page import chosen
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.page import PAGE, pick_url
from registry.ground.access.models import User


def items(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The rows of a slice, or only those with an error; 30 per page in a stable order. Raises Http404 for an
    unknown slice.
    """
    evaluation = queries.get_evaluation(user, uuid)
    page, rows = page_of(evaluation), queries.grouped_of(evaluation)
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
    with page.rows.opened(evaluation) as opened:
        shown = page.listed(user, evaluation, opened, found[start : start + PAGE])
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "column": column,
        "name": grouping.names[number],
        "errors": errors,
        "total": len(found),
        "may_read": may_read(user, evaluation),
        "templates": page.templates,
        **shown,
        "lowest_by": within(by) if rows.wrong is None else "",
        "pick_url": pick_url(user, evaluation),
        "back": f"{reverse('evaluation:slices', args=[uuid])}?{back}",
        "all_url": f"?{urlencode(group)}",
        "errors_url": f"?{urlencode(group | {'errors': 1})}",
        "pager": {
            "previous": f"?{urlencode(here | {'from': max(0, start - PAGE)})}" if start else "",
            "next": f"?{urlencode(here | {'from': start + PAGE})}" if start + PAGE < len(found) else "",
            "about": None,
        },
    }
