"""The accuracy monitor, by feedback and by what is expected without it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used

from lifecycle.runtime.statistics import clustered
from lifecycle.ui.numbers import count, percent
from monitoring.drift import cbpe
from monitoring.drift.cbpe import Curve, Estimate, Floats
from monitoring.drift.measuring.bins import FIELD
from monitoring.drift.measuring.measured import Measured, Reference, small_reference, too_few
from monitoring.drift.rules import ALPHA, JUDGED_LEAST, MIN_ROWS, OUTSIDE_MOST, Mark, Monitor
from monitoring.drift.senders import Senders
from monitoring.traffic.counts import Counts
from monitoring.traffic.rules import CONFIDENCE_BINS
from monitoring.traffic.senders import by_group, sender_share

F1_ROWS_A_LABEL = 5
ONE_GROUP = (
    "All evaluation rows are near duplicates of each other, so chance variation of its accuracy is unknown."
)
ONE_SIDED = (
    "All evaluation predictions were correct, or all wrong, so chance variation of its accuracy is unknown."
)


def expected_accuracy(
    reference: Reference, counts: Counts, senders: Senders | None = None
) -> Estimate | None:
    """The accuracy to be expected of a window from its 50 bins of confidence; None without any.

    A bin represents the mean calibrated confidence of the reference rows in it.
    """
    known = reference.calibration
    if not (weight := confidences(counts)).any() or reference.one_group or not reference.sure:
        return None
    effect = effect_on_accuracy(reference, counts, senders) or 1.0
    return cbpe.accuracy(
        np.array(known["expected"]), weight, errors_of(known)[:, :-1], reference.effective(cbpe.BAND), effect
    )


def confidences(counts: Counts) -> Floats:
    """The window's answers in each of the 50 bins."""
    return np.array([counts.confidence.get(str(at), 0) for at in range(CONFIDENCE_BINS)], dtype=np.float64)


def errors_of(calibration: Mapping[str, Any]) -> Floats:
    """How far chance moves the expected value of each bin and the mean, as `cbpe.factor` gave it (R, 51)."""
    return np.array(calibration["errors"], dtype=np.float64).reshape(-1, CONFIDENCE_BINS + 1)


def effect_on_accuracy(reference: Reference, counts: Counts, senders: Senders | None) -> float | None:
    """The design effect of the senders on the mean expected value; None where senders are unknown."""
    if senders is None:
        return None
    bins, expected = senders.values[FIELD[Monitor.CONFIDENCE]], reference.calibration["expected"]
    at_values = [at for at, value in enumerate(bins) if value is not None]
    if not at_values:
        return None
    return clustered.effect_of_mean(
        [expected[bins[at]] for at in at_values], senders.codes[at_values], sum(counts.confidence.values())
    )


def measure_fall(
    reference: Reference, counts: Counts, senders: Senders | None = None, outside: float = 0.0
) -> Measured:
    """How far accuracy fell below the evaluation's: where all predictions have feedback by it, where too few
    have by what is to be expected without it, in between by whichever is further on the way to its limit, at
    half of ALPHA each (Bonferroni): feedback on a part bounds a fall alone, and confidences don't know what
    became wrong with them. outside: the share of texts unlike any evaluated (0 to 1).
    """
    estimates = outside <= OUTSIDE_MOST
    if not has_enough_feedback(counts):
        return measure_accuracy(reference, counts, senders) if estimates else not_estimable(outside)
    if counts.right + counts.wrong < counts.answers and estimates:
        realised, expected = (
            measure_realised(reference, counts, 2),
            measure_accuracy(reference, counts, senders, 2),
        )
        if realised.value is not None and expected.value is not None:
            return max(realised, expected, key=lambda each: each.ratio)
    return measure_realised(reference, counts)


def measure_accuracy(
    reference: Reference, counts: Counts, senders: Senders | None = None, tests: int = 1
) -> Measured:
    """How far the expected accuracy of a window fell below what is expected of the reference. tests: how many
    share ALPHA.

    Chance moves it by the window's own answers, and by how few rows the calibration is from; what the
    calibration does to both sides alike cancels out.
    """
    weight, known = confidences(counts), reference.calibration
    n, m = reference.sure, int(weight.sum())
    if m < MIN_ROWS:
        return too_few(Monitor.ACCURACY, m, MIN_ROWS)
    if n < MIN_ROWS:
        return small_reference(Monitor.ACCURACY, n, m)
    if not known["spread"]:
        return Measured(Monitor.ACCURACY, Mark.NOT_MEASURED, ONE_SIDED, n=n, m=m)
    if reference.one_group:
        return Measured(Monitor.ACCURACY, Mark.NOT_MEASURED, ONE_GROUP, n=n, m=m)
    effect, z = effect_on_accuracy(reference, counts, senders), float(scipy.special.ndtri(1 - ALPHA / tests))
    own = cbpe.of_share(known["mean"], reference.effective(z)) * math.sqrt((effect or 1.0) / m)
    error = math.hypot(own, cbpe.error(errors_of(known), np.append(weight / m, -1.0)))
    fall = known["mean"] - float(weight @ np.array(known["expected"])) / m
    return Measured(
        Monitor.ACCURACY,
        Mark.OK,
        "",
        fall,
        z * error,
        min(1.0, tests * float(scipy.special.ndtr(-fall / error))),
        n,
        m,
        senders=senders.known if senders and effect else None,
        design_effect=effect,
    )


