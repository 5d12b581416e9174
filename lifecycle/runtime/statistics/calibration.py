"""Calibration of confidence: reliability bins, ECE and its debiased form, temperature. numpy and scipy.

Confidence is the probability of the prediction. Bins are equally wide and closed on the right: of fifteen,
1.0 is in the last and 0.2 in the third.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import clustered

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_IN_BIN = 20  # rows below which a bin's gap is mostly chance
THRESHOLD_ROWS = 20  # of a class, below which its threshold would be mostly chance
CHANCES = 1_000  # draws of `by_chance`
GOLDEN = (math.sqrt(5) - 1) / 2
ERF = np.vectorize(math.erf, otypes=[np.float64])


def softmax(logits: NDArray[Any], temperature: float = 1.0) -> Floats:
    """Probabilities of logits (N, C) divided by the temperature."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exponent = np.exp(scaled)
    probabilities: Floats = exponent / exponent.sum(axis=1, keepdims=True)
    return probabilities


def untempered(probabilities: NDArray[Any], temperature: float) -> Floats:
    """Probabilities (N, C) as they were before their logits were divided by the temperature. A probability of
    0 stays virtually 0.
    """
    return softmax(np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), 1e-300)), 1 / temperature)


def log_loss_rows(probabilities: Floats, truth: Ints) -> Floats:
    """Minus the log of each row's true-label probability, in nats (N,)."""
    picked = np.asarray(probabilities, dtype=np.float64)[np.arange(len(truth)), truth]
    return -np.log(np.clip(picked, 1e-15, 1.0))


def sigmoid(logits: NDArray[Any], temperature: float = 1.0) -> Floats:
    """Independent probabilities of each class, of logits (N, C) divided by the temperature."""
    probabilities: Floats = np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64) / temperature))
    return probabilities


