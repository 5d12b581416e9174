"""How often the answers are right, estimated without knowing the truth: confidence-based performance
estimation (NannyML's CBPE). Pure.

Confidences are calibrated on the reference by isotonic regression, never on training rows; the mean of
calibrated confidences is the expected accuracy. Its band holds both errors: that of the window's answers, and
that of a calibration from so few reference rows. It cannot see that the same text now has another right
answer, so LIMITS are beside every estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

from lifecycle.runtime.statistics import bootstrap, clustered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 10  # reference rows right, and as many wrong, from which a curve is learned
SEED = 42
RESAMPLES, F1_RESAMPLES = 100, 40  # the second fits a curve for each label
LEFT_OUT = 1e-6  # of the variance over resamples: the mean of all bins varies far less than one of them
BAND = 3.0
ROWS = 500
SCORES = 5  # the best so many classes are kept of an answer
LIMITS = (
    "It assumes that labels still mean the same: concept drift isn't detected.",
    "It assumes texts like those evaluated: if many are unlike them, nothing is estimated.",
    "It relies on confidences calibrated on the evaluation; the band reflects how many rows that had.",
    f"With fewer than {ROWS} predictions or evaluation rows, the band is wide.",
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An expected share with its band of three standard errors, 0 to 1."""

    value: float
    low: float
    high: float


# ── Isotonic calibration ────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Curve:
    """A calibration: the share of right answers (y) at each confidence (x, rising), straight in between, flat
    beyond the ends.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, confidence: Floats) -> Floats:
        """Calibrated confidences, 0 to 1."""
        return np.interp(confidence, self.x, self.y)


def isotonic(confidence: Floats, right: NDArray[Any], weight: NDArray[Any]) -> Curve:
    """The rising curve with the smallest squared error, weighted; equal confidences are one point. Weights
    are positive.
    """
    x, place = np.unique(confidence, return_inverse=True)
    heavy = np.bincount(place, weights=weight)
    mean = np.bincount(place, weights=weight * right) / heavy
    y = scipy.optimize.isotonic_regression(mean, weights=heavy).x
    kept = corners(y)
    return Curve(tuple(x[kept].tolist()), tuple(y[kept].tolist()))


def corners(y: Floats) -> Ints:
    """The points at which a curve bends: the first and last of each level."""
    changes = np.flatnonzero(np.diff(y))
    return np.unique(np.concatenate([[0], changes, changes + 1, [len(y) - 1]])).astype(np.int64)


def levelled(confidence: Floats, right: NDArray[Any], weight: NDArray[Any]) -> Curve:
    """A straight line whose mean is the share that was right: confidences shrunk towards 0 where they
    promised too much, else towards 1.
    """
    promised, held = (float(np.average(each, weights=weight)) for each in (confidence, right))
    return Curve(
        (0.0, 1.0),
        (
            (0.0, held / promised)
            if held < promised
            else (1 - (1 - held) / (1 - promised) if promised < 1 else 0.0, 1.0)
        ),
    )


def calibrated(confidence: Floats, right: NDArray[Any], weight: NDArray[Any] | None = None) -> Curve:
    """The isotonic curve; with fewer than ten rows right, or wrong, the line that is `levelled`. Their mean
    over the rows is what held.

    weight: how often each row counts, such as in a resample; None: once.
    """
    if weight is None:
        weight = np.ones(len(confidence))
    held = weight > 0
    confidence, right, weight = confidence[held], np.asarray(right, dtype=np.float64)[held], weight[held]
    hits = float(weight @ right)
    fit = isotonic if LEAST <= hits <= float(weight.sum()) - LEAST else levelled
    return fit(confidence, right, weight)


def over_resamples(
    figures: Callable[[Floats], Floats], rows: int, count: int = RESAMPLES, clusters: Ints | None = None
) -> Floats:
    """The figures (K,) of so many resamples, each a row; figures: computed with so many of each of the `rows`
    rows, in their order.

    clusters: number of each row's cluster (rows,), whole ones are drawn; None: rows are independent.
    """
    return np.stack(
        [figures(weight) for block in bootstrap.resamples(rows, count, SEED, clusters) for weight in block]
    )


def wider(clusters: int) -> float:
    """How many times as far as resamples of so few clusters show their figures vary: they show (G − 1) / G of
    the variance, with as many degrees of freedom as G − 1. Two clusters or more.
    """
    return clustered.quantile(clusters - 1, BAND) / BAND * math.sqrt(clusters / (clusters - 1))


def factor(resampled: Floats) -> Floats:
    """Few rows F (R, K) of many resamples of K figures: the variance of any sum a of them is that of F a, |F
    a|², but for a millionth.
    """
    _, sizes, directions = np.linalg.svd(
        (resampled - resampled.mean(axis=0)) / math.sqrt(len(resampled) - 1), full_matrices=False
    )
    left = np.append(np.cumsum((sizes**2)[::-1])[::-1], 0.0)  # the variance without the first few
    count = int((left > LEFT_OUT * left[0]).sum())
    found: Floats = sizes[:count, None] * directions[:count]
    return found


# ── Estimates ───────────────────────────────────────────────────────────────
def accuracy(expected: Floats, weight: Floats, errors: Floats, rows: float, effect: float = 1.0) -> Estimate:
    """Expected accuracy of a window. expected: calibrated confidence of each bin (B,); weight: the window's
    answers in it.

    errors: of the expected values, as `factor` gives them (R, B). rows: of the reference, their effective
    number if they were independent. effect: design effect of the window's senders.
    """
    answers = math.fsum(weight)
    share = weight / answers
    value = math.fsum(expected * share)
    return banded(
        value, math.hypot(of_share(value, rows) * math.sqrt(effect / answers), error(errors, share))
    )


def of_share(value: float, rows: float) -> float:
    """The deviation of one row's rightness; also where nearly all are right, with two right and two wrong
    more (Agresti and Coull 1998).
    """
    shrunk = (value * rows + 2) / (rows + 4)
    return math.sqrt(shrunk * (1 - shrunk))


def error(errors: Floats, sum_of: Floats) -> float:
    """The standard error of a sum of figures, as `factor` kept them."""
    return math.sqrt(math.fsum((errors @ sum_of) ** 2))


def macro_f1(predicted: Ints, probabilities: Floats, weight: Floats | None = None) -> float:
    """Expected macro-F1 from one-versus-rest counts. predicted: (N,); probabilities: calibrated (N, C), rows
    summing to 1.

    weight: how often each row counts; None: once. Classes neither predicted nor expected in a whole row are
    left out, as they are where the truth is known.
    """
    weight, classes = np.ones(len(predicted)) if weight is None else weight, probabilities.shape[1]
    hit = np.bincount(
        predicted, weights=weight * probabilities[np.arange(len(predicted)), predicted], minlength=classes
    )
    counted = np.bincount(predicted, weights=weight, minlength=classes) + weight @ probabilities
    held = counted >= 1
    # the same in whatever order the rows come
    return round(float((2 * hit[held] / counted[held]).mean()), 12) if held.any() else 0.0


def mean(values: Floats) -> float:
    """The mean, rounded as a sum once: the same to the last bit in whatever order the values come."""
    return math.fsum(values) / len(values)


def banded(value: float, error: float) -> Estimate:
    """A share with three standard errors to each side."""
    return Estimate(value, max(0.0, value - BAND * error), min(1.0, value + BAND * error))


def renormalised(curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """Probabilities (N, C) calibrated class by class, then scaled to sum to 1; a row that would sum to 0
    stays as it was.
    """
    columns = [curve(probabilities[:, at]) for at, curve in enumerate(curves)]
    made = np.stack(columns, axis=1)
    total = made.sum(axis=1, keepdims=True)
    scaled: Floats = np.where(total > 0, made / np.where(total > 0, total, 1.0), probabilities)
    return scaled


def spread_over(rows_of_one: Floats) -> float:
    """The standard deviation of one row's value."""
    middle = mean(rows_of_one)
    return math.sqrt(mean((rows_of_one - middle) ** 2))


