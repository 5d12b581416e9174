"""How a model does on each group of rows, and whether a group differs from all other rows by more than chance. No torch.

Most scores are quotients of sums over rows. Resampling rows is the same as drawing the counts of their distinct values from one
multinomial, which costs as much for a million rows as for a thousand where few values are distinct. Sums of many rows with many values are
drawn from their normal limit, so that no page waits for a large evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

from lifecycle.statistics import clustered, metrics
from lifecycle.statistics.intervals import Interval, difference, wilson
from lifecycle.statistics.significance import holm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 20  # rows below which nothing is said of a group, nor of the rest that it is held against
SURE = 0.05
RESAMPLES = 1000
FEW, MANY = 50, 1_000  # distinct values up to which their counts are drawn; rows up to which rows are
DRAWS = 1000  # permutations for every ten groups that are compared, so that the least p-value stays below SURE after its correction
PERMUTED = 5_000  # rows beyond which a permutation test is taken for its normal limit
FISHER, PERMUTATION, NORMAL, CLUSTERS = "fisher", "permutation", "normal", "clusters"


# ── What is measured ────────────────────────────────────────────────────────
class Measure(Protocol):
    """A score of rows."""

    @property
    def name(self) -> str:
        """As reports have it."""

    def of_groups(self, codes: Ints, groups: int, seed: int) -> list[Interval | None]:
        """Of each group; None where fewer than LEAST rows say something. codes: number of each row's group (N,), 0 to groups - 1."""


@dataclass(frozen=True)
class Quotient:
    """A score from 0 to 1 that is one sum over rows to another, higher being better. above, below: of each row (N,); a row with nothing
    below says nothing of it. is_share: the score counts rows, each of which is 0 or 1 to 1. clusters: number of each row's cluster (N,),
    such as near duplicates or a customer's, whose rows resemble each other; None: rows are independent."""

    name: str
    above: Floats
    below: Floats
    is_share: bool = False
    clusters: Ints | None = None

    def of_groups(self, codes: Ints, groups: int, seed: int = 1) -> list[Interval | None]:
        """As Measure says."""
        return sums(self, codes, groups, seed).values()


@dataclass(frozen=True)
class MacroF1:
    """Macro-F1 over the labels that occur in truth or predictions of a group. truth, predicted: label numbers below classes (N,)."""

    truth: Ints
    predicted: Ints
    classes: int
    name: str = "macro_f1"

    def of_groups(self, codes: Ints, groups: int, seed: int = 1) -> list[Interval | None]:
        """As Measure says."""
        inside = [np.flatnonzero(codes == number) for number in range(groups)]
        return [macro_f1_of(self.truth[rows], self.predicted[rows], self.classes, seed) if len(rows) >= LEAST else None for rows in inside]


