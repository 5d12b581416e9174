"""What the page shows on which an evaluation's rows are looked at in groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404
from django.urls import reverse

from lifecycle.evaluation import pages, queries, rules, slices
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.parts import may_read, tabs, thread
from lifecycle.evaluation.slices import Column
from lifecycle.refusals import Refused
from lifecycle.ui.numbers import decimals, signed
from registry.access.models import User

MEASURES = {
    "demographic_parity_difference": (
        "Demographic parity difference",
        "The largest difference between two groups in the share of rows that are answered with the class, whatever is true of them.",
    ),
    "equal_opportunity_difference": (
        "Equal opportunity difference",
        "The largest difference between two groups in the share of the class's own rows that are answered with it.",
    ),
    "equalized_odds_difference": (
        "Equalised odds difference",
        "The same, or the largest difference in the share of other rows that are wrongly answered with the class, whichever is larger.",
    ),
}


def chosen(user: User, evaluation: Evaluation, key: str) -> tuple[list[Column], Column | None]:
    """What the person may group by, and which of it was asked for."""
    found = slices.columns(user, evaluation)
    return found, next((column for column in found if column.key == key), None)


def groups(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The chooser, and for a chosen column the table of its groups; for a chosen class fairness between them."""
    evaluation = queries.get_evaluation(user, uuid)
    rules.check_classes(evaluation.report)
    columns, column = chosen(user, evaluation, given.get("column", ""))
    labels = evaluation.report["confusion"]["labels"]
    label = given.get("class", "") if given.get("class") in labels else ""
    context: dict[str, Any] = {
        "evaluation": evaluation, "tabs": tabs(evaluation, "slices"), "thread": thread(evaluation), "columns": columns,
        "column": column, "labels": labels, "label": label, "may_read": may_read(user, evaluation),
    }  # fmt: skip
    if column is None:
        return context
    try:
        report = slices.report(evaluation, column, label)
    except Refused as refusal:
        return context | {"refusal": refusal}
    rows_url = reverse("evaluation:slice_items", args=[uuid])
    for group in report["groups"]:
        group["url"] = f"{rows_url}?{urlencode({'column': column.key, 'group': group['number']})}"
        group["errors"] = None if group["accuracy"] is None else round(group["rows"] * (1 - group["accuracy"]))
    return context | {"report": report, "worst": worst(report), "measures": measures(report), "rates": rates(report)}


def worst(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The group that is answered worst, in words; None where fewer than two have rows enough."""
    if report["worst"] is None:
        return None
    group = report["groups"][report["worst"]]
    accuracy = f"{decimals(group['accuracy'])} ({decimals(group['accuracy_low'])} to {decimals(group['accuracy_high'])})"
    against = f"{signed(group['difference'])} ({signed(group['difference_low'])} to {signed(group['difference_high'])}) against the rest"
    return {"group": group, "told": f"accuracy {accuracy}, {against}", "is_sure": group["verdict"] == "worse"}


def measures(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each fairness measure with its name and its definition; empty without a class."""
    found = report["fairness"]["measures"] if report["fairness"] else []
    names = [group["name"] for group in report["groups"]]
    return [
        each | {
            "title": MEASURES[each["name"]][0], "definition": MEASURES[each["name"]][1],
            "pair": None if each["value"] is None else (names[each["highest"]], names[each["lowest"]]),
        }
        for each in found
    ]  # fmt: skip


def rates(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rates of each group that has rows enough, with its name; empty without a class."""
    return [each | {"name": report["groups"][each["number"]]["name"]} for each in (report["fairness"] or {}).get("rates", [])]


def whole(text: str) -> int | None:
    """A number of an address; None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def items(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The rows of a group, or only its errors; 30 a page in an order that never changes. Raises Http404 for a group that is not there."""
    evaluation = queries.get_evaluation(user, uuid)
    _, column = chosen(user, evaluation, given.get("column", ""))
    number = whole(given.get("group", ""))
    if column is None or number is None:
        raise Http404
    answers = queries.answers_of(evaluation)
    grouping = slices.grouping_of(evaluation, column, answers)
    if number >= len(grouping.names):
        raise Http404
    start = whole(given.get("from", "")) or 0
    errors = given.get("errors") == "1"
    found = slices.rows_of_group(answers, grouping, number, errors=errors)
    here = {"column": column.key, "group": number} | ({"errors": 1} if errors else {})
    return {
        "evaluation": evaluation, "thread": thread(evaluation), "column": column, "name": grouping.names[number],
        "errors": errors, "total": len(found), "lines": pages.lines(user, evaluation, found[start : start + pages.PAGE]),
        "may_read": may_read(user, evaluation), "pick_url": pages.pick_url(user, evaluation),
        "back": f"{reverse('evaluation:slices', args=[uuid])}?{urlencode({'column': column.key})}",
        "all_url": f"?{urlencode({'column': column.key, 'group': number})}",
        "errors_url": f"?{urlencode({'column': column.key, 'group': number, 'errors': 1})}",
        "pager": {
            "previous": f"?{urlencode(here | {'from': max(0, start - pages.PAGE)})}" if start else "",
            "next": f"?{urlencode(here | {'from': start + pages.PAGE})}" if start + pages.PAGE < len(found) else "", "about": None,
        },
    }  # fmt: skip