def f1_of(truth: Ints, predicted: Ints, classes: int, weight: Floats | None = None) -> float:
    """Macro-F1 over the classes that are there or were answered. weight: how often each row counts; None:
    once.
    """
    weight = np.ones(len(truth)) if weight is None else weight
    hit = np.bincount(truth, weights=weight * (truth == predicted), minlength=classes)
    counted = np.bincount(truth, weights=weight, minlength=classes) + np.bincount(
        predicted, weights=weight, minlength=classes
    )
    held = counted > 0
    return float((2 * hit[held] / counted[held]).mean())


# ── Probabilities from what is kept of an answer ────────────────────────────
def spread_out(scores: Sequence[Mapping[str, Any]], place: Mapping[str, int]) -> Floats:
    """The probabilities of all classes from the best few that were kept; what is left is shared evenly by the
    others. (C,).

    scores: [{"label", "score"}]; place: label → column. Labels that are not there are left out.
    """
    row = np.full(len(place), -1.0)
    for each in scores:
        if (at := place.get(str(each["label"]))) is not None:
            row[at] = float(each["score"])
    return shared(row[None])[0]


def best_few(probabilities: Floats) -> Floats:
    """Probabilities (N, C) as `spread_out` would find them in what is kept of an answer."""
    if probabilities.shape[1] <= SCORES:
        return probabilities
    kept = np.argsort(-probabilities, axis=1, kind="stable")[:, :SCORES]
    rows = np.full_like(probabilities, -1.0)
    np.put_along_axis(rows, kept, np.take_along_axis(probabilities, kept, axis=1), axis=1)
    return shared(rows)


def shared(rows: Floats) -> Floats:
    """What probabilities (N, C) lack of 1 is shared evenly by those that are not known (below 0)."""
    known = rows >= 0
    left = np.maximum(0.0, 1.0 - np.where(known, rows, 0.0).sum(axis=1)) / np.maximum(1, (~known).sum(axis=1))
    filled: Floats = np.where(known, rows, left[:, None])
    return filled
