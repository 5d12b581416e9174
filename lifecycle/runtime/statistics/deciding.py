"""Single-label decisions with a threshold for one class: from it on that class is predicted, below it the
likeliest other. numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics.calibration import THRESHOLD_ROWS
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.statistics.operating import choices, outcomes
from lifecycle.runtime.statistics.operating.outcomes import Outcome

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """index: number of a class; threshold: the probability (0 to 1) from which on it is predicted, however
    likely others are.
    """

    index: int
    threshold: float


@dataclass(frozen=True)
class Deciding:
    """The target of a threshold, and its result on validation.

    label: the class; by: "precision" or "recall" of it, at least target. threshold: of its calibrated
    probability; None before it is chosen, and where fewer than THRESHOLD_ROWS validation rows have the class,
    so that the likeliest class is predicted. hits: validation rows of the class that are predicted so;
    called: all rows predicted so; positives: all rows of the class. promised: other rows reach the target
    too, as `choices.promised`.
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
        """The validation rows in the denominator of the requested precision or recall."""
        return self.called if self.by == "precision" else self.positives

    @property
    def reached(self) -> float | None:
        """The precision or recall on validation (0 to 1); None without rows for it."""
        return self.hits / self.of if self.of else None

    @property
    def is_met(self) -> bool:
        """Whether the threshold reaches the target on validation."""
        return self.threshold is not None and self.reached is not None and self.reached >= self.target

    def cut(self, labels: Sequence[str]) -> Cut | None:
        """The threshold for labels in this order; None where none was chosen, or the class isn't among
        them.
        """
        return (
            None
            if self.threshold is None or self.label not in labels
            else Cut(list(labels).index(self.label), self.threshold)
        )


def decide(probabilities: NDArray[Any], cut: Cut | None = None) -> Ints:
    """The predicted class of each row (N,): that of the cut where it reaches its threshold, else the
    likeliest other; without a cut the likeliest.

    probabilities: (N, C), C > 1.
    """
    found = np.asarray(probabilities, dtype=np.float64)
    if cut is None:
        return found.argmax(axis=1).astype(np.int64)
    others = found.copy()
    others[:, cut.index] = -np.inf
    return np.where(found[:, cut.index] >= cut.threshold, cut.index, others.argmax(axis=1)).astype(np.int64)


def confidence(probabilities: NDArray[Any], decided: Ints) -> Floats:
    """The probability of each row's predicted class (N,), which with a cut needn't be the largest. decided:
    of `decide`.
    """
    chosen: Floats = np.asarray(probabilities, dtype=np.float64)[np.arange(len(decided)), decided]
    return chosen


def choose(
    wanted: Deciding, labels: Sequence[str], probabilities: Floats, truth: Ints, clusters: Ints | None = None
) -> Deciding:
    """`wanted` with a threshold chosen on these rows, and its result there. probabilities: (N, C),
    calibrated; truth: (N,); clusters: number of each row's cluster (N,), None where rows are independent.

    Chosen as by `choices.choose_for`, among thresholds that promise the target if there are any: for recall
    the most precise; for precision the lowest one, or the most precise where none reaches it.
    """
    index = list(labels).index(wanted.label)
    scores, positive = probabilities[:, index], truth == index
    positives = int(positive.sum())
    if positives < THRESHOLD_ROWS:
        called = decide(probabilities) == index
        return replace(
            wanted,
            threshold=None,
            hits=int((called & positive).sum()),
            called=int(called.sum()),
            positives=positives,
        )
    threshold, _, promised = choices.choose_one(wanted.by, wanted.target, scores, positive, clusters=clusters)
    found = outcomes.outcome(scores, positive, threshold, threshold)
    called = found.hit + found.false
    return replace(
        wanted, threshold=threshold, hits=found.hit, called=called, positives=positives, promised=promised
    )


def with_measured(
    deciding: Deciding, decided: Ints, truth: Ints, index: int, clusters: Ints | None = None
) -> dict[str, Any]:
    """The choice with "measured": precision and recall of the class on other rows, each {"value", "low",
    "high"} with its 95 % Wilson interval, None without rows for it. decided, truth: (N,); index: of the
    class; clusters: as for `choose`.
    """
    found = outcomes.outcome_of(truth == index, decided == index, clusters=clusters)
    return to_json(deciding) | {"measured": {name: _share(found, name) for name in ("precision", "recall")}}


def to_json(deciding: Deciding) -> dict[str, Any]:
    """The choice with "validation": {"value", "low", "high", "hits", "of"} of the requested precision or
    recall; value is None without rows for it.
    """
    low, high = wilson(deciding.hits, deciding.of)
    measured = {"value": deciding.reached, "low": low, "high": high, "hits": deciding.hits, "of": deciding.of}
    return {
        "label": deciding.label,
        "by": deciding.by,
        "target": deciding.target,
        "threshold": deciding.threshold,
        "is_met": deciding.is_met,
        "promised": deciding.promised,
        "positives": deciding.positives,
        "validation": measured,
    }


def _share(found: Outcome, name: str) -> dict[str, float] | None:
    value, low, high = found.share(name)
    return None if value is None else {"value": value, "low": low, "high": high}
