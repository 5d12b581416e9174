"""Contexts of this room's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.db.models import QuerySet

from lifecycle.modeling.evaluation import (
    compare,
    queries,
    rules,
    side_by_side,
)
from lifecycle.modeling.evaluation.actions import SPLITS
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.evaluation.parts import cell, may_read, thread
from lifecycle.modeling.evaluation.task_types.by_key.pages import page_of
from lifecycle.modeling.evaluation.task_types.page import PAGE
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.modeling.training.thresholds import Threshold, threshold_of
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics.comparisons import as_change
from lifecycle.runtime.task_types.by_key.measures import MEASURES
from lifecycle.runtime.task_types.measures import ECE
from lifecycle.ui.addresses import key_in
from registry.ground.access.models import User
from registry.ground.access.policy import can

LISTED = 200  # evaluations in a picker
VERDICT_STYLES = {"better": "ok", "worse": "bad", "unclear": "info"}  # note style by verdict
# columns of the list
KNOWN_BY = (*sorted({each.metrics.leading.name for each in MEASURES.values()}), ECE.name)


def listing(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """Evaluations, newest first, by keyset."""
    before = key_in(given)
    rows = queries.evaluations(user)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(queries.with_heads(rows, KNOWN_BY)[: PAGE + 1])
    heads = [(row, queries.head_of(row, KNOWN_BY)) for row in found[:PAGE]]
    lines = [
        {"row": row, "score": cell(rules.leading_of(head), head), "ece": cell(ECE, head)}
        for row, head in heads
    ]
    older = f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else ""
    return {"lines": lines, "pager": {"previous": "?" if before else "", "next": older, "about": None}}


def of_run(user: User, run: Run) -> dict[str, Any]:
    """The evaluation part of a run's page; validation as in training, with links to all."""
    job, pending = queries.last_job(run), queries.unfinished_job(run)
    found = queries.of_run(run)
    shown = next((each for each in found if each.split == "validation"), found[0] if found else None)
    context = {
        "run": run,
        "evaluations": found,
        "shown": shown,
        "job": job,
        "pending": pending,
        "may_evaluate": can(user, "evaluation.evaluate", run),
        "may_suggest": (
            run.state == RunState.SUCCEEDED
            and run.task_type.prelabels
            and can(user, "labeling.manage", run.snapshot.dataset)
        ),
        "missing": [
            split
            for split in SPLITS
            if run.snapshot.counts["splits"].get(split) and split not in {each.split for each in found}
        ],
    }
    tested = next((each for each in found if each.split == "test"), shown)
    if not shown or not tested:
        return context
    page, leading = page_of(shown), rules.leading_of(shown.report)
    scores = [(each, each.report.get(leading.name)) for each in found]
    return (
        context
        | page.summary(shown)
        | {
            "scores": scores,
            "deciding": deciding(tested),
            "templates": page.templates,
        }
    )


def deciding(evaluation: Evaluation) -> Threshold | None:
    """The class predicted from a threshold on, in words; None if none was requested."""
    found = evaluation.report.get("deciding")
    return threshold_of(found, evaluation.split) if found else None


def report(user: User, evaluation: Evaluation, given: Mapping[str, str]) -> dict[str, Any]:
    """The context of an evaluation's page."""
    found = page_of(evaluation).report(user, evaluation, given)
    return found | leaking(user, evaluation) | {"deciding": deciding(evaluation)}


def leaking(user: User, evaluation: Evaluation) -> dict[str, Any]:
    """The result of membership inference, or how to start it."""
    job = queries.analysis_job(evaluation, Analysis.Kind.MEMBERSHIP)
    analysis, page = queries.analysis(evaluation, Analysis.Kind.MEMBERSHIP), page_of(evaluation)
    return {
        "evaluation": evaluation,
        "thread": thread(evaluation),
        "membership": analysis,
        "leak": rules.leak(analysis.report) if analysis else None,
        "membership_job": job,
        "membership_waits": job is not None and not job.is_finished,
        "loss": page.loss,
        "most_compared": page.rows.compared,
        "may_attack": can(user, "evaluation.evaluate", evaluation),
    }


# ── Comparison ──────────────────────────────────────────────────────────────
def comparison(user: User, given: Mapping[str, str]) -> dict[str, Any]:
    """The picker, and once two are selected, what the second does better or worse on the same items."""
    mine, a = listed(queries.evaluations(user), given.get("a", ""), given.get("run", ""))
    others, b = listed(queries.comparable_with(a, user), given.get("b", "")) if a else ([], None)
    context: dict[str, Any] = {"all": mine, "others": others, "a": a, "b": b}
    if a is None or b is None:
        return context
    try:
        compare.check_dataset(a, b)
        job = queries.comparison_job(a, b) if compare.is_large(a, b) else None
        if not compare.is_ready(a, b):
            return context | {"large": True, "job": job, "waits": job is not None and not job.is_finished}
        report = compare.paired_report(a, b)
    except Refused as refusal:
        return context | {"refusal": refusal}
    metrics, page = rules.metrics_of(a.report), page_of(a)
    return context | {
        "report": report,
        "verdict_style": VERDICT_STYLES[report["summary"]["verdict"]],
        "rows": [
            {"name": by.title, "digits": by.digits, **as_change(row, lower_is_better=by.lower_is_better)}
            for by, row in ((metrics[name], row) for name, row in report["metrics"].items())
        ],
        "other_units": "log_loss" in metrics.compared and "log_loss" not in report["metrics"],
        "per_class": sorted(
            ({"label": label} | row for label, row in report["per_class"].items()),
            key=lambda row: (row["difference"] or 0, row["label"]),
        ),
        "kinds": report["changes"],
        "changes": page.changes,
        "turned": page.turned,
        "heads": page.heads,
        "may_read": may_read(user, a),
        "changed": page.changed(user, a, b),
        **asking(user, a, b),
    }


def asking(user: User, a: Evaluation, b: Evaluation) -> dict[str, Any]:
    """Whether a preference test can be started, and existing ones; {} for models that don't generate text."""
    if not a.task_type.writes_text:
        return {}
    return {
        "may_ask": may_read(user, a) and can(user, "labeling.manage", a.snapshot.dataset),
        "ask_key": uuid4(),
        "sides": list(queries.sides_of(user, a, b)[:5]),
        "usual": side_by_side.USUAL,
    }


def listed(
    rows: QuerySet[Evaluation], uuid: str, run: str = ""
) -> tuple[list[Evaluation], Evaluation | None]:
    """The newest of these, and the one requested by its uuid or its run's, which is also listed if it is
    older.
    """
    shown, found = list(rows.defer("report")[:LISTED]), queries.find_evaluation(rows, uuid, run)
    return (shown if found is None or found in shown else [*shown, found]), found
