"""Scores of a classifier from its probabilities, their bootstrap intervals, and the paired comparison of two models. numpy only.

Macro means go over the labels that occur in truth or predictions, as scikit-learn does; a label without predictions has precision 0.
Intervals are 95 % percentile intervals over resampled rows. All resampling is by one seeded generator, so equal input gives equal output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.engine import calibration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES = 1000
BLOCK_CELLS = 4_000_000
METRICS = ("accuracy", "macro_f1", "weighted_f1", "macro_precision", "macro_recall", "log_loss", "brier", "ece")
COMPARED = ("accuracy", "macro_f1", "log_loss", "brier", "ece")
LOWER_IS_BETTER = ("log_loss", "brier", "ece")


@dataclass(frozen=True)
class Scored:
    """Rows ready to be counted: all arrays have N rows; classes is the number of labels."""

    truth: Ints
    predicted: Ints
    confidence: Floats
    loss: Floats
    brier: Floats
    classes: int
    bins: int

    @property
    def correct(self) -> Floats:
        """1.0 where the prediction is right (N,)."""
        right: Floats = (self.truth == self.predicted).astype(np.float64)
        return right


def score_rows(probabilities: NDArray[Any], truth: NDArray[Any], bins: int = 15) -> Scored:
    """Per-row quantities of probabilities (N, C) and true label numbers (N,)."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(truth, dtype=np.int64)
    if probabilities.ndim != 2 or len(probabilities) != len(truth) or len(truth) == 0:
        raise ValueError(f"Scores need probabilities (N, C) and N true labels, N > 0; got {probabilities.shape} and {truth.shape}.")
    picked = probabilities[np.arange(len(truth)), truth]
    return Scored(
        truth=truth,
        predicted=probabilities.argmax(axis=1).astype(np.int64),
        confidence=probabilities.max(axis=1),
        loss=calibration.log_loss_rows(probabilities, truth),
        brier=(probabilities**2).sum(axis=1) - 2 * picked + 1,
        classes=probabilities.shape[1],
        bins=bins,
    )


def aggregate(rows: Scored, weights: Floats) -> dict[str, Floats]:
    """METRICS of each weighting of the rows. weights: (B, N), how often each row counts. Returns (B,) arrays."""
    total = weights.sum(axis=1)
    hit = weights * rows.correct
    tp = _by_group(hit, rows.truth, rows.classes)  # (B, C)
    support = _by_group(weights, rows.truth, rows.classes)
    called = _by_group(weights, rows.predicted, rows.classes)
    precision, recall = _ratio(tp, called), _ratio(tp, support)
    f1 = _ratio(2 * tp, support + called)
    present = (support + called) > 0
    bin_number = calibration.bin_of(rows.confidence, rows.bins)
    gap = np.abs(_by_group(weights * (rows.correct - rows.confidence), bin_number, rows.bins))
    shown = present.sum(axis=1)
    return {
        "accuracy": hit.sum(axis=1) / total,
        "macro_f1": (f1 * present).sum(axis=1) / shown,
        "weighted_f1": (f1 * support).sum(axis=1) / total,
        "macro_precision": (precision * present).sum(axis=1) / shown,
        "macro_recall": (recall * present).sum(axis=1) / shown,
        "log_loss": weights @ rows.loss / total,
        "brier": weights @ rows.brier / total,
        "ece": gap.sum(axis=1) / total,
    }


