"""Shared parts of evaluation pages: tabs, breadcrumbs, metrics, permissions, and numbers in URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from datasets_app.datasets import queries as datasets
from lifecycle.modeling.evaluation import rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.task_types.measures import Metric
from lifecycle.ui.addresses import find_url
from lifecycle.ui.marks import Figure, Step
from lifecycle.ui.numbers import decimals
from registry.ground.access.models import User

PARTS = {"detail": "Report", "slices": "Slices", "threshold": "Threshold", "robustness": "Robustness"}


def tabs(evaluation: Evaluation, current: str) -> list[dict[str, object]]:
    """Links to the tabs of its task. current: of PARTS."""
    found = {
        name: label for name, label in PARTS.items() if name != "threshold" or evaluation.task_type.has_labels
    }
    return [
        {
            "label": label,
            "url": reverse(f"evaluation:{name}", args=[evaluation.uuid]),
            "current": name == current,
        }
        for name, label in found.items()
    ]


def thread(evaluation: Evaluation) -> list[Step]:
    """Dataset, version, run, and this evaluation."""
    dataset, snapshot, run = evaluation.snapshot.dataset, evaluation.snapshot, evaluation.run
    return [
        Step("Dataset", dataset.name, find_url("datasets:dataset", uuid=dataset.uuid)),
        Step(
            "Dataset version",
            f"v{snapshot.number}",
            find_url("snapshots:detail", uuid=snapshot.uuid),
            digest=snapshot.digest,
        ),
        Step("Run", str(run.number), find_url("training:detail", uuid=run.uuid)),
        Step("Evaluation", evaluation.split, at="now", digest=evaluation.report_digest),
    ]


def cell(metric: Metric, report: Mapping[str, Any]) -> dict[str, Any]:
    """A metric of a report or a baseline with its interval, as a table cell."""
    low, high = rules.interval(report, metric.name)
    return {
        "key": metric.name,
        "name": metric.title,
        "meant": metric.meaning,
        "value": report.get(metric.name),
        "low": low,
        "high": high,
        "lower_is_better": metric.lower_is_better,
        "digits": metric.digits,
    }


def measured(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every metric in a report."""
    return [
        cell(each, report) for each in rules.metrics_of(report).known if report.get(each.name) is not None
    ]


def strip(report: Mapping[str, Any]) -> list[Figure]:
    """The main metrics, each with its interval."""
    metrics = rules.metrics_of(report)
    return [figure(metrics[name], report) for name in metrics.strip]


def figure(metric: Metric, report: Mapping[str, Any]) -> Figure:
    """A metric with its interval."""
    value, ends = report.get(metric.name), rules.interval(report, metric.name)
    sub = "" if ends[0] is None else " to ".join(decimals(each, metric.digits) for each in ends)
    return Figure(metric.title, None if value is None else decimals(value, metric.digits), sub=sub)


def beside(report: Mapping[str, Any]) -> dict[str, Any]:
    """The run and each baseline with their metrics and intervals, and the paired difference of the main
    score.
    """
    metrics, known = rules.metrics_of(report), report.get("baselines") or {}
    shown = [
        metrics[name]
        for name in metrics.beside
        if any(each.get(name) is not None for each in (report, *known.values()))
    ]
    found = {"This run": (report, None)} | {
        title: (each, rules.paired(report, name))
        for name, title in rules.baselines_of(report).items()
        if (each := known.get(name))
    }
    lines = [
        {"name": name, "cells": [cell(each, one) for each in shown], "against": apart}
        for name, (one, apart) in found.items()
    ]
    return {"beside": [each.title for each in shown], "baselines": lines}


def may_read(user: User, evaluation: Evaluation) -> bool:
    """Whether the user may read the dataset's texts, and so what a model generated from them.

    Cached on the evaluation, which lives as long as the request.
    """
    known: dict[int, bool] = evaluation.__dict__.setdefault("_may_read", {})
    if user.pk not in known:
        known[user.pk] = datasets.may_read(user, evaluation.snapshot.dataset)
    return known[user.pk]


def whole(text: str) -> int | None:
    """An integer from a URL; None if invalid."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