def has_enough_feedback(counts: Counts) -> bool:
    """Whether enough of the window's predictions have feedback, in number and share, that it's worth more
    than an estimate.

    Where only a few have feedback they are mostly wrong ones, since people rarely report correct predictions.
    """
    judged = counts.right + counts.wrong
    return judged >= MIN_ROWS and judged >= JUDGED_LEAST * counts.answers


def realised(counts: Counts) -> dict[str, Any] | None:
    """The share of correct predictions by feedback, with its interval, by sender; None without feedback."""
    found = sender_share(counts.by_sender, counts.right, counts.wrong)
    return asdict(found) if found else None


def measure_realised(reference: Reference, counts: Counts, tests: int = 1) -> Measured:
    """How far accuracy fell at least below that on the reference: an answer without feedback counts as
    correct, so that anyone who reports wrong ones more often than correct ones makes no fall (C. F. Manski,
    "Anatomy of the selection problem", Journal of Human Resources 24(3), 1989); where all have feedback
    nothing is given away. tests: how many share ALPHA.

    Answers of a sender resemble each other, as near duplicates of the reference do, so that both count as the
    effective number of rows; the senders of those without feedback are taken to be the same.
    """
    n, judged = reference.rows, counts.right + counts.wrong
    m = max(counts.answers, judged)  # a minute's answers may be lost with a server, and their feedback not
    if n < MIN_ROWS:
        return small_reference(Monitor.ACCURACY, n, m)
    z = float(scipy.special.ndtri(1 - ALPHA / tests))
    effect = 1 + (judged / clustered.effective(counts.correct, z) - 1) * clustered.more_alike(judged, m)
    known, now, tested, rows = (
        reference.calibration["accuracy"],
        1 - counts.wrong / m,
        reference.effective(z),
        m / effect,
    )
    pooled = (known * tested + now * rows) / (tested + rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / tested + 1 / rows))
    fall, senders = known - now, len(by_group(counts.by_sender)) or None
    p = min(1.0, tests * float(scipy.special.ndtr(-fall / error))) if error else 1.0
    part = f"By feedback on {count(judged)} of {count(m)} predictions; the others count as correct."
    return Measured(
        Monitor.ACCURACY,
        Mark.OK,
        part if judged < m else f"By feedback on all {count(m)} predictions.",
        fall,
        z * error,
        p,
        n,
        m,
        senders=senders,
        design_effect=effect if senders else None,
    )


def not_estimable(outside: float) -> Measured:
    """No accuracy is estimated of a window of which such a share of the texts (0 to 1) is unlike any
    evaluated.
    """
    why = (
        f"{percent(outside, 1)} of texts are unlike anything evaluated, so the calibration doesn't apply to"
        " them."
    )
    return Measured(Monitor.ACCURACY, Mark.NOT_MEASURED, why)


def expected_f1(
    reference: Reference, rows: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]
) -> Estimate | None:
    """Macro-F1 to be expected, from answers (label, best scores). None where there are too few, or labels the
    calibration does not know, and of predictions with several labels.

    Put right by how far the same curves were off on the reference: calibrating label by label does not make
    macro-F1 come out there.
    """
    known = reference.calibration
    if reference.several:
        return None
    place = {label: at for at, label in enumerate(known["labels"])}
    scored = [(place[label], scores) for label, scores in rows if label in place and scores]
    if len(scored) < max(MIN_ROWS, F1_ROWS_A_LABEL * len(place)):
        return None
    probabilities = np.stack([cbpe.spread_out(scores, place) for _, scores in scored])
    curves = [Curve(tuple(each["x"]), tuple(each["y"])) for each in known["curves"]]
    expected = cbpe.macro_f1(np.array([at for at, _ in scored]), cbpe.renormalised(curves, probabilities))
    value = min(1.0, max(0.0, expected + known["macro_f1"] - known["f1_expected"]))
    return cbpe.banded(value, math.hypot(known["f1_spread"] / math.sqrt(len(scored)), known["f1_error"]))
