"""Estimate each item's label and each annotator's errors from annotations alone (Dawid and Skene, 1979)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

from datasets_app.quality.agreement.intervals import generator
from datasets_app.quality.agreement.units import FEWEST
from lifecycle.runtime.statistics.clustered import quantile
from lifecycle.runtime.statistics.intervals import Z95, Interval, wilson

Floats = NDArray[np.floating[Any]]
ROUNDS = 500
TOLERANCE = 1e-9  # relative gain in log-likelihood at which EM stops
DRAWS = 50  # bootstrap draws for the standard error of an accuracy: to within a tenth
SETTLED = 5e-4  # change of every accuracy at which EM on drawn items stops
REDRAWN_ROUNDS = 60
AT_ONCE = 1_000_000  # cells of posteriors or confusions of draws that are computed together
LEAST_SMOOTHING = 1e-6  # so that items missing from a draw have a positive likelihood in it


@dataclass(frozen=True, slots=True)
class Consensus:
    """The estimate from a set of annotations.

    posterior: (items, labels), each row sums to 1. confusion: (annotators, true labels, given labels), each
    row sums to 1, or to 0 if the annotator can't have seen that label. prior: (labels,). log_likelihoods: of
    each round, in nats, never decreasing.
    """

    items: list[Hashable]
    annotators: list[Hashable]
    labels: list[Hashable]
    posterior: Floats
    confusion: Floats
    prior: Floats
    log_likelihoods: list[float]
    given: scipy.sparse.csr_array
    smoothing: float

    def winners(self) -> dict[Hashable, Hashable]:
        """The most probable label of each item; among equals the first label."""
        return {
            item: self.labels[at] for item, at in zip(self.items, self.posterior.argmax(axis=1), strict=True)
        }

    def accuracy(self) -> dict[Hashable, float]:
        """The probability that an annotator gives an item's true label, by annotator, for the estimated label
        distribution.
        """
        right = accuracies(self.confusion, self.prior)
        return {annotator: float(share) for annotator, share in zip(self.annotators, right, strict=True)}

    def accuracy_intervals(self, draws: int = DRAWS) -> dict[Hashable, Interval]:
        """`accuracy` with 95 % intervals that account for the true labels being estimated.

        The items are resampled, with their annotations, `draws` times (Efron 1979), and EM restarts from the
        estimate. The variance gives the equivalent number of annotations of items with known labels, at most
        as many as were given; Wilson's interval at that number, with Student's quantile, also covers values
        near 1, where draws hardly differ. Degrees of freedom are annotations minus free cells of a confusion,
        labels × (labels - 1); annotators with fewer than 20 are left out. The result is deterministic.
        """
        answers = self.given.sum(axis=0).reshape(len(self.annotators), -1).sum(axis=1)
        cells = len(self.labels) * (len(self.labels) - 1)
        if answers.max() - cells < FEWEST:
            return {}
        variances = np.concatenate(list(self.redrawn(draws))).var(axis=0, ddof=1)
        found: dict[Hashable, Interval] = {}
        for (annotator, share), variance, count in zip(
            self.accuracy().items(), variances, answers, strict=True
        ):
            freedom = int(count) - cells
            if freedom >= FEWEST:
                rows = min(float(count), share * (1 - share) / variance) if variance > 0 else float(count)
                rows *= freedom / count * (Z95 / quantile(freedom)) ** 2
                found[annotator] = Interval(share, *wilson(share * rows, rows))
        return found

    def redrawn(self, draws: int) -> Iterator[Floats]:
        """The accuracies of all annotators on resampled items: (draws, annotators), some draws at a time."""
        given, start, counts = self.alike()
        items, labels = start.shape
        chance = generator(counts)
        most = max(1, AT_ONCE // (labels * max(items, len(self.annotators) * labels)))
        for done in range(0, draws, most):
            times = min(most, draws - done)
            weights = (
                chance.multinomial(int(counts.sum()), counts / counts.sum(), size=times)
                .T[:, :, None]
                .astype(float)
            )
            yield again(
                given, start[:, None, :], weights, self.confusion.shape, max(self.smoothing, LEAST_SMOOTHING)
            )

    def alike(self) -> tuple[scipy.sparse.csr_array, Floats, Floats]:
        """Group items with the same annotations: (annotations, posterior, number of items) of each group."""
        place: dict[tuple[bytes, bytes], int] = {}
        first, counts = list[int](), list[float]()
        ends = self.given.indptr
        for at in range(len(self.items)):
            some = slice(ends[at], ends[at + 1])
            row = self.given.indices[some].tobytes(), self.given.data[some].tobytes()
            if place.setdefault(row, len(first)) == len(first):
                first.append(at)
                counts.append(0.0)
            counts[place[row]] += 1
        return self.given[first], self.posterior[first], np.array(counts)


def dawid_skene(
    answers: Iterable[tuple[Hashable, Hashable, Hashable]],
    *,
    smoothing: float = 0.0,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
) -> Consensus:
    """Maximum likelihood by EM, starting from vote shares. answers: (item, annotator, label); annotators may
    repeat an item.

    smoothing: annotations added to every cell of a confusion; 0 is the method as published. Stops when the
    log-likelihood gains less than `tolerance` of itself, or after `rounds`. Raises ValueError without
    annotations.
    """
    rows = list(answers)
    if not rows:
        raise ValueError("No annotations to find a consensus in.")
    items, annotators, labels = (sorted({row[at] for row in rows}, key=order) for at in range(3))
    given = table(rows, items, annotators, labels)
    shape = (len(annotators), len(labels), len(labels))
    votes = np.zeros((len(items), len(labels)))
    for at in range(len(annotators)):
        votes += given[:, at * len(labels) : (at + 1) * len(labels)].toarray()
    posterior = votes / votes.sum(axis=1, keepdims=True)
    gained: list[float] = []
    for _ in range(rounds):
        prior, confusion = maximise(given, posterior, shape, smoothing)
        posterior, likelihood = expect(given, prior, confusion)
        gained.append(likelihood)
        if len(gained) > 1 and gained[-1] - gained[-2] <= tolerance * abs(gained[-1]):
            break
    return Consensus(items, annotators, labels, posterior, confusion, prior, gained, given, smoothing)


def accuracies(confusion: Floats, prior: Floats) -> Floats:
    """Accuracies (…, annotators) from confusions (…, annotators, labels, labels) and priors (…, labels)."""
    right: Floats = np.einsum("...all,...l->...a", confusion, prior)
    return right


def order(value: Hashable) -> tuple[str, Any]:
    """Sort key for values of several types: by type, then by value."""
    return type(value).__name__, value


def table(
    rows: list[tuple[Hashable, Hashable, Hashable]], items: Any, annotators: Any, labels: Any
) -> scipy.sparse.csr_array:
    """How often each annotator gave each label to each item: sparse (items, annotators × labels)."""
    at_item, at_person, at_label = (
        {value: at for at, value in enumerate(values)} for values in (items, annotators, labels)
    )
    places = [at_person[who] * len(labels) + at_label[label] for _, who, label in rows]
    shape = (len(items), len(annotators) * len(labels))
    found = scipy.sparse.csr_array(
        (np.ones(len(rows)), ([at_item[item] for item, _, _ in rows], places)), shape=shape
    )
    found.sum_duplicates()
    return found


def maximise(
    given: scipy.sparse.csr_array, posterior: Floats, shape: tuple[int, int, int], smoothing: float
) -> tuple[Floats, Floats]:
    """The prior and the confusions that fit these posteriors best (equations 2.3 and 2.4)."""
    # annotator, true label, given label
    counts = (given.T @ posterior).reshape(shape).transpose(0, 2, 1) + smoothing
    sums = counts.sum(axis=2, keepdims=True)
    return posterior.mean(axis=0), np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)


def expect(given: scipy.sparse.csr_array, prior: Floats, confusion: Floats) -> tuple[Floats, float]:
    """The posterior of each item under these parameters (equation 2.5), and the log-likelihood of all
    annotations.
    """
    with np.errstate(divide="ignore"):
        # annotator × given label, true label
        chances = np.log(confusion).transpose(0, 2, 1).reshape(-1, len(prior))
        joint = given @ chances + np.log(prior)
    whole = scipy.special.logsumexp(joint, axis=1, keepdims=True)
    return np.exp(joint - whole), float(whole.sum())


def again(
    given: scipy.sparse.csr_array, start: Floats, weights: Floats, shape: tuple[int, ...], smoothing: float
) -> Floats:
    """The accuracies (draws, annotators) by EM on weighted items, for all draws at once.

    given: (items, annotators × labels). start: posteriors (items, 1, labels). weights: (items, draws, 1).
    shape: of the confusion.
    """
    people, labels, _ = shape
    draws = weights.shape[1]
    posterior, before = start, np.full((draws, people), np.inf)
    for _ in range(REDRAWN_ROUNDS):
        counted = (posterior * weights).reshape(len(start), -1)
        # draw, person, true, given
        sums = (given.T @ counted).reshape(people, labels, draws, labels).transpose(2, 0, 3, 1) + smoothing
        confusion = sums / sums.sum(axis=3, keepdims=True)
        prior = counted.reshape(-1, draws, labels).sum(axis=0) / weights.sum(axis=0)
        right = accuracies(confusion, prior)
        if np.abs(right - before).max() < SETTLED:
            break
        before = right
        with np.errstate(divide="ignore"):
            chances = np.log(confusion).transpose(1, 3, 0, 2).reshape(people * labels, -1)
            joint = (given @ chances).reshape(-1, draws, labels) + np.log(prior)
        posterior = np.exp(joint - joint.max(axis=2, keepdims=True))
        posterior /= posterior.sum(axis=2, keepdims=True)
    return right
