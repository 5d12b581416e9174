"""One class a text where one has a threshold: from it on that class is the answer, below it the likeliest other is. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import operating
from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.statistics.operating import Outcome

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """index: number of a class; threshold: the probability (0 to 1) from which on it is the answer, however likely others are."""

    index: int
    threshold: float


@dataclass(frozen=True)
class Deciding:
    """What a threshold is chosen for, and what it does on validation.

    label: the class; by: "precision" or "recall" of it, at least target. threshold: of its calibrated probability; None before it is
    chosen, and where fewer than THRESHOLD_ROWS validation rows have the class, so that the likeliest class answers.
    hits: validation rows of the class that are given it; called: all rows that are given it; positives: all rows of the class.
    promised: other rows reach the target too, as `operating.promised`; false of runs from before there was a promise.
    """

    label: str
    by: str
    target: float
    threshold: float | None = None
    hits: int = 0
    called: int = 0
    positives: int = 0
    promised: bool = False

    @property
    def of(self) -> int:
        """The validation rows of which `hits` are the share that was asked for."""
        return self.called if self.by == "precision" else self.positives

    @property
    def reached(self) -> float | None:
        """The precision or recall on validation (0 to 1); None where there is no row to tell it by."""
        return self.hits / self.of if self.of else None

    @property
    def is_met(self) -> bool:
        """Whether validation has a threshold with what was asked for."""
        return self.threshold is not None and self.reached is not None and self.reached >= self.target

    def cut(self, labels: Sequence[str]) -> Cut | None:
        """The threshold among labels in this order; None where none was chosen, or the class is not among them."""
        return None if self.threshold is None or self.label not in labels else Cut(list(labels).index(self.label), self.threshold)


def decide(probabilities: NDArray[Any], cut: Cut | None = None) -> Ints:
    """The class of each row (N,): that of the cut where it reaches its threshold, else the likeliest other; without a cut the likeliest.

    probabilities: (N, C), C > 1.
    """
    found = np.asarray(probabilities, dtype=np.float64)
    if cut is None:
        return found.argmax(axis=1).astype(np.int64)
    others = found.copy()
    others[:, cut.index] = -np.inf
    return np.where(found[:, cut.index] >= cut.threshold, cut.index, others.argmax(axis=1)).astype(np.int64)


def confidence(probabilities: NDArray[Any], decided: Ints) -> Floats:
    """The probability of each row's answer (N,), which with a cut need not be the largest. decided: of `decide`."""
    chosen: Floats = np.asarray(probabilities, dtype=np.float64)[np.arange(len(decided)), decided]
    return chosen


def choose(wanted: Deciding, labels: Sequence[str], probabilities: Floats, truth: Ints, clusters: Ints | None = None) -> Deciding:
    """With the threshold for what is wanted on these rows, and what it does there. probabilities: (N, C), calibrated; truth: (N,);
    clusters: number of each row's cluster (N,), None where rows are independent.

    As `operating.choose_for` chooses it, among thresholds of which the target is promised where there are any: of recall the most precise;
    of precision the lowest one, or the most precise where none reaches it.
    """
    index = list(labels).index(wanted.label)
    scores, positive = probabilities[:, index], truth == index
    positives = int(positive.sum())
    if positives < THRESHOLD_ROWS:
        called = decide(probabilities) == index
        return replace(wanted, threshold=None, hits=int((called & positive).sum()), called=int(called.sum()), positives=positives)
    threshold, _, promised = operating.choose_one(wanted.by, wanted.target, scores, positive, clusters=clusters)
    found = operating.outcome(scores, positive, threshold, threshold)
    called = found.hit + found.false
    return replace(wanted, threshold=threshold, hits=found.hit, called=called, positives=positives, promised=promised)


def with_measured(deciding: Deciding, decided: Ints, truth: Ints, index: int, clusters: Ints | None = None) -> dict[str, Any]:
    """The choice with "measured": precision and recall of the class on other rows, each {"value", "low", "high"} with its 95 % Wilson
    interval, None where no row gives it. decided, truth: (N,); index: of the class; clusters: as of `choose`."""
    found = operating.outcome_of(truth == index, decided == index, clusters=clusters)
    return to_json(deciding) | {"measured": {name: _share(found, name) for name in ("precision", "recall")}}


def to_json(deciding: Deciding) -> dict[str, Any]:
    """The choice with "validation": {"value", "low", "high", "hits", "of"} of what was asked for; value is None where no row tells it."""
    low, high = wilson(deciding.hits, deciding.of)
    measured = {"value": deciding.reached, "low": low, "high": high, "hits": deciding.hits, "of": deciding.of}
    return {
        "label": deciding.label, "by": deciding.by, "target": deciding.target, "threshold": deciding.threshold,
        "is_met": deciding.is_met, "promised": deciding.promised, "positives": deciding.positives, "validation": measured,
    }  # fmt: skip


def _share(found: Outcome, name: str) -> dict[str, float] | None:
    value, low, high = found.share(name)
    return None if value is None else {"value": value, "low": low, "high": high}
