"""What the page shows on which an operating point is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from lifecycle.engine import operating
from lifecycle.evaluation import confidence, queries, rules
from lifecycle.evaluation.parts import tabs, thread
from lifecycle.evaluation.threshold_chart import operating_chart
from lifecycle.evaluation.threshold_form import GOALS, GOALS_OF_ANY, ThresholdForm
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import decimals, percent, signed
from registry.access.models import User


def threshold(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The chooser, and what the chosen point does; only the chooser while something in it is wrong."""
    evaluation = queries.get_evaluation(user, uuid)
    rules.check_classes(evaluation.report)
    own = confidence.own(evaluation)
    form = ThresholdForm(evaluation.report["confusion"]["labels"], given, own)
    names = GOALS if form.label else GOALS_OF_ANY
    context: dict[str, Any] = {
        "evaluation": evaluation, "tabs": tabs(evaluation, "threshold"), "thread": thread(evaluation), "form": form,
        "label": form.label, "effect": confidence.effect(evaluation), "own": bool(own),
        "goals": [(name, f"?{urlencode({'class': form.label, 'goal': goal})}", goal == form.goal) for goal, name in names.items()],
    }  # fmt: skip
    if not form.is_valid():
        return context
    report = confidence.operating_point(evaluation, form.label, form.goal, form.cleaned_data.get("target"), form.costs)
    choosing, measuring = confidence.splits_of(evaluation)
    curves = {
        each.split: operating.curve(scores.score, scores.positive)
        for each in dict.fromkeys((choosing, measuring))
        for scores in [confidence.scores_of(each, form.label)]
    }
    return context | {
        "report": report, "figures": figures(report), "chart": operating_chart(curves, report), "rows": table(report),
        "never": report["reached"] and report["high"] is None,
        "between": report["low"] is not None and report["high"] is not None and form.label and report["low"] < report["high"],
    }  # fmt: skip


def shown(found: Mapping[str, float] | None, digits: int = 3) -> str:
    """0.950 (0.921 to 0.969)."""
    return f"{decimals(found['value'], digits)} ({between(found, digits)})" if found else decimals(None)


def between(found: Mapping[str, float], digits: int = 3) -> str:
    """0.921 to 0.969."""
    return f"{decimals(found['low'], digits)} to {decimals(found['high'], digits)}"


def figures(report: Mapping[str, Any]) -> list[Figure]:
    """The strip of the chosen point; empty where none was found."""
    found = report["outcome"]
    if found is None:
        return []
    person = found["person"]
    change = found["cost"]["value"] - report["likeliest"]["cost"]["value"]
    return [
        Figure("Threshold", decimals(report["high"]) if report["high"] is not None else "none"),
        figure("Precision" if report["class"] else "Accuracy of what is answered", found["precision"]),
        figure("Recall", found["recall"]) if report["class"] else figure("Answered", found["called"]),
        Figure("To a person", percent(person["value"], 1), sub=f"{percent(person['low'], 1)} to {percent(person['high'], 1)}"),
        Figure(
            "Cost of 1,000 rows", decimals(found["cost"]["value"], 1), sub="against the model’s own answers", change=signed(change, 1),
            good=None if abs(change) < 0.05 else change < 0,
        ),
    ]  # fmt: skip


def figure(name: str, found: Mapping[str, float] | None) -> Figure:
    """A share with its interval as reference."""
    return Figure(name, decimals(found["value"]), sub=between(found)) if found else Figure(name, None)


def table(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chosen point beside the model's own answers, on the rows that it is measured on."""
    names = {"precision": "Precision", "recall": "Recall", "called": "Called the class", "person": "To a person"}
    if not report["class"]:
        names = {"precision": "Accuracy of what is answered", "called": "Answered", "person": "To a person"}
    both = [report["outcome"], report["likeliest"]]
    rows = [{"name": title, "values": [shown(each[name]) if each else "" for each in both]} for name, title in names.items()]
    return [*rows, {"name": "Cost of 1,000 rows", "values": [shown(each["cost"], 1) if each else "" for each in both]}]
