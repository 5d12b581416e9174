"""The page for choosing an operating point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from lifecycle.modeling.evaluation import confidence, queries
from lifecycle.modeling.evaluation.parts import tabs, thread
from lifecycle.modeling.evaluation.task_types.by_key.pages import thresholds_of
from lifecycle.modeling.evaluation.threshold_chart import operating_chart
from lifecycle.modeling.evaluation.threshold_form import ThresholdForm
from lifecycle.modeling.evaluation.threshold_words import Question, advice, basis, instead, places, words_of
from lifecycle.runtime.statistics.operating.curves import curve
from lifecycle.ui.marks import Figure
from lifecycle.ui.numbers import decimals, percent, signed
from registry.ground.access.models import User


def threshold(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The form, and the effect of the chosen point; only the form if it has errors."""
    evaluation = queries.get_evaluation(user, uuid)
    thresholds = thresholds_of(evaluation)
    form = ThresholdForm(thresholds, evaluation.report, given, thresholds.begin(evaluation))
    question = form.question
    context: dict[str, Any] = {
        "evaluation": evaluation,
        "tabs": tabs(evaluation, "threshold"),
        "thread": thread(evaluation),
        "form": form,
        "question": question,
        "effect": thresholds.effect(evaluation, form.label),
        "against": thresholds.beside(evaluation),
        "goals": [
            (name, f"?{urlencode({'label': form.label, 'goal': goal})}", goal == form.goal)
            for goal, name in question.goals.items()
        ],
    }
    if not form.is_valid():
        return context
    report = confidence.operating_point(
        thresholds, evaluation, form.label, form.goal, form.cleaned_data.get("target"), form.costs
    )
    choosing, measuring = confidence.splits_of(evaluation)
    curves = {
        each.split: curve(scores.score, scores.positive)
        for each in dict.fromkeys((choosing, measuring))
        for scores in [confidence.scores_of(each, form.label)]
    }
    return context | {
        "report": report,
        "figures": figures(question, report),
        "chart": operating_chart(curves, question, report),
        "rows": table(question, report),
        "places": places(question, report),
        "basis": basis(question, report),
        "advice": advice(question, report) if report["reached"] else "",
        "instead": "" if report["reached"] else instead(question, report),
    }


def shown(found: Mapping[str, float] | None, digits: int = 3) -> str:
    """0.950 (0.921 to 0.969)."""
    return f"{decimals(found['value'], digits)} ({between(found, digits)})" if found else decimals(None)


def between(found: Mapping[str, float], digits: int = 3) -> str:
    """0.921 to 0.969."""
    return f"{decimals(found['low'], digits)} to {decimals(found['high'], digits)}"


def figures(question: Question, report: Mapping[str, Any]) -> list[Figure]:
    """The figures of the chosen point; empty if there is none."""
    found = report["outcome"]
    if found is None:
        return []
    person, cost = found["person"], found["cost"]
    change = cost["value"] - report["likeliest"]["cost"]["value"] if cost else 0.0
    return [
        Figure(
            "Threshold",
            decimals(report["high"]) if report["high"] is not None else "none",
            sub=words_of(report["promised"]),
        ),
        figure(question.precision, found["precision"]),
        (
            figure(question.recall, found["recall"])
            if question.divides
            else figure(question.called, found["called"])
        ),
        (
            Figure(
                "Handed over",
                percent(person["value"], 1),
                sub=f"{percent(person['low'], 1)} to {percent(person['high'], 1)}",
            )
            if person
            else Figure("Handed over", None)
        ),
        (
            Figure(
                f"Cost per 1,000 {question.unit}",
                decimals(cost["value"], 1),
                sub="compared with the default predictions",
                change=signed(change, 1),
                good=None if abs(change) < 0.05 else change < 0,
            )
            if cost
            else Figure(f"Cost per 1,000 {question.unit}", None)
        ),
    ]


def figure(name: str, found: Mapping[str, float] | None) -> Figure:
    """A share with its interval."""
    return Figure(name, decimals(found["value"]), sub=between(found)) if found else Figure(name, None)


def table(question: Question, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chosen point compared with the model's own predictions on the measured rows."""
    names = {
        "precision": question.precision,
        "recall": question.recall,
        "called": question.called,
        "person": "Handed over",
    }
    if not question.divides:
        del names["recall"]
    both = [report["outcome"], report["likeliest"]]
    rows = [
        {"name": title, "values": [shown(each[name]) if each else "" for each in both]}
        for name, title in names.items()
    ]
    return [
        *rows,
        {
            "name": f"Cost per 1,000 {question.unit}",
            "values": [shown(each["cost"], 1) if each else "" for each in both],
        },
    ]
