"""What the page shows of an evaluation's model on disturbed texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from lifecycle.engine.flips import read_flips
from lifecycle.engine.perturb import SENTENCE
from lifecycle.evaluation import flip_lines, queries, rules
from lifecycle.evaluation.models import Analysis
from lifecycle.evaluation.parts import may_read, tabs, thread
from lifecycle.task_types.by_key.measures import NAMED
from lifecycle.ui.numbers import count
from registry.access.models import User
from registry.access.policy import can
from registry.artifacts import actions as artifacts

SHOWN = 30  # flips of a probe
PROBES = {
    "typos": ("Typos", "5 % of the letters, one at least, replaced by a neighbour on an English keyboard, swapped or dropped."),
    "lower": ("Lower case", "Every letter in lower case."),
    "upper": ("Upper case", "Every letter in upper case."),
    "half": ("Cut in half", "Only the first half of the text."),
    "sentence": ("A sentence after it", f"“{SENTENCE}” stands after the text."),
    "edges": ("Blanks and marks around it", "Blanks, dots, exclamation marks and a line break stand around the text."),
}
HEADS = {"text": "Text", "true": "True"}
OF_ORDERS = {"text": "Prompt and responses", "true": "People"}
OF_WRITTEN = {"text": "Prompt", "true": "Reference"}
SCORES = ("accuracy", "macro_f1")  # of a report from before it named its own


def robustness(user: User, uuid: UUID, given: Mapping[str, str]) -> dict[str, Any]:
    """The probes with what they changed, the flips of the one that was asked for, and the job while it is not done."""
    evaluation = queries.get_evaluation(user, uuid)
    job, found = queries.analysis_job(evaluation, Analysis.Kind.ROBUSTNESS), queries.analysis(evaluation, Analysis.Kind.ROBUSTNESS)
    shown = given.get("probe", "")
    context: dict[str, Any] = {
        "evaluation": evaluation, "tabs": tabs(evaluation, "robustness"), "thread": thread(evaluation), "found": found,
        "job": job, "working": job is not None and not job.is_finished, "may_ask": can(user, "evaluation.evaluate", evaluation.run),
        "one": evaluation.task_type.one_label, "written": evaluation.task_type.writes_text, "unprobed": unprobed(evaluation.report),
    }  # fmt: skip
    if found is None:
        return context
    report = found.report
    leading, *_ = names = report.get("scores", SCORES)
    context |= {
        "scores": [NAMED[name].title for name in names],
        "clean": cells(report["clean"], names),
        "lines": [
            {"name": name, "title": title, "what": what, "cells": cells(each, names), "change": loss(each["change"][leading])}
            | {"flipped": each["flipped"], "lost": each.get("lost")}
            for name, (title, what) in PROBES.items()
            if (each := report["probes"].get(name))
        ],
    }
    context["harmed"] = [line for line in context["lines"] if line["change"]["verdict"] == "worse"]
    if shown in report["probes"]:
        context |= {"shown": shown, "title": PROBES[shown][0], "may_read": may_read(user, evaluation), "flips": []}
        context |= {"heads": heads(evaluation.report), "explained": explained(evaluation.report)}
        if found.rows:
            with artifacts.local_copy(found.rows.digest) as path:
                worst = read_flips(path, shown)[:SHOWN]
            context["flips"] = flip_lines.lines(user, evaluation, worst, report["seed"])
    return context


def cells(scored: Mapping[str, Any], names: list[str] | tuple[str, ...]) -> list[dict[str, Any]]:
    """Each score with its interval; None where these rows do not tell it."""
    return [
        {"name": NAMED[name].title, "value": scored.get(name), "low": low, "high": high}
        for name, (low, high) in ((name, rules.interval(scored, name)) for name in names)
    ]


def loss(change: Mapping[str, Any]) -> dict[str, Any]:
    """A change with what is lost by it, and the ends of its interval, least first; without them where no row tells the score."""
    if change["difference"] is None:
        return {**change, "verdict": ""}
    return {**change, "loss": -change["difference"], "least": -change["high"], "most": -change["low"]}


def heads(report: Mapping[str, Any]) -> dict[str, str]:
    """Of the columns of what the model read, and of what is true."""
    kind = rules.task_type(report)
    return OF_ORDERS if kind.has_responses else OF_WRITTEN if kind.writes_text else HEADS


def explained(report: Mapping[str, Any]) -> str:
    """What the numbers beside an answer are."""
    kind = rules.task_type(report)
    if kind.writes_text:
        return "Beside a change stands the answer’s own ROUGE-L, before and after. Of a dialogue what was said last is disturbed."
    if kind.has_responses:
        own = "the share of the row’s pairs that are right"
        return f"Beside a change stands {own}, before and after; beside an order how likely its first is better than its second."
    if rules.is_marks(report):
        return "Beside a change stands the F1 of the text’s own spans, before and after; beside spans the surest that changed."
    if rules.task_type(report).has_thresholds:
        return "Beside a change stands the F1 of the text’s own classes, before and after; beside classes the surest decision that changed."
    return ""


def unprobed(report: Mapping[str, Any]) -> str:
    """What probing would do."""
    kind = rules.task_type(report)
    what = "prompts and responses" if kind.has_responses else "prompts" if kind.writes_text else "texts"
    done = f"the {what} of up to {count(rules.most_probed(report))} rows with typos, other case, half of the text"
    slow = " Writing takes long, so no more are drawn." if kind.writes_text else ""
    return f"Probes disturb {done}, a sentence after it and marks around it, and count the answers that change.{slow}"
