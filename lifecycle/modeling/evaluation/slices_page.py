"""The page of slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from lifecycle.modeling.evaluation import queries, slices
from lifecycle.modeling.evaluation.group_words import TESTS, title, within
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.parts import may_read, tabs, thread
from lifecycle.modeling.evaluation.slices import Column
from lifecycle.runtime.refusals import Refused
from registry.ground.access.models import User

MEASURES = {
    "demographic_parity_difference": (
        "Demographic parity difference",
        (
            "The largest difference between two slices in selection rate: the share of rows predicted with"
            " the label."
        ),
    ),
    "equal_opportunity_difference": (
        "Equal opportunity difference",
        "The largest difference between two slices in true positive rate.",
    ),
    "equalized_odds_difference": (
        "Equalised odds difference",
        "The larger of the largest differences in true positive rate and false positive rate.",
    ),
}


def chosen(
    user: User, evaluation: Evaluation, key: str, ids: Sequence[str]
) -> tuple[list[Column], Column | None]:
    """The columns that the user may slice by, and the selected one. ids: digests of the rows' items."""
    found = slices.columns(user, evaluation, ids)
    return found, next((column for column in found if column.key == key), None)


def groups(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The form, and for a selected column the table of its slices; for a selected label the fairness between
    them.
    """
    evaluation = queries.get_evaluation(user, uuid)
    rows = queries.grouped_of(evaluation)
    columns, column = chosen(user, evaluation, given.get("column", ""), rows.ids)
    labels = rows.classes.labels if rows.classes else ()
    label = given.get("label", "") if given.get("label") in labels else ""
    by = given.get("measure", "") if given.get("measure") in rows.quotients else next(iter(rows.quotients))
    context: dict[str, Any] = {
        "evaluation": evaluation,
        "tabs": tabs(evaluation, "slices"),
        "thread": thread(evaluation),
        "columns": columns,
        "column": column,
        "labels": labels,
        "label": label,
        "by": by,
        "may_read": may_read(user, evaluation),
        "choices": [(name, title(name)) for name in rows.quotients],
    }
    if column is None:
        return context
    try:
        report = slices.report(evaluation, rows, column, by, label)
    except Refused as refusal:
        return context | {"refusal": refusal}
    rows_url = reverse("evaluation:slice_items", args=[uuid])
    for group in report["groups"]:
        group["url"] = (
            f"{rows_url}?{urlencode({'column': column.key, 'group': group['number'], 'measure': by})}"
        )
        group["cells"] = [{"label": within(name), "score": score} for name, score in group["scores"].items()]
    return context | {
        "report": report,
        "titles": [title(name) for name in report["measures"]],
        "tested": TESTS[report["test"]],
        "compared_by": within(by),
        "measures": measures(report),
        "rates": rates(report),
        "wrong": rows.wrong is not None,
        "width": len(report["measures"]) + 3 + (rows.wrong is not None),
    }


def measures(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each fairness measure with its name and definition; empty without a class."""
    found = report["fairness"]["measures"] if report["fairness"] else []
    names = [group["name"] for group in report["groups"]]
    return [
        each
        | {
            "title": MEASURES[each["name"]][0],
            "definition": MEASURES[each["name"]][1],
            "pair": None if each["value"] is None else (names[each["highest"]], names[each["lowest"]]),
        }
        for each in found
    ]


def rates(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rates of each slice with enough rows, with its name; empty without a class."""
    return [
        each | {"name": report["groups"][each["number"]]["name"]}
        for each in (report["fairness"] or {}).get("rates", [])
    ]
