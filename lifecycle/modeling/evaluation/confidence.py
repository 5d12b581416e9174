"""Calibration of an evaluation's confidence, and operating points that act on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from lifecycle.ground.remembered import cache
from lifecycle.modeling.evaluation import queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.threshold_words import Question, Thresholds
from lifecycle.runtime.statistics import calibration as engine
from lifecycle.runtime.statistics import deciding
from lifecycle.runtime.statistics.operating import choices, curves, outcomes
from lifecycle.runtime.statistics.operating.choices import Costs
from lifecycle.runtime.statistics.operating.curves import Curve, Scores
from lifecycle.runtime.statistics.operating.outcomes import Outcome
from registry.ground.ledger.rules import digest_of

KEPT_SECONDS = 3_600
COMPARED = ("ece", "log_loss")


def calibration(evaluation: Evaluation) -> dict[str, Any] | None:
    """The effect of temperature scaling on these rows; None without a temperature, and for multi-label.

    Returns {"temperature": above 0, 1 has no effect; "fitted_on_these_rows", "before": {"ece", "log_loss",
    "reliability"}, "after": …}. The probabilities before scaling are recovered from the stored ones, up to
    rounding.
    """
    temperature = evaluation.report.get("temperature")
    if temperature is None or not evaluation.task_type.one_label:
        return None
    key = f"evaluation:untempered:2:{evaluation.pk}"
    before: dict[str, Any] | None = cache.get(key)
    if before is None:
        found = queries.rows_of(evaluation)
        untempered, answered = engine.untempered(found.probabilities, temperature), found.predicted
        sure, right = deciding.confidence(untempered, answered), (answered == found.truth).astype(np.float64)
        before = {
            "ece": engine.ece(sure, right),
            "log_loss": float(engine.log_loss_rows(untempered, found.truth).mean()),
            "reliability": engine.reliability(sure, right, clusters=found.clusters),
        }
        cache.set(key, before, KEPT_SECONDS)
    return {
        "temperature": temperature,
        "fitted_on_these_rows": (
            evaluation.split == "validation" and evaluation.snapshot_id == evaluation.run.snapshot_id
        ),
        "before": before,
        "after": {name: evaluation.report.get(name) for name in (*COMPARED, "reliability")},
    }


# ── An operating point ──────────────────────────────────────────────────────
def own(evaluation: Evaluation) -> dict[str, Any] | None:
    """The class that the model itself predicts from a threshold on, as in `deciding.with_measured`; None if
    it predicts the most likely class.
    """
    found: dict[str, Any] | None = evaluation.report.get("deciding")
    return found if found and found["threshold"] is not None else None


def scores_of(evaluation: Evaluation, label: str) -> Scores:
    """`queries.scores_of`, cached for an hour."""
    key = f"evaluation:confidences:3:{evaluation.pk}:{digest_of(label)}"
    known: Scores | None = cache.get(key)
    if known is None:
        known = queries.scores_of(evaluation, label)
        cache.set(key, known, KEPT_SECONDS)
    return known


def splits_of(evaluation: Evaluation) -> tuple[Evaluation, Evaluation]:
    """(where a threshold is chosen, where it is measured): validation, then test, if both exist for this
    model and dataset version.
    """
    same = Evaluation.objects.filter(
        run=evaluation.run_id, snapshot=evaluation.snapshot_id, root_digest=evaluation.root_digest
    )
    found = {
        split: same.filter(split=split).select_related("predictions").order_by("-id").first()
        for split in ("validation", "test")
    }
    found |= {evaluation.split: evaluation}
    return found["validation"] or evaluation, found["test"] or evaluation


def where_chosen(evaluation: Evaluation) -> Evaluation | None:
    """The evaluation of the rows that chose the run's own threshold; None if they weren't evaluated."""
    run = evaluation.run
    own_rows = Evaluation.objects.filter(
        run=run, snapshot=run.snapshot_id, split="validation", root_digest=evaluation.root_digest
    )
    return own_rows.order_by("-id").first()


def operating_point(
    thresholds: Thresholds, evaluation: Evaluation, label: str, goal: str, target: float | None, costs: Costs
) -> dict[str, Any]:
    """The threshold for a goal, chosen on validation and measured on test if both exist, as JSON. For the
    model's own goal, if reached, its own threshold, chosen on the run's own validation.

    thresholds: of the task. label: empty for any class. goal: precision, recall, or cost; target: of the
    first two.

    Returns {"label", "goal", "target", "costs", "chosen_on", "measured_on", "same_rows", "positives": where
    it was chosen, "most_recall": there at any threshold, "reached": false if no threshold has the target,
    "promised": whether it is guaranteed for other rows, as in `choices.promised`, else estimated; null for
    costs and if not reached, "low", "high": thresholds, null if no row is predicted, "outcome": null if not
    reached, "likeliest": outcome of the model's own predictions on the same rows (the most likely classes, or
    its class thresholds; for spans, all predictions), "effect": on serving}.
    """
    question = thresholds.question(label)
    choosing, measuring = splits_of(evaluation)
    known = own(evaluation)
    is_own = (
        known and known["is_met"] and (label, goal, target) == (known["label"], known["by"], known["target"])
    )
    ends: tuple[float, float] | None
    promised: bool | None
    scores = scores_of(choosing, label)
    found = curves.curve(scores.score, scores.positive, scores.clusters)
    if known and is_own and (home := where_chosen(evaluation)):
        choosing, ends, promised = home, (known["threshold"],) * 2, bool(known["promised"])
    else:
        ends, promised = chosen(found, question, goal, target, costs)
    measured = scores_of(measuring, label)
    unscored, together = measured.score == curves.UNSCORED, measured.clusters
    return {
        "label": label,
        "goal": goal,
        "target": target,
        "costs": asdict(costs),
        "chosen_on": named(choosing),
        "measured_on": named(measuring),
        "same_rows": rows_of(choosing) == rows_of(measuring),
        "positives": found.positives,
        "most_recall": float(found.recall.max(initial=0.0)) if found.positives else None,
        "reached": ends is not None,
        "promised": promised,
        "low": rules.finite(ends[0]) if ends else None,
        "high": rules.finite(ends[1]) if ends else None,
        "outcome": (
            outcome_data(outcomes.outcome(measured.score, measured.positive, *ends, together), costs)
            if ends
            else None
        ),
        "likeliest": outcome_data(
            outcomes.outcome_of(measured.positive, measured.called, unscored=unscored, clusters=together),
            costs,
        ),
        "effect": thresholds.effect(evaluation, label),
    }


def chosen(
    found: Curve, question: Question, goal: str, target: float | None, costs: Costs
) -> tuple[tuple[float, float] | None, bool | None]:
    """(low, high) for a goal, None if no threshold reaches the target; and whether it is guaranteed, None if
    that doesn't apply.
    """
    divides = question.divides
    if goal == "cost":
        return (
            choices.cheapest(found, costs) if divides else (0.0, choices.cheapest_confidence(found, costs))
        ), None
    choice = choices.choose(found, goal if divides or goal == "precision" else "coverage", target or 0.0)
    return (
        ((choice.threshold if divides else 0.0, choice.threshold), choice.promised)
        if choice
        else (None, None)
    )


def rows_of(evaluation: Evaluation) -> tuple[int, str]:
    """What identifies the predicted rows."""
    return evaluation.snapshot_id, evaluation.split


def named(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation in other reports."""
    return {"uuid": str(evaluation.uuid), "split": evaluation.split, "rows": evaluation.rows}


def outcome_data(found: Outcome, costs: Costs) -> dict[str, Any]:
    """An outcome as JSON: counts, shares with intervals, and the cost of 1,000 rows."""
    shares = {}
    for name in ("precision", "recall", "called", "person"):
        value, low, high = found.share(name)
        shares[name] = {"value": value, "low": low, "high": high} if value is not None else None
    value, low, high = found.cost(costs)
    return {
        "counts": found.counts,
        **shares,
        "cost": {"value": value, "low": low, "high": high} if value is not None else None,
    }
