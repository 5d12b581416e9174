"""The page of robustness tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from lifecycle.modeling.evaluation import flip_lines, queries, rules
from lifecycle.modeling.evaluation.models import Analysis
from lifecycle.modeling.evaluation.parts import may_read, tabs, thread
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.page import ReportPage
from lifecycle.runtime.engine.flips import read_flips
from lifecycle.runtime.engine.perturb import SENTENCE
from lifecycle.runtime.task_types.by_key.measures import NAMED
from lifecycle.ui.numbers import count
from registry.ground.access.models import User
from registry.ground.access.policy import can
from registry.ground.artifacts import actions as artifacts

SHOWN = 30  # flips shown per probe
PROBES = {
    "typos": (
        "Typos",
        (
            "5 % of letters (at least one) replaced by a neighbouring key on an English keyboard, swapped, or"
            " dropped."
        ),
    ),
    "lower": ("Lower case", "All letters in lower case."),
    "upper": ("Upper case", "All letters in upper case."),
    "half": ("Truncated to half", "Only the first half of the text."),
    "sentence": ("Sentence appended", f"“{SENTENCE}” is appended to the text."),
    "edges": (
        "Whitespace and punctuation",
        "Spaces, dots, exclamation marks, and a line break are added around the text.",
    ),
}


def robustness(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The probes with their changes, the flips of the selected one, and the job until it is done."""
    evaluation = queries.get_evaluation(user, uuid)
    job, found = (
        queries.analysis_job(evaluation, Analysis.Kind.ROBUSTNESS),
        queries.analysis(evaluation, Analysis.Kind.ROBUSTNESS),
    )
    shown, page = given.get("probe", ""), page_of(evaluation)
    context: dict[str, Any] = {
        "evaluation": evaluation,
        "tabs": tabs(evaluation, "robustness"),
        "thread": thread(evaluation),
        "found": found,
        "job": job,
        "working": job is not None and not job.is_finished,
        "may_ask": can(user, "evaluation.evaluate", evaluation.run),
        "one": evaluation.task_type.one_label,
        "slow": page.slow,
        "unprobed": unprobed(page),
    }
    if found is None:
        return context
    report = found.report
    leading, *_ = names = report["scores"]
    context |= {
        "scores": [NAMED[name].title for name in names],
        "clean": cells(report["clean"], names),
        "lines": [
            {
                "name": name,
                "title": title,
                "what": what,
                "cells": cells(each, names),
                "change": loss(each["change"][leading]),
            }
            | {"flipped": each["flipped"], "lost": each.get("lost")}
            for name, (title, what) in PROBES.items()
            if (each := report["probes"].get(name))
        ],
    }
    context["harmed"] = [line for line in context["lines"] if line["change"]["verdict"] == "worse"]
    if shown in report["probes"]:
        context |= {
            "shown": shown,
            "title": PROBES[shown][0],
            "may_read": may_read(user, evaluation),
            "flips": [],
        }
        context |= {"heads": page.heads, "explained": page.flips}
        if found.rows:
            with artifacts.local_copy(found.rows.digest) as path:
                worst = read_flips(path, shown)[:SHOWN]
            context["flips"] = flip_lines.lines(user, evaluation, worst, report["seed"])
    return context


def cells(scored: Mapping[str, Any], names: list[str] | tuple[str, ...]) -> list[dict[str, Any]]:
    """Each score with its interval; None if these rows don't determine it."""
    return [
        {"name": NAMED[name].title, "value": scored.get(name), "low": low, "high": high}
        for name, (low, high) in ((name, rules.interval(scored, name)) for name in names)
    ]


def loss(change: Mapping[str, Any]) -> dict[str, Any]:
    """A perturbation with the loss it causes and the ends of its interval, smallest first; without them if no
    row has the score.
    """
    if change["difference"] is None:
        return {**change, "verdict": ""}
    return {**change, "loss": -change["difference"], "least": -change["high"], "most": -change["low"]}


def unprobed(page: ReportPage[Any]) -> str:
    """What a robustness test would do."""
    done = (
        f"the {page.disturbed} of up to {count(page.rows.probed)} rows with typos, changed case, half of the"
        " text"
    )
    return (
        f"Perturbs {done}, an appended sentence, and punctuation around it, and counts changed"
        f" predictions.{page.slow}"
    )