def _by_group(values: Floats, group: Ints, groups: int) -> Floats:
    """Sums of values (B, N) over rows of the same group: (B, groups)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    sums = np.zeros((len(values), groups))
    held = np.append(starts[1:], len(group)) > starts
    if held.any():
        sums[:, held] = np.add.reduceat(values[:, order], starts[held], axis=1)
    return sums


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def resamples(rows: int, count: int, seed: int) -> Iterator[Floats]:
    """Blocks (b, rows) of row counts of bootstrap samples, `count` samples in all; the same for the same arguments."""
    random = np.random.default_rng(seed)
    block = max(1, BLOCK_CELLS // max(rows, 1))
    for start in range(0, count, block):
        size = min(block, count - start)
        drawn = random.integers(0, rows, size=(size, rows))
        drawn += np.arange(size)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def point_estimates(rows: Scored) -> dict[str, float]:
    """METRICS over all rows, each counted once."""
    return {name: float(value[0]) for name, value in aggregate(rows, np.ones((1, len(rows.truth)))).items()}


def bootstrap(rows: Scored, count: int = RESAMPLES, seed: int = 1) -> dict[str, tuple[float, float]]:
    """95 % interval of each of METRICS, and of ece_debiased and mce; empty when count is 0."""
    if count == 0:
        return {}
    samples: dict[str, list[Floats]] = {}
    for weights in resamples(len(rows.truth), count, seed):
        extra = _calibration_extras(rows, weights)
        for name, values in (aggregate(rows, weights) | extra).items():
            samples.setdefault(name, []).append(values)
    return {name: _interval(np.concatenate(values)) for name, values in samples.items()}


def _calibration_extras(rows: Scored, weights: Floats) -> dict[str, Floats]:
    """ece_debiased and mce of each weighting (B,); mce is NaN where no bin holds enough rows."""
    number = calibration.bin_of(rows.confidence, rows.bins)
    counts = _by_group(weights, number, rows.bins)
    accuracy = _ratio(_by_group(weights * rows.correct, number, rows.bins), counts)
    gap = accuracy - _ratio(_by_group(weights * rows.confidence, number, rows.bins), counts)
    large = counts >= calibration.MCE_MINIMUM
    widest = np.where(large.any(axis=1), np.where(large, np.abs(gap), 0.0).max(axis=1), np.nan)
    return {"ece_debiased": calibration.debiased(gap, counts, accuracy), "mce": widest}


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.nanpercentile(values, (2.5, 97.5)) if not np.isnan(values).all() else (np.nan, np.nan)
    return float(low), float(high)


def per_class(rows: Scored, labels: Sequence[str]) -> list[dict[str, Any]]:
    """One entry a label: support, predicted, precision, recall, f1; a ratio without rows below it is 0."""
    counts = confusion(rows)
    tp, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return [
        {
            "label": label,
            "support": int(support[number]),
            "predicted": int(called[number]),
            "precision": float(tp[number] / called[number]) if called[number] else 0.0,
            "recall": float(tp[number] / support[number]) if support[number] else 0.0,
            "f1": float(2 * tp[number] / (support[number] + called[number])) if support[number] + called[number] else 0.0,
        }
        for number, label in enumerate(labels)
    ]


def confusion(rows: Scored) -> Ints:
    """Counts (C, C): row = true label, column = predicted."""
    flat = np.bincount(rows.truth * rows.classes + rows.predicted, minlength=rows.classes**2)
    return flat.reshape(rows.classes, rows.classes).astype(np.int64)


def report(
    probabilities: NDArray[Any], truth: NDArray[Any], labels: Sequence[str], *, bins: int = 15, count: int = RESAMPLES, seed: int = 1
) -> dict[str, Any]:
    """Everything an evaluation shows of one model: point values, intervals {name: {low, high}}, per_class, confusion, reliability."""
    rows = score_rows(probabilities, truth, bins)
    mce = calibration.mce(rows.confidence, rows.correct, bins)
    return {
        "rows": len(rows.truth),
        **point_estimates(rows),
        "ece_debiased": calibration.ece_debiased(rows.confidence, rows.correct, bins),
        "mce": mce,
        "intervals": {name: {"low": low, "high": high} for name, (low, high) in bootstrap(rows, count, seed).items()},
        "per_class": per_class(rows, labels),
        "confusion": {"labels": list(labels), "counts": confusion(rows).tolist()},
        "reliability": calibration.reliability(rows.confidence, rows.correct, bins),
    }


def paired(
    truth: NDArray[Any],
    baseline: NDArray[Any],
    candidate: NDArray[Any],
    *,
    count: int = RESAMPLES,
    seed: int = 1,
    bins: int = 15,
    labels: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """How much better the candidate is than the baseline on the same rows; right of zero is always better for the candidate.

    truth: label numbers (N,); baseline, candidate: probabilities (N, C). Returns for each of COMPARED: baseline, candidate, difference
    (signed so that positive is better), low, high (95 %, the same resampled rows for both), verdict better | worse | unclear. With labels
    also "per_class": {label: {...}} on F1 for labels with support. Raises ValueError when the shapes differ.
    """
    if np.shape(baseline) != np.shape(candidate):
        raise ValueError(f"Both models must answer the same rows with the same labels; got {np.shape(baseline)} and {np.shape(candidate)}.")
    one, two = score_rows(baseline, truth, bins), score_rows(candidate, truth, bins)
    points = point_estimates(one), point_estimates(two)
    drawn: dict[str, list[Floats]] = {name: [] for name in COMPARED}
    for weights in resamples(len(one.truth), count, seed):
        before, after = aggregate(one, weights), aggregate(two, weights)
        for name in COMPARED:
            drawn[name].append(_sign(name) * (after[name] - before[name]))
    return {
        name: _verdict(points[0][name], points[1][name], _sign(name), np.concatenate(drawn[name]) if drawn[name] else np.zeros(0))
        for name in COMPARED
    } | ({"per_class": paired_per_class(one, two, labels, count, seed)} if labels else {})


def _sign(name: str) -> float:
    return -1.0 if name in LOWER_IS_BETTER else 1.0


def _verdict(before: float, after: float, sign: float, differences: Floats) -> dict[str, Any]:
    low, high = _interval(differences) if len(differences) else (float("nan"), float("nan"))
    verdict = "better" if low > 0 else "worse" if high < 0 else "unclear"
    return {"baseline": before, "candidate": after, "difference": sign * (after - before), "low": low, "high": high, "verdict": verdict}


def paired_per_class(one: Scored, two: Scored, labels: Sequence[str], count: int, seed: int) -> dict[str, Any]:
    """F1 of each label with support under both models, and the interval of its difference."""
    f1 = _class_f1(one), _class_f1(two)
    drawn = np.concatenate([f1[1](weights) - f1[0](weights) for weights in resamples(len(one.truth), count, seed)])
    whole = np.ones((1, len(one.truth)))
    before, after = f1[0](whole)[0], f1[1](whole)[0]
    support = np.bincount(one.truth, minlength=one.classes)
    return {
        label: {**_verdict(float(before[number]), float(after[number]), 1.0, drawn[:, number]), "support": int(support[number])}
        for number, label in enumerate(labels)
        if support[number]
    }


def _class_f1(rows: Scored) -> Callable[[Floats], Floats]:
    def f1(weights: Floats) -> Floats:
        tp = _by_group(weights * rows.correct, rows.truth, rows.classes)
        return _ratio(2 * tp, _by_group(weights, rows.truth, rows.classes) + _by_group(weights, rows.predicted, rows.classes))

    return f1
