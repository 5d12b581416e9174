"""The likely label of each item and how each annotator errs, both estimated from the answers alone (Dawid and Skene, 1979)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
ROUNDS = 500
TOLERANCE = 1e-9  # relative gain in log-likelihood at which EM stops


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the answers amount to.

    posterior: (items, labels), each row sums to 1. confusion: (annotators, true labels, given labels), each row sums to 1, or to 0 where
    the annotator cannot have met that label. prior: (labels,). log_likelihoods: of each round, in nats, never falling.
    """

    items: list[Hashable]
    annotators: list[Hashable]
    labels: list[Hashable]
    posterior: Floats
    confusion: Floats
    prior: Floats
    log_likelihoods: list[float]

    def winners(self) -> dict[Hashable, Hashable]:
        """The most probable label of each item; among equals the first label."""
        return {item: self.labels[at] for item, at in zip(self.items, self.posterior.argmax(axis=1), strict=True)}

    def accuracy(self) -> dict[Hashable, float]:
        """How probable it is that an annotator names the true label of an item of these labels' mixture."""
        right = (self.confusion.diagonal(axis1=1, axis2=2) * self.prior).sum(axis=1)
        return {annotator: float(share) for annotator, share in zip(self.annotators, right, strict=True)}


def dawid_skene(
    answers: Iterable[tuple[Hashable, Hashable, Hashable]], *, smoothing: float = 0.0, rounds: int = ROUNDS, tolerance: float = TOLERANCE
) -> Consensus:
    """Maximum likelihood by EM, begun from each item's share of votes. answers: (item, annotator, label); one may answer an item twice.

    smoothing: answers added to every cell of a confusion; 0 is the method as published. It stops when the log-likelihood gains less than
    `tolerance` of itself, or after `rounds`. Raises ValueError without answers.
    """
    rows = list(answers)
    if not rows:
        raise ValueError("There is no answer to find a consensus in.")
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
    return Consensus(items, annotators, labels, posterior, confusion, prior, gained)


def order(value: Hashable) -> tuple[str, Any]:
    """Sort values of one type as they are; keep types apart."""
    return type(value).__name__, value


def table(rows: list[tuple[Hashable, Hashable, Hashable]], items: Any, annotators: Any, labels: Any) -> scipy.sparse.csr_array:
    """How often each annotator gave each label to each item: sparse (items, annotators × labels)."""
    at_item, at_person, at_label = ({value: at for at, value in enumerate(values)} for values in (items, annotators, labels))
    places = [at_person[who] * len(labels) + at_label[label] for _, who, label in rows]
    shape = (len(items), len(annotators) * len(labels))
    return scipy.sparse.csr_array((np.ones(len(rows)), ([at_item[item] for item, _, _ in rows], places)), shape=shape)


def maximise(given: scipy.sparse.csr_array, posterior: Floats, shape: tuple[int, int, int], smoothing: float) -> tuple[Floats, Floats]:
    """The prior and the confusions that fit these posteriors best (equations 2.3 and 2.4)."""
    counts = (given.T @ posterior).reshape(shape).transpose(0, 2, 1) + smoothing  # annotator, true label, given label
    sums = counts.sum(axis=2, keepdims=True)
    return posterior.mean(axis=0), np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)


def expect(given: scipy.sparse.csr_array, prior: Floats, confusion: Floats) -> tuple[Floats, float]:
    """The posterior of each item under these parameters (equation 2.5), and the log-likelihood of all answers."""
    with np.errstate(divide="ignore"):
        chances = np.log(confusion).transpose(0, 2, 1).reshape(-1, len(prior))  # annotator × given label, true label
        joint = given @ chances + np.log(prior)
    whole = scipy.special.logsumexp(joint, axis=1, keepdims=True)
    return np.exp(joint - whole), float(whole.sum())
