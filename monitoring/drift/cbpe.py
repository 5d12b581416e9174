"""How often the answers are right, estimated without knowing the truth: confidence-based performance estimation (NannyML's CBPE). Pure.

Confidences are calibrated on the reference by isotonic regression, never on training rows; the mean of calibrated confidences is the
expected accuracy. It cannot see that the same text now has another right answer, so LIMITS stand beside every estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.statistics.calibration import ece
from lifecycle.statistics.intervals import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPLITS, HELD_OUT, SEED = 10, 0.1, 42
RESAMPLES = 200
BAND = 3.0
ROWS = 500
CLEAR_AUC = 0.999
LIMITS = (
    "It assumes that a text still means what it meant: a label whose meaning moved is not seen.",
    "It assumes texts of the kind that was evaluated: where many lie outside, nothing is estimated.",
    "It believes confidences as they were calibrated on the reference.",
    f"Below {ROWS} answers the band is wide.",
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
    """A calibration: the share of right answers (y) at each confidence (x, rising), straight in between, flat beyond the ends."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, confidence: Floats) -> Floats:
        """Calibrated confidences, 0 to 1."""
        return np.interp(confidence, self.x, self.y)


IDENTITY = Curve((0.0, 1.0), (0.0, 1.0))


def isotonic(confidence: Floats, right: NDArray[Any]) -> Curve:
    """The rising curve with the smallest squared error, by pooling adjacent violators; equal confidences are one point."""
    x, place = np.unique(confidence, return_inverse=True)
    weight = np.bincount(place).astype(np.float64)
    mean = np.bincount(place, weights=np.asarray(right, dtype=np.float64)) / weight
    blocks: list[list[float]] = []  # mean, weight, points
    for each, heavy in zip(mean, weight, strict=True):
        blocks.append([float(each), float(heavy), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            last = blocks.pop()
            before = blocks[-1]
            total = before[1] + last[1]
            blocks[-1] = [(before[0] * before[1] + last[0] * last[1]) / total, total, before[2] + last[2]]
    y = np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])
    kept = corners(y)
    return Curve(tuple(x[kept].tolist()), tuple(y[kept].tolist()))


def corners(y: Floats) -> Ints:
    """The points at which a curve bends: the first and last of each level."""
    changes = np.flatnonzero(np.diff(y))
    return np.unique(np.concatenate([[0], changes, changes + 1, [len(y) - 1]])).astype(np.int64)


def calibrated(confidence: Floats, right: NDArray[Any]) -> Curve:
    """The isotonic curve where it lowers the cross-validated ECE, else the confidences as they are.

    Ten stratified shuffles that hold a tenth out, as NannyML does. Not tried with one class, with fewer than ten rows of either, or where
    confidence alone tells right from wrong nearly perfectly.
    """
    order = np.lexsort((right, confidence))  # what is drawn by chance below must not hang on the order of the rows
    confidence, truth = confidence[order], np.asarray(right, dtype=np.int64)[order]
    smaller = min(int(truth.sum()), int((1 - truth).sum()))
    if smaller < SPLITS or separation(confidence, truth) > CLEAR_AUC:
        return IDENTITY
    before, after = [], []
    for seen, held_out in shuffles(truth):
        curve = isotonic(confidence[seen], truth[seen])
        before.append(ece(confidence[held_out], truth[held_out]))
        after.append(ece(curve(confidence[held_out]), truth[held_out]))
    return isotonic(confidence, truth) if np.mean(after) < np.mean(before) else IDENTITY


def shuffles(truth: Ints) -> list[tuple[Ints, Ints]]:
    """(rows to learn from, rows held out), SPLITS times: a tenth of each class is held out, one row at least."""
    random = np.random.default_rng(SEED)
    made = []
    for _ in range(SPLITS):
        held = [random.permutation(rows)[: max(1, round(HELD_OUT * len(rows)))] for rows in (np.flatnonzero(truth == k) for k in (0, 1))]
        out = np.sort(np.concatenate(held))
        made.append((np.setdiff1d(np.arange(len(truth)), out), out))
    return made


def separation(confidence: Floats, truth: Ints) -> float:
    """The area under the ROC curve of confidence as a sign of being right."""
    from_below = np.searchsorted(np.sort(confidence[truth == 0]), confidence[truth == 1], side="left")
    to_above = np.searchsorted(np.sort(confidence[truth == 0]), confidence[truth == 1], side="right")
    return float((from_below + to_above).sum() / 2 / ((truth == 0).sum() * (truth == 1).sum()))


