"""How a classifier answers the rows of each group, and how far groups are treated alike. numpy only.

Accuracy and macro-F1 depend on nothing but how many rows of each true label got each answer. Resampling rows is therefore the same as
drawing those counts from one multinomial, which costs as much for a million rows as for a thousand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lifecycle.engine import metrics
from lifecycle.engine.calibration import Z95, wilson
from lifecycle.engine.significance import holm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 20  # rows below which nothing is said of a group
SURE = 0.05
RESAMPLES = 1000


@dataclass(frozen=True)
class Answers:
    """predictions.parquet without its probabilities, in file order. truth, predicted: label numbers; all arrays (N,)."""

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    truth: Ints
    predicted: Ints
    confidence: Floats
    loss: Floats


def read_answers(path: Path) -> Answers:
    """Read what was answered. The probabilities stay in the file: with many labels they are most of it."""
    table = pq.read_table(path, columns=["id", "label", "predicted", "confidence", "loss"])
    labels = tuple(json.loads(table.schema.metadata[b"labels"]))
    known = pa.array(labels, pa.string())
    truth, predicted = (pc.index_in(table[name], value_set=known).to_numpy().astype(np.int64) for name in ("label", "predicted"))
    return Answers(labels, tuple(table["id"].to_pylist()), truth, predicted, table["confidence"].to_numpy(), table["loss"].to_numpy())


# ── Scores of a group ───────────────────────────────────────────────────────
@dataclass(frozen=True)
class Score:
    """A group's answers. Intervals (low, high) are 95 %: Wilson for accuracy, bootstrap for macro-F1 over the labels that occur in it.

    difference: its accuracy minus that of all other rows, None where there are none; p: of no difference, adjusted for all groups asked.
    All but rows is None below LEAST rows.
    """

    rows: int
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    macro_f1: float | None = None
    macro_f1_interval: tuple[float, float] | None = None
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None
    p: float | None = None

    @property
    def verdict(self) -> str:
        """Against the rest: better, worse, or unclear; "too few" rows; empty where there is no rest."""
        if self.accuracy is None:
            return "too few"
        if self.p is None or self.difference is None:
            return ""
        return "unclear" if self.p >= SURE else "worse" if self.difference < 0 else "better"


def scores(truth: Ints, predicted: Ints, codes: Ints, groups: int, *, classes: int, seed: int = 1) -> list[Score]:
    """One score a group, with p adjusted by Holm over those that have one. codes: number of each row's group (N,), 0 to groups - 1."""
    right = truth == predicted
    rows, hits = np.bincount(codes, minlength=groups), np.bincount(codes, weights=right, minlength=groups)
    told = [number for number in range(groups) if rows[number] >= LEAST]
    tested = [number for number in told if rows[number] < len(codes)]
    rest = {number: (int(right.sum() - hits[number]), int(len(codes) - rows[number])) for number in tested}
    adjusted = holm({each: p_of_difference(int(hits[each]), int(rows[each]), *rest[each]) for each in tested})
    found = [Score(int(count)) for count in rows]
    for number in told:
        inside = codes == number
        hit, count = int(hits[number]), int(rows[number])
        macro_f1, interval = macro_f1_of(truth[inside], predicted[inside], classes, seed)
        found[number] = Score(
            rows=count,
            accuracy=hit / count,
            accuracy_interval=wilson(hit, count),
            macro_f1=macro_f1,
            macro_f1_interval=interval,
            difference=hit / count - rest[number][0] / rest[number][1] if number in rest else None,
            difference_interval=newcombe(hit, count, *rest[number]) if number in rest else None,
            p=adjusted.get(number),
        )
    return found


