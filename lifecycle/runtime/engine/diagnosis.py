"""Diagnoses from the curves of a run. Pure: the same points give the same findings, each a fact, its evidence
and a step to take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lifecycle.runtime.engine.artifact import Operating
from lifecycle.runtime.engine.events import Point
from lifecycle.runtime.engine.faults import Unstable
from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.statistics.deciding import Deciding

SPIKE_FACTOR = 2.5
SPIKE_MINIMUM = 0.3
MANY_SPIKES = 3
RISE_FRACTION = 0.1
RISE_MINIMUM = 0.02
PERFECT = 0.995
FEW_ROWS = 10
SEVERITIES = ("info", "watch", "bad")


@dataclass(frozen=True)
class Diagnosis:
    """A finding about a run. severity: info, watch or bad. The steps span the evidence on the loss curve."""

    code: str
    severity: str
    title: str
    detail: str
    from_step: int
    to_step: int
    next_step: str

    def to_json(self) -> dict[str, Any]:
        """The fields of a `finding` event."""
        return asdict(self)


def curve(points: Sequence[Point], name: str) -> list[tuple[int, float]]:
    """(step, value) where the value was measured."""
    return [
        (point.step, value)
        for point in points
        if (value := point.values.get(name)) is not None and math.isfinite(value)
    ]


def diagnose(points: Sequence[Point], *, classes: int, finished: bool = False) -> list[Diagnosis]:
    """Findings on the points so far, worst first. finished: also judge what only a whole run can show."""
    found = [overfitting(points), instability(points), collapse(points, classes), too_good(points, classes)]
    if finished:
        found.append(underfitting(points, classes))
    return sorted((each for each in found if each), key=lambda each: -SEVERITIES.index(each.severity))


def overfitting(points: Sequence[Point]) -> Diagnosis | None:
    """Validation loss has risen by more than a tenth over its best for two evaluations while training loss
    continued falling.
    """
    validation, train = curve(points, "validation_loss"), curve(points, "train_loss")
    if len(validation) < 3 or not train:
        return None
    best_step, best = min(validation, key=lambda each: (each[1], each[0]))
    after = [value for step, value in validation if step > best_step]
    if len(after) < 2 or min(after[-2:]) < max(best * (1 + RISE_FRACTION), best + RISE_MINIMUM):
        return None
    before_loss = _mean(value for step, value in train if step <= best_step)
    after_loss = _mean(value for step, value in train if step > best_step)
    if before_loss is None or after_loss is None or after_loss >= before_loss:
        return None
    return Diagnosis(
        "overfitting",
        "watch",
        f"Overfitting since step {best_step}.",
        f"Validation loss rose from {best:.3f} to {after[-1]:.3f} while training loss fell from"
        f" {before_loss:.3f} to {after_loss:.3f}.",
        best_step,
        validation[-1][0],
        "The best step is used. Next time, use fewer epochs, early stopping, more dropout, or more labeled"
        " rows.",
    )


def instability(points: Sequence[Point]) -> Diagnosis | None:
    """Training loss jumps far above the median of the five values before it, or is not a number."""
    for point in points:
        if "train_loss" in point.values and point.values["train_loss"] is None:
            return _unstable("bad", point.step, point.step, "Training loss became NaN.")
    spikes = jumps(curve(points, "train_loss"))
    if not spikes:
        return None
    step, median, value = max(spikes, key=lambda each: each[2] / max(each[1], 1e-9))
    detail = (
        f"Training loss jumped from about {median:.3f} to {value:.3f} at step {step} ({len(spikes)} such"
        f" jump{'s' * (len(spikes) > 1)})."
    )
    return _unstable("watch" if len(spikes) < MANY_SPIKES else "bad", spikes[0][0], spikes[-1][0], detail)


def jumps(train: Sequence[tuple[int, float]]) -> list[tuple[int, float, float]]:
    """(step, median of the five values before it, value) where a training loss is far above that median.
    train: (step, loss), in order.
    """
    found = []
    for number in range(3, len(train)):
        before = sorted(value for _, value in train[max(0, number - 5) : number])
        median = before[len(before) // 2]
        step, value = train[number]
        if value > median * SPIKE_FACTOR and value > median + SPIKE_MINIMUM:
            found.append((step, median, value))
    return found


def divergence(points: Sequence[Point]) -> tuple[int, float, float] | None:
    """The first of the newest training losses, as many as are called many, where all are jumps: the loss
    hasn't recovered.
    """
    train = curve(points, "train_loss")
    last = jumps(train)[-MANY_SPIKES:]
    return last[0] if len(last) == MANY_SPIKES and last[0][0] == train[-MANY_SPIKES][0] else None


def broken(fault: Unstable, best_step: int | None) -> Diagnosis:
    """The diagnosis of a run that was stopped because training diverged. best_step: the step whose weights
    are kept, or None.
    """
    kept = (
        f"The weights of step {best_step}, the best earlier step, are used."
        if best_step
        else "No earlier step was evaluated."
    )
    title = f"Training diverged at step {fault.step} and was stopped."
    return Diagnosis(
        "instability", "bad", title, f"{fault.message} {kept}", fault.step, fault.step, fault.next_step
    )


def _unstable(severity: str, first: int, last: int, detail: str) -> Diagnosis:
    return Diagnosis(
        "instability",
        severity,
        "Training is unstable.",
        detail,
        first,
        last,
        "Halve both learning rates, or increase the warm-up.",
    )


def collapse(points: Sequence[Point], classes: int) -> Diagnosis | None:
    """At the last evaluation every validation row got the same label, or no span was found in any."""
    spans = curve(points, "predicted_spans")
    if spans and not spans[-1][1]:
        step = spans[-1][0]
        detail = (
            f"At step {step}, no span was predicted in any validation text: every token is tagged as outside."
        )
        return Diagnosis(
            "collapse",
            "bad",
            "The model predicts no spans.",
            detail,
            step,
            step,
            "Train longer, or increase the learning rates.",
        )
    sets = curve(points, "predicted_sets")
    predicted = sets or curve(points, "predicted_classes")
    if not predicted or predicted[-1][1] != 1 or classes < 2:
        return None
    step = predicted[-1][0]
    answered = f"the same set of the {classes} labels" if sets else f"one of {classes} labels"
    return Diagnosis(
        "collapse",
        "bad",
        f"The model predicts the same {'labels' if sets else 'label'} for every row.",
        f"At step {step}, all validation rows were predicted as {answered}.",
        step,
        step,
        "Lower the learning rates, turn on class weights if one label dominates, and check the labels of the"
        " rows.",
    )


def too_good(points: Sequence[Point], classes: int) -> Diagnosis | None:
    """The very first evaluation is near-perfect: validation rows may be among the training rows, or the label
    in the text.
    """
    accuracy = curve(points, "accuracy") or curve(points, "subset_accuracy") or curve(points, "micro_f1")
    if not accuracy or accuracy[0][1] < PERFECT or classes < 2:
        return None
    step, value = accuracy[0]
    return Diagnosis(
        "leakage",
        "watch",
        f"Suspiciously high score: {value:.1%} at the first evaluation.",
        "Real tasks are rarely this easy. Training and validation may share rows or near duplicates, or the"
        " text may contain the label.",
        step,
        step,
        "Check the dataset version's leakage report, and review some rows of each label.",
    )


def underfitting(points: Sequence[Point], classes: int) -> Diagnosis | None:
    """The run ended while training loss was still high and validation still improving."""
    train, validation = curve(points, "train_loss"), curve(points, "validation_loss")
    if len(train) < 2 or len(validation) < 2 or classes < 2:
        return None
    last = _mean(value for _, value in train[-3:])
    chance = math.log(classes)
    if last is None or last < 0.5 * chance or validation[-1][1] > min(value for _, value in validation):
        return None
    return Diagnosis(
        "underfitting",
        "watch",
        "The run is undertrained.",
        f"Training loss ended at {last:.3f}; random guessing gives {chance:.3f}. Validation loss was still"
        " falling.",
        train[-1][0],
        train[-1][0],
        "Train for more epochs or with higher learning rates.",
    )


def few_validation_rows(supports: Sequence[int], labels: Sequence[str]) -> Diagnosis | None:
    """Some classes have so few validation rows that their scores are unreliable. supports: validation rows of
    each label.
    """
    few = [(label, count) for label, count in zip(labels, supports, strict=True) if count < FEW_ROWS]
    if not few:
        return None
    names = ", ".join(f"{label} ({count})" for label, count in sorted(few, key=lambda each: each[1])[:3])
    return Diagnosis(
        "few_validation_rows",
        "info",
        f"{len(few)} of {len(labels)} labels have fewer than {FEW_ROWS} validation rows.",
        f"Their scores, and macro-F1, vary by chance. Fewest: {names}.",
        0,
        0,
        "Check the evaluation's intervals before comparing, or label more rows with these labels.",
    )


def operating_point_missed(wanted: Operating, labels: Sequence[str]) -> Diagnosis:
    """Some labels have no threshold with the precision or recall that was asked for."""
    names = ", ".join(wanted.missed[:5]) + (
        f" and {len(wanted.missed) - 5} more" if len(wanted.missed) > 5 else ""
    )
    few = f"0.5 if fewer than {THRESHOLD_ROWS} validation rows have the label"
    return Diagnosis(
        "operating_point",
        "watch",
        f"{len(wanted.missed)} of {len(labels)} labels don't reach {wanted.by} {wanted.target:g} on"
        " validation.",
        f"{names}. Their thresholds are set for the highest precision, or {few}.",
        0,
        0,
        "Label more rows with these labels, or lower the target.",
    )


def threshold_missed(wanted: Deciding) -> Diagnosis:
    """The label that was to have a threshold misses the requested precision or recall, or has too few rows
    for an estimate.
    """
    if wanted.threshold is None:
        fact = (
            f"{wanted.label} has no threshold: {wanted.positives} validation rows have it; choosing one needs"
            f" {THRESHOLD_ROWS}."
        )
        detail = "The most likely label is predicted."
    else:
        fact = f"{wanted.label} doesn't reach {wanted.by} {wanted.target:g} at any threshold on validation."
        detail = (
            f"Its threshold is {wanted.threshold:.3f}, where {wanted.by} is highest: {wanted.hits} of"
            f" {wanted.of} rows."
        )
    return Diagnosis(
        "operating_point",
        "watch",
        fact,
        detail,
        0,
        0,
        f"Label more rows as {wanted.label}, or lower the target {wanted.by}.",
    )


def _mean(values: Any) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None