# ── Estimates ───────────────────────────────────────────────────────────────
def accuracy(calibrated_confidence: Floats, weight: Floats, spread: float) -> Estimate:
    """Expected accuracy of rows with these calibrated confidences. weight: rows each; spread: deviation of one reference row."""
    rows = math.fsum(weight)
    return banded(math.fsum(calibrated_confidence * weight) / rows, spread / math.sqrt(rows))


def macro_f1(predicted: Ints, probabilities: Floats, spread: float) -> Estimate:
    """Expected macro-F1 from one-versus-rest counts. predicted: (N,); probabilities: calibrated (N, C), rows summing to 1.

    spread: deviation of macro-F1 over resamples of the reference, times the root of its rows. Classes neither predicted nor expected in
    a whole row are left out, as they are where the truth is known.
    """
    own = np.eye(probabilities.shape[1])[predicted]
    hit = summed(probabilities * own)
    false_positive, false_negative = own.sum(axis=0) - hit, summed(probabilities * (1 - own))
    counted = 2 * hit + false_positive + false_negative
    held = counted >= 1
    value = float((2 * hit[held] / counted[held]).mean()) if held.any() else 0.0
    return banded(value, spread / math.sqrt(len(predicted)))


def summed(rows: Floats) -> Floats:
    """The sum of each column, rounded once: the same to the last bit in whatever order the rows come. rows: (N, C)."""
    return np.array([math.fsum(column) for column in rows.T])


def mean(values: Floats) -> float:
    """The mean, rounded as a sum once: the same to the last bit in whatever order the values come."""
    return math.fsum(values) / len(values)


def banded(value: float, error: float) -> Estimate:
    """A share with three standard errors to each side."""
    return Estimate(value, max(0.0, value - BAND * error), min(1.0, value + BAND * error))


def renormalised(curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """Probabilities (N, C) calibrated class by class, then scaled to sum to 1; a row that would sum to 0 stays as it was."""
    columns = [curve(probabilities[:, at]) for at, curve in enumerate(curves)]
    made = np.stack(columns, axis=1)
    total = made.sum(axis=1, keepdims=True)
    scaled: Floats = np.where(total > 0, made / np.where(total > 0, total, 1.0), probabilities)
    return scaled


def spread_over(rows_of_one: Floats) -> float:
    """The standard deviation of one row's value."""
    middle = mean(rows_of_one)
    return math.sqrt(mean((rows_of_one - middle) ** 2))


def f1_spread(truth: Ints, predicted: Ints, classes: int) -> float:
    """The deviation of macro-F1 over resamples of the rows, times the root of their number; the order of the rows does not matter."""
    order = np.lexsort((predicted, truth))
    truth, predicted = truth[order], predicted[order]
    random = np.random.default_rng(SEED)
    found = []
    for _ in range(RESAMPLES):
        rows = random.integers(len(truth), size=len(truth))
        found.append(f1_of(truth[rows], predicted[rows], classes))
    return float(np.std(found) * math.sqrt(len(truth)))


def f1_of(truth: Ints, predicted: Ints, classes: int) -> float:
    """Macro-F1 over the classes that are there or were answered."""
    hit = np.bincount(truth[truth == predicted], minlength=classes).astype(np.float64)
    counted = np.bincount(truth, minlength=classes) + np.bincount(predicted, minlength=classes)
    held = counted > 0
    return float((2 * hit[held] / counted[held]).mean())


def realised(right: int, wrong: int) -> dict[str, Any] | None:
    """The share of answers that people or truth called right, with its 95 % Wilson interval; None where nothing was said."""
    if not right + wrong:
        return None
    low, high = wilson(right, right + wrong)
    return {"value": right / (right + wrong), "low": low, "high": high, "rows": right + wrong}


# ── Probabilities from what is kept of an answer ────────────────────────────
def spread_out(scores: Sequence[Mapping[str, Any]], place: Mapping[str, int]) -> Floats:
    """The probabilities of all classes from the best few that were kept; what is left is shared evenly by the others. (C,).

    scores: [{"label", "score"}]; place: label → column. Labels that are not there are left out.
    """
    row = np.full(len(place), -1.0)
    for each in scores:
        if (at := place.get(str(each["label"]))) is not None:
            row[at] = float(each["score"])
    known = row >= 0
    left = max(0.0, 1.0 - float(row[known].sum()))
    row[~known] = left / max(1, int((~known).sum()))
    return row