def macro_f1_of(truth: Ints, predicted: Ints, classes: int, seed: int = 1) -> tuple[float, tuple[float, float]]:
    """Macro-F1 over the labels that occur in truth or predictions, and its 95 % percentile interval over resampled rows."""
    cells, counts = np.unique(truth * classes + predicted, return_counts=True)
    none = np.zeros(len(cells))
    rows = metrics.Scored(cells // classes, cells % classes, none, none, none, classes, bins=1)
    random, block = np.random.default_rng(seed), max(1, metrics.BLOCK_CELLS // len(cells))
    drawn = np.concatenate(
        [
            metrics.aggregate(rows, random.multinomial(counts.sum(), counts / counts.sum(), size=size).astype(np.float64))["macro_f1"]
            for size in (min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block))
        ]
    )
    value = metrics.aggregate(rows, counts[None].astype(np.float64))["macro_f1"][0]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(value), (float(low), float(high))


def newcombe(hits: int, count: int, other_hits: int, other_count: int, z: float = Z95) -> tuple[float, float]:
    """Interval of a difference of two shares, from their Wilson intervals (Newcombe 1998, method 10); 95 % unless another z is given."""
    one, two = hits / count, other_hits / other_count
    (low, high), (other_low, other_high) = wilson(hits, count, z), wilson(other_hits, other_count, z)
    return one - two - math.hypot(one - low, other_high - two), one - two + math.hypot(high - one, two - other_low)


def p_of_difference(hits: int, count: int, other_hits: int, other_count: int) -> float:
    """Two-sided p of two equal shares: the pooled z test, which is the chi-squared test without continuity correction."""
    pooled = (hits + other_hits) / (count + other_count)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / count + 1 / other_count))
    return math.erfc(abs(hits / count - other_hits / other_count) / spread / math.sqrt(2)) if spread else 1.0


# ── Fairness for one label ──────────────────────────────────────────────────
@dataclass(frozen=True)
class Rates:
    """How a group fares with one label. hit, missed: its own rows that were answered with it, or not; false, passed: other rows so."""

    hit: int
    missed: int
    false: int
    passed: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.hit + self.missed + self.false + self.passed

    @property
    def selection(self) -> float:
        """Share of the rows that were answered with the label."""
        return (self.hit + self.false) / self.rows

    @property
    def true_positive(self) -> float | None:
        """Share of the label's rows that were answered with it; None without such rows."""
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else None

    @property
    def false_positive(self) -> float | None:
        """Share of the other rows that were answered with it; None without such rows."""
        return self.false / (self.false + self.passed) if self.false + self.passed else None


def rates(truth: Ints, predicted: Ints, codes: Ints, groups: int, label: int) -> list[Rates]:
    """The four counts of each group for the label with this number."""
    kinds = np.where(truth == label, predicted != label, np.where(predicted == label, 2, 3))  # in the order of Rates
    counts = np.bincount(codes * 4 + kinds, minlength=4 * groups).reshape(groups, 4)
    return [Rates(*map(int, row)) for row in counts]


@dataclass(frozen=True)
class Gap:
    """The largest difference of a rate between two groups: of the group at `high` less that at `low`, positions in what was compared.

    interval: of that difference, so wide that with 95 % the intervals of all pairs that were compared hold at once.
    """

    value: float
    high: int
    low: int
    interval: tuple[float, float]


def gaps(found: Sequence[Rates]) -> dict[str, Gap | None]:
    """Fairness measures as fairlearn defines them: the largest difference between two groups; None where fewer than two have the rate.

    Demographic parity: of selection rates. Equal opportunity: of true positive rates. Equalised odds: of true positive or of false positive
    rates, whichever is larger. A group without rows of the label has no true positive rate and is left out, where fairlearn takes 0.
    """
    selected = {at: (each.hit + each.false, each.rows) for at, each in enumerate(found)}
    own = {at: (each.hit, each.hit + each.missed) for at, each in enumerate(found) if each.true_positive is not None}
    other = {at: (each.false, each.false + each.passed) for at, each in enumerate(found) if each.false_positive is not None}
    odds = [_widest(rates, _pairs(own) + _pairs(other)) for rates in (own, other)]
    return {
        "demographic_parity_difference": _widest(selected, _pairs(selected)),
        "equal_opportunity_difference": _widest(own, _pairs(own)),
        "equalized_odds_difference": max((gap for gap in odds if gap), key=lambda gap: gap.value) if all(odds) else None,
    }


def _pairs(shares: Mapping[int, tuple[int, int]]) -> int:
    return math.comb(len(shares), 2)


def _widest(shares: Mapping[int, tuple[int, int]], compared: int) -> Gap | None:
    """The two groups whose shares (hits, count) differ most. compared: pairs for which the interval is to hold at once (Bonferroni)."""
    if len(shares) < 2:
        return None
    high, low = (choose(shares, key=lambda at: shares[at][0] / shares[at][1]) for choose in (max, min))
    z = NormalDist().inv_cdf(1 - SURE / 2 / compared)
    (hits, count), (other_hits, other_count) = shares[high], shares[low]
    return Gap(hits / count - other_hits / other_count, high, low, newcombe(hits, count, other_hits, other_count, z))