def decision_loss_rows(probabilities: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Binary cross-entropy, mean over the classes of a row, in nats (N,). Both (N, C)."""
    right = np.where(truth, probabilities, 1 - np.asarray(probabilities, dtype=np.float64))
    rows: Floats = -np.log(np.clip(right, 1e-15, 1.0)).mean(axis=1)
    return rows


def smoothed_loss_rows(probabilities: Floats, truth: Ints) -> Floats:
    """`log_loss_rows` against targets smoothed by one wrong row and one right row more than observed (N,).

    The true label has (N + 1) / (N + 2), the others share the rest (J. Platt 1999, "Probabilistic outputs for
    support vector machines", section 2.2): with targets of 1, rows that are all right would drive the
    confidence to 1.
    """
    rows, labels = np.asarray(probabilities).shape
    logs = np.log(np.clip(probabilities, 1e-15, 1.0))
    true, every = logs[np.arange(rows), truth], logs.sum(axis=1)
    left = 1 / (rows + 2)
    smoothed: Floats = -(1 - left) * true - left * (every - true) / max(1, labels - 1)
    return smoothed


def smoothed_decision_loss_rows(probabilities: Floats, truth: NDArray[np.bool_]) -> Floats:
    """As `smoothed_loss_rows`, for the independent classes of `decision_loss_rows`. Both (N, C)."""
    left = 1 / (len(truth) + 2)
    smoothed: Floats = (1 - left) * decision_loss_rows(probabilities, truth) + left * decision_loss_rows(
        probabilities, ~truth
    )
    return smoothed


def fit_temperature(
    logits: NDArray[Any],
    truth: NDArray[Any],
    low: float = 0.05,
    high: float = 20.0,
    *,
    decode: Callable[[NDArray[Any], float], Floats] = softmax,
    loss_rows: Callable[[Floats, NDArray[Any]], Floats] = smoothed_loss_rows,
) -> float:
    """The temperature above 0 that minimises the loss, by golden section over its logarithm; 1.0 where no
    temperature changes the loss: without rows, or where all logits of each row are equal.
    """

    def loss(exponent: float) -> float:
        return float(loss_rows(decode(logits, math.exp(exponent)), truth).mean())

    if len(truth) == 0 or loss(math.log(low)) == loss(math.log(high)) == loss(0.0):
        return 1.0

    left, right = math.log(low), math.log(high)
    one, two = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
    loss_one, loss_two = loss(one), loss(two)
    while right - left > 1e-4:
        if loss_one < loss_two:
            right, two, loss_two = two, one, loss_one
            one = right - GOLDEN * (right - left)
            loss_one = loss(one)
        else:
            left, one, loss_one = one, two, loss_two
            two = left + GOLDEN * (right - left)
            loss_two = loss(two)
    return math.exp((left + right) / 2)


def choose_thresholds(
    probabilities: Floats, truth: NDArray[np.bool_], minimum: int = THRESHOLD_ROWS
) -> tuple[float, ...]:
    """For each class the threshold of the best F1 on these rows (N, C); 0.5 where fewer than `minimum` rows
    have the class.
    """
    return tuple(
        best_threshold(probabilities[:, at], truth[:, at]) if truth[:, at].sum() >= minimum else 0.5
        for at in range(truth.shape[1])
    )


def best_threshold(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """The threshold on scores (N,) with the best F1; of equally good ones the nearest to 0.5."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    below = np.append(ranked[1:], 0.0)
    between = (ranked + below) / 2
    cuts = np.where(between > below, between, ranked)
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + hits[-1])
    possible = np.append(ranked[:-1] != ranked[1:], True)  # equal scores are on the same side
    best = cuts[possible & (f1 >= f1[possible].max() - 1e-12)]
    return float(best[np.argmin(np.abs(best - 0.5))])


def bin_of(confidence: Floats, bins: int) -> Ints:
    """Index of each confidence's bin (N,), 0 to bins - 1; an edge belongs to the bin on its left."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1).astype(np.int64)


def reliability(
    confidence: Floats, correct: NDArray[Any], bins: int = 15, clusters: Ints | None = None
) -> list[dict[str, Any]]:
    """One entry per bin: from, to, count, mean confidence, accuracy with its Wilson interval; None where the
    bin is empty. clusters: number of each prediction's cluster (N,), for the interval of `clustered.share`;
    None: predictions are independent.
    """
    number, right = bin_of(confidence, bins), np.asarray(correct, dtype=np.float64)
    codes = np.arange(len(number)) if clusters is None else clusters
    entries = []
    for each in range(bins):
        inside = number == each
        count = int(inside.sum())
        share = clustered.share(clustered.by_cluster(right[inside], codes[inside]))
        entries.append(
            {
                "from": each / bins,
                "to": (each + 1) / bins,
                "count": count,
                "confidence": float(confidence[inside].mean()) if count else None,
                "accuracy": share.value if count else None,
                "low": share.low if count else None,
                "high": share.high if count else None,
            }
        )
    return entries


@dataclass(frozen=True, slots=True)
class Binned:
    """Predictions in bins of confidence, (bins,) each. counts: predictions; right: correct ones (a half for
    ties); sums: of confidences.
    """

    counts: Floats
    right: Floats
    sums: Floats

    @property
    def ece(self) -> float:
        """Expected calibration error: mean over predictions of |accuracy - confidence| of their bin."""
        return float(np.abs(self.right - self.sums).sum() / max(self.counts.sum(), 1))

    def debiased(self, effect: float = 1.0) -> float:
        """ECE without its upward bias (about the root of bins / rows); at least 0. effect: as for
        `by_chance`.
        """
        held = np.maximum(self.counts, 1)
        return debiased(self.right / held, self.sums / held, self.counts, effect)

    @property
    def largest_gap(self) -> float | None:
        """The largest |accuracy - confidence| of a bin with at least LEAST_IN_BIN predictions; None without
        one.

        This isn't the maximum calibration error, which takes every bin: it may be below the ECE, to which
        small bins contribute.
        """
        large = self.counts >= LEAST_IN_BIN
        return (
            float((np.abs(self.right - self.sums)[large] / self.counts[large]).max()) if large.any() else None
        )


def binned(confidence: Floats, correct: NDArray[Any], bins: int = 15) -> Binned:
    """Bins of predictions with these confidences (N,). correct: 1 where right (N,)."""
    number = bin_of(confidence, bins)
    counts, right, sums = (
        np.bincount(number, weights=each, minlength=bins).astype(np.float64)
        for each in (None, np.asarray(correct, np.float64), confidence)
    )
    return Binned(counts, right, sums)


def ece(confidence: Floats, correct: NDArray[Any], bins: int = 15) -> float:
    """Expected calibration error, see `Binned.ece`."""
    return binned(confidence, correct, bins).ece


def debiased(accuracy: Floats, confidence: Floats, counts: Floats, effect: float = 1.0) -> float:
    """2 ECE - E[ECE] with each bin's accuracy normal around the observed one (Kumar et al. 2019, p = 1), of
    bins (bins,); at least 0. effect: as for `by_chance`, at most a bin's rows.
    """
    rows = np.maximum(counts / effect, 1)
    gaps, spread = accuracy - confidence, np.sqrt(accuracy * (1 - accuracy) / rows)
    ratio = np.divide(gaps, spread, out=np.zeros_like(gaps), where=spread > 0)
    folded = spread * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2) + gaps * ERF(ratio / math.sqrt(2))
    expected = np.where(spread > 0, folded, np.abs(gaps))
    return max(0.0, float(((2 * np.abs(gaps) - expected) * counts).sum() / max(counts.sum(), 1)))


def by_chance(found: Binned, *, count: int = CHANCES, seed: int = 1, effect: float = 1.0) -> Floats:
    """ECE of a perfectly calibrated model on as many rows with the same confidences: `count` draws. effect:
    design effect, the variance of a share divided by that of independent rows.

    Consistency resampling (Bröcker and Smith, "Increasing the reliability of reliability diagrams", Weather
    and Forecasting 22(3), 2007): correct predictions of a bin are drawn with its mean confidence, which
    varies slightly more than drawing each row with its own.
    """
    means = np.divide(found.sums, found.counts, out=np.zeros_like(found.sums), where=found.counts > 0)
    right = np.random.default_rng(seed).binomial(
        found.counts.astype(np.int64), np.clip(means, 0.0, 1.0), size=(count, len(means))
    )
    drawn: Floats = math.sqrt(effect) * np.abs(right - found.sums).sum(axis=1) / max(found.counts.sum(), 1)
    return drawn


def ece_interval(
    found: Binned, resampled: Floats, *, seed: int = 1, effect: float = 1.0
) -> tuple[float, float]:
    """95 % interval of a calibration error, around its debiased value. resampled: ECE of resampled rows (B,).
    effect: as for `by_chance`; for rows in clusters, the design effect if all rows of a cluster are alike.

    Resampling adds the upward bias of an ECE a second time, so that its percentiles exclude the 0 of a
    perfectly calibrated model. The lower end subtracts the 97.5 % quantile of the ECE by chance, so it is 0
    unless perfect calibration is refuted; the upper end doesn't.
    """
    low = max(0.0, found.ece - float(np.quantile(by_chance(found, seed=seed, effect=effect), 0.975)))
    value = found.debiased(effect)
    return min(low, value), max(float(np.nanquantile(resampled, 0.975)), value)