def macro_f1_of(truth: Ints, predicted: Ints, classes: int, seed: int = 1) -> Interval:
    """Macro-F1 over the labels that occur in truth or predictions, and its 95 % interval as `metrics.bootstrap` has it."""
    cells, counts = np.unique(truth * classes + predicted, return_counts=True)
    none = np.zeros(len(cells))
    rows = metrics.Scored(cells // classes, cells % classes, none, none, none, classes, bins=1)
    whole, random, block = counts[None].astype(np.float64), np.random.default_rng(seed), max(1, metrics.BLOCK_CELLS // len(cells))
    value = float(metrics.aggregate(rows, whole)["macro_f1"][0])
    few, drawn = metrics.Few.of({"macro_f1": value}, rows.by_class(whole), seed), []
    for size in (min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)):
        weights = random.multinomial(counts.sum(), counts / counts.sum(), size=size).astype(np.float64)
        drawn.append((few.macros(rows.by_class(weights)) if few else metrics.aggregate(rows, weights))["macro_f1"])
    around = few.around["macro_f1"] if few else value
    return Interval(value, *metrics.bounded(value, np.concatenate(drawn), int(counts.sum()), around))


@dataclass(frozen=True)
class Sums:
    """What a quotient is made of in each group: (G,); counted: rows that say something. drawn: the same two sums over resampled rows
    (RESAMPLES, G), each group resampled apart; empty for shares, which need none, and in clusters. parts: of clusters, each cluster's two
    sums in each group (2, C, G); whole: in all of them (2, C)."""

    above: Floats
    below: Floats
    counted: Ints
    drawn: tuple[Floats, Floats] | None
    parts: Floats | None = None
    whole: Floats | None = None

    def values(self) -> list[Interval | None]:
        """Of each group; None where fewer than LEAST rows say something."""
        return [self.own(number) if count >= LEAST else None for number, count in enumerate(self.counted)]

    def own(self, number: int) -> Interval:
        """Of one group, in which some row says something: Wilson for shares and where it stands at 0 or 1, else bootstrap."""
        if self.parts is not None:
            return _of_clusters(*self.parts[:, :, number])
        drawn = None if self.drawn is None else (self.drawn[0][:, number], self.drawn[1][:, number])
        return _value(self.above[number], self.below[number], int(self.counted[number]), drawn)

    def rest(self, number: int) -> Interval:
        """The same of all other groups together."""
        if self.parts is not None and self.whole is not None:
            return _of_clusters(*(self.whole - self.parts[:, :, number]))
        drawn = None if self.drawn is None else tuple(each.sum(axis=1) - each[:, number] for each in self.drawn)
        above, below = (each.sum() - each[number] for each in (self.above, self.below))
        return _value(above, below, self.counted_rest(number), drawn)

    def counted_rest(self, number: int) -> int:
        """Rows of all other groups that say something."""
        return int(self.counted.sum() - self.counted[number])


def _value(above: float, below: float, counted: int, drawn: tuple[Floats, ...] | None) -> Interval:
    value = min(1.0, max(0.0, float(above / below)))  # sums of floats may end a hair beyond
    if drawn is None or math.isclose(value, 0.0, abs_tol=1e-12) or math.isclose(value, 1.0):
        return Interval(value, *wilson(value * counted, counted))
    samples = drawn[0][drawn[1] > 0] / drawn[1][drawn[1] > 0]
    low, high = np.percentile(samples, (2.5, 97.5))
    return Interval(value, float(low), float(high))


def _of_clusters(above: Floats, below: Floats) -> Interval:
    """Wilson's at the effective number of rows over clusters: for shares as Dean and Pagano have it, for other quotients from 0 to 1 too,
    whose rows vary less than those of a share."""
    return clustered.share(clustered.sums(np.clip(above, 0, below), below))


def added(values: Floats, codes: Ints, groups: int) -> Floats:
    """The sum of the values (N,) of each group (G,)."""
    return np.bincount(codes, weights=values, minlength=groups).astype(np.float64)


def sums(measure: Quotient, codes: Ints, groups: int, seed: int = 1) -> Sums:
    """Of each group."""
    above, below = (added(each, codes, groups) for each in (measure.above, measure.below))
    counted = np.bincount(codes, weights=measure.below > 0, minlength=groups).astype(np.int64)
    if measure.clusters is not None:
        parts = np.stack([_by_cluster(each, measure, codes, groups) for each in (measure.above, measure.below)])
        return Sums(above, below, counted, None, parts, parts.sum(axis=2))
    return Sums(above, below, counted, None if measure.is_share else _drawn(measure, codes, groups, seed))


def _by_cluster(values: Floats, measure: Quotient, codes: Ints, groups: int) -> Floats:
    """The sum of the values (N,) of each cluster in each group (C, G)."""
    _, cluster = np.unique(np.arange(len(codes)) if measure.clusters is None else measure.clusters, return_inverse=True)
    size = int(cluster.max(initial=-1)) + 1
    return added(values, cluster * groups + codes, size * groups).reshape(size, groups)


def _drawn(measure: Quotient, codes: Ints, groups: int, seed: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    found = np.zeros((2, RESAMPLES, groups))
    rows = np.stack([measure.above, measure.below], axis=1)[np.argsort(codes, kind="stable")]
    for number, some in enumerate(np.split(rows, np.cumsum(np.bincount(codes, minlength=groups))[:-1])):
        if len(some):
            found[:, :, number] = _resampled(some, random).T
    return found[0], found[1]


def _resampled(rows: Floats, random: np.random.Generator) -> Floats:
    """Sums over as many rows drawn from these (n, 2): (RESAMPLES, 2). Of more than MANY, most of them distinct, their normal limit."""
    cells, counts = np.unique(rows, axis=0, return_counts=True)
    if len(cells) <= FEW:
        return random.multinomial(len(rows), counts / len(rows), size=RESAMPLES) @ cells
    if len(rows) <= MANY:
        return rows[random.integers(0, len(rows), size=(RESAMPLES, len(rows)))].sum(axis=1)
    spread = len(rows) * np.cov(rows, rowvar=False, bias=True)
    return random.multivariate_normal(rows.sum(axis=0), spread, size=RESAMPLES, method="eigh")


# ── Scores of a group ───────────────────────────────────────────────────────
@dataclass(frozen=True)
class Score:
    """A group's scores. counted: rows that say something of the measure `by`, by which it is compared. values: of every measure, None where
    fewer than LEAST rows say something. difference: of `by` to all other rows, p: of no difference, adjusted by Holm for all groups that
    are compared; both None where it or the rest has fewer than LEAST such rows."""

    rows: int
    counted: int
    by: str
    values: dict[str, Interval | None] = field(default_factory=dict)
    difference: Interval | None = None
    p: float | None = None

    @property
    def verdict(self) -> str:
        """Against the rest: better, worse, or unclear; "too few" rows; empty where there is no rest to speak of."""
        if self.values.get(self.by) is None:
            return "too few"
        if self.p is None or self.difference is None:
            return ""
        return "unclear" if self.p >= SURE else "worse" if self.difference.value < 0 else "better"


def scores(measures: Sequence[Measure], by: Quotient, codes: Ints, groups: int, *, seed: int = 1) -> list[Score]:
    """One score a group. by: one of the measures; codes: number of each row's group (N,), 0 to groups - 1."""
    found = sums(by, codes, groups, seed)
    values = {each.name: found.values() if each is by else each.of_groups(codes, groups, seed) for each in measures}
    compared = [number for number in range(groups) if found.counted[number] >= LEAST and found.counted_rest(number) >= LEAST]
    adjusted = holm(dict(zip(compared, p_values(by, found, codes, compared, seed), strict=True)))
    return [
        Score(
            rows=int(count),
            counted=int(found.counted[number]),
            by=by.name,
            values={name: every[number] for name, every in values.items()},
            difference=difference(found.own(number), found.rest(number)) if number in adjusted else None,
            p=adjusted.get(number),
        )
        for number, count in enumerate(np.bincount(codes, minlength=groups))
    ]


# ── Whether a group differs from the rest ───────────────────────────────────
def tested_by(measure: Quotient) -> str:
    """How p-values of this measure come about: CLUSTERS of rows in clusters; else FISHER for shares, PERMUTATION of other scores, or NORMAL
    where there are too many rows for it."""
    if measure.clusters is not None:
        return CLUSTERS
    return FISHER if measure.is_share else PERMUTATION if len(measure.above) <= PERMUTED else NORMAL


def p_values(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int = 1) -> list[float]:
    """Two-sided p of each of the groups `compared` against all other rows, not adjusted."""
    if not compared:
        return []
    tests = {FISHER: fisher, PERMUTATION: permuted, NORMAL: normal, CLUSTERS: of_clusters}
    return tests[tested_by(measure)](measure, found, codes, compared, seed)


def of_clusters(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int) -> list[float]:
    """Where each cluster lies in one group, whole clusters change groups by chance, as rows do in `permuted`; else `crossed`."""
    if found.parts is None or found.whole is None:
        raise ValueError(f"{measure.name} has no clusters.")
    inside = found.parts[1] > 0
    if (inside.sum(axis=1) > 1).any():
        return crossed(measure, found.parts, codes, compared)
    filled = inside.any(axis=1)
    by_cluster, own = Quotient(measure.name, *found.whole[:, filled]), inside[filled].argmax(axis=1)
    return (permuted if len(own) <= PERMUTED else normal)(by_cluster, found, own, compared, seed)


def crossed(measure: Quotient, parts: Floats, codes: Ints, compared: Sequence[int]) -> list[float]:
    """What a group's rows are above beyond their due, against its standard deviation where clusters lie in several groups: Student's t.

    A row is above by e = above − R · below, R the quotient of all, and weighs 1 in the group, else 0, less the group's share of all rows.
    The variance of Σ weight · e is that of rows which are as much alike in every group as in all clusters together (intraclass correlation
    by analysis of variance; L. Kish 1965): a group of few clusters tells too little of its own. Degrees of freedom: the clusters that all
    rows are worth, (Σ rows)² / Σ rows², less one.
    """
    ratio = measure.above.sum() / measure.below.sum()
    excess, rows = parts[0] - ratio * parts[1], _by_cluster((measure.below > 0).astype(np.float64), measure, codes, parts.shape[2])
    sizes, of_one = rows.sum(axis=1), float(((measure.above - ratio * measure.below) ** 2).sum() / rows.sum())
    count, pairs, both = float(sizes.sum()), float((sizes * (sizes - 1)).sum()), float((excess.sum(axis=1) ** 2).sum())
    alike = min(1.0, max(0.0, (both - of_one * count) / (of_one * pairs))) if of_one and pairs else 0.0
    told = []
    for number in compared:
        inside, part = rows[:, number], rows[:, number].sum() / count
        alone, weights = inside * (1 - part) ** 2 + (sizes - inside) * part**2, inside - part * sizes
        spread = math.sqrt(of_one * float((alone + alike * (weights**2 - alone)).sum()))
        apart = abs(float(excess[:, number].sum() - part * excess.sum()))
        told.append(2 * float(scipy.special.stdtr(count**2 / float((sizes**2).sum()) - 1, -apart / spread)) if spread else 1.0)
    return told


def fisher(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int) -> list[float]:
    """Fisher's exact test of two shares."""
    from scipy import stats  # late: slows the start of every process, and few compute with it

    hits, count = np.rint(found.above).astype(np.int64), found.counted
    tables = [
        [[hits[number], count[number] - hits[number]], [hits.sum() - hits[number], (count - hits).sum() - count[number] + hits[number]]]
        for number in compared
    ]
    return [min(1.0, float(stats.fisher_exact(table).pvalue)) for table in tables]


def permuted(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int) -> list[float]:
    """Rows change groups by chance; p is the share of such draws, and of what was found, in which the difference is as large (Phipson and
    Smyth 2010). A draw in which a group or its rest says nothing counts as large."""
    random, draws, groups = np.random.default_rng(seed), DRAWS * math.ceil(len(compared) / 10), len(found.above)
    seen, large = np.abs(_differences(found.above, found.below)), np.ones(groups)
    for _ in range(draws):
        drawn = random.permutation(codes)
        above, below = (added(each, drawn, groups) for each in (measure.above, measure.below))
        large += ~(np.abs(_differences(above, below)) < seen - 1e-12)
    return [float(large[number] / (draws + 1)) for number in compared]


def _differences(above: Floats, below: Floats) -> Floats:
    """Of each group to the rest (G,); NaN where one of them says nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return above / below - (above.sum() - above) / (below.sum() - below)


def normal(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int) -> list[float]:
    """The limit of `permuted` for many rows: what a group's rows add to the numerator beyond their due, to its standard deviation when
    rows are drawn without replacement."""
    excess = measure.above - measure.below * found.above.sum() / found.below.sum()
    rows, groups = len(codes), len(found.above)
    inside = np.bincount(codes, minlength=groups)
    spread = np.sqrt(inside * (rows - inside) / (rows - 1) * (excess**2).mean())
    sides = added(excess, codes, groups)
    return [math.erfc(abs(sides[number]) / spread[number] / math.sqrt(2)) if spread[number] else 1.0 for number in compared]
