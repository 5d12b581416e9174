"""Scores of each group of rows, and whether a group differs significantly from all other rows. No torch.

Most scores are ratios of sums over rows. Resampling rows is the same as drawing the counts of their distinct
values from one multinomial, which costs as much for a million rows as for a thousand where few values are
distinct. Sums of many rows with many values are drawn from their normal limit, so that no page waits for a
large evaluation.

Rows in clusters, such as near duplicates, are taken by parts: the part of a cluster in one group is permuted
and resampled as a whole. Where a cluster is in several groups this is conservative, since its rows then
differ less than those of two clusters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import bootstrap, clustered, macro_means, metrics
from lifecycle.runtime.statistics.intervals import Interval, difference, wilson
from lifecycle.runtime.statistics.significance import holm
from lifecycle.runtime.statistics.verdicts import Verdict, verdict

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 20  # rows below which a group, or the rest that it is compared with, isn't scored
RESAMPLES = 1000
FEW, MANY = 50, 1_000  # distinct values up to which their counts are drawn; rows up to which rows are
# permutations for every ten compared groups, so that the smallest p-value stays below 0.05 after its
# correction
DRAWS = 1000
PERMUTED = 5_000  # rows beyond which the normal limit replaces the permutation test
FISHER, PERMUTATION, NORMAL = "fisher", "permutation", "normal"


# ── What is measured ────────────────────────────────────────────────────────
class Measure(Protocol):
    """A score of rows."""

    @property
    def name(self) -> str:
        """Its key in reports."""

    def of_groups(self, codes: Ints, groups: int, seed: int) -> list[Interval | None]:
        """The score of each group; None where fewer than LEAST rows count. codes: number of each row's group
        (N,), 0 to groups - 1.
        """


@dataclass(frozen=True)
class Quotient:
    """A score from 0 to 1 that is a ratio of two sums over rows, higher being better. above, below: of each
    row (N,); a row with below = 0 doesn't count. is_share: the score is a share of rows, with above 0 or 1
    and below 1. clusters: number of each row's cluster (N,); None where rows are independent.
    """

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
    """Macro-F1 over the labels that occur in truth or predictions of a group. truth, predicted: label numbers
    below classes (N,). clusters: as of Quotient.
    """

    truth: Ints
    predicted: Ints
    classes: int
    name: str = "macro_f1"
    clusters: Ints | None = None

    def of_groups(self, codes: Ints, groups: int, seed: int = 1) -> list[Interval | None]:
        """As Measure says."""
        inside = [np.flatnonzero(codes == number) for number in range(groups)]
        return [
            (
                macro_f1_of(self.truth[rows], self.predicted[rows], self.classes, seed, self._effective(rows))
                if len(rows) >= LEAST
                else None
            )
            for rows in inside
        ]

    def _effective(self, rows: Ints) -> int:
        """The effective number of independent rows for the accuracy of these."""
        if self.clusters is None:
            return len(rows)
        right, codes = self.truth[rows] == self.predicted[rows], self.clusters[rows]
        return max(1, round(clustered.effective(clustered.by_cluster(right, codes))))


def macro_f1_of(truth: Ints, predicted: Ints, classes: int, seed: int = 1, effective: int = 0) -> Interval:
    """Macro-F1 over the labels that occur in truth or predictions, and its 95 % interval as in
    `bootstrap.bootstrap`. effective: effective number of independent rows; by default all.
    """
    cells, counts = np.unique(truth * classes + predicted, return_counts=True)
    none = np.zeros(len(cells))
    rows = metrics.Scored(cells // classes, cells % classes, none, none, none, classes, bins=1)
    whole, random, block = (
        counts[None].astype(np.float64),
        np.random.default_rng(seed),
        max(1, bootstrap.BLOCK_CELLS // len(cells)),
    )
    value = float(metrics.aggregate(rows, whole)["macro_f1"][0])
    every = int(counts.sum())
    size = every / (effective or every)
    few, drawn = macro_means.Few.of({"macro_f1": value}, rows.by_class(whole), seed, size), []
    for many in (min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)):
        weights = size * random.multinomial(effective or every, counts / every, size=many).astype(np.float64)
        drawn.append(
            (few.macros(rows.by_class(weights)) if few else metrics.aggregate(rows, weights))["macro_f1"]
        )
    around = few.around["macro_f1"] if few else value
    low, high = bootstrap.bounded(
        value, np.concatenate(drawn), bootstrap.Together.of(effective or every, None), around
    )
    least, most = macro_means.by_label({"macro_f1": value}, rows.by_class(whole), size)["macro_f1"]
    return Interval(value, min(low, least), max(high, most))


@dataclass(frozen=True)
class Sums:
    """The parts of a ratio in each group: (G,); counted: rows that count. drawn: the same two sums over
    resampled rows (RESAMPLES, G), each group resampled separately; None for shares, which need none. rows:
    the ratio and each row's group, for rows in clusters.
    """

    above: Floats
    below: Floats
    counted: Ints
    drawn: tuple[Floats, Floats] | None
    rows: tuple[Quotient, Ints] | None = None

    def values(self) -> list[Interval | None]:
        """The ratio of each group; None where fewer than LEAST rows count."""
        return [self.own(number) if count >= LEAST else None for number, count in enumerate(self.counted)]

    def own(self, number: int) -> Interval:
        """The ratio of one group with at least one counted row: with Wilson's interval for shares and for
        values of 0 or 1, else bootstrap. With clusters, shares have Dean and Pagano's interval, as
        `clustered.share`, and others that of a report's scores.
        """
        found = self._clusters(number, rest=False)
        if found and self.drawn is None:
            return clustered.share(found)
        drawn = None if self.drawn is None else (self.drawn[0][:, number], self.drawn[1][:, number])
        return _value(self.above[number], self.below[number], int(self.counted[number]), drawn, found)

    def rest(self, number: int) -> Interval:
        """The ratio of all other groups together, as `own`."""
        found = self._clusters(number, rest=True)
        if found and self.drawn is None:
            return clustered.share(found)
        drawn = (
            None if self.drawn is None else tuple(each.sum(axis=1) - each[:, number] for each in self.drawn)
        )
        above, below = (each.sum() - each[number] for each in (self.above, self.below))
        return _value(above, below, self.counted_rest(number), drawn, found)

    def _clusters(self, number: int, *, rest: bool) -> clustered.Sums | None:
        """Sums by cluster of a group, or of all others; None where rows are independent."""
        if self.rows is None or self.rows[0].clusters is None:
            return None
        measure, codes = self.rows
        inside = (codes == number) != rest
        return clustered.by_cluster(
            measure.above[inside], self.rows[0].clusters[inside], measure.below[inside]
        )

    def counted_rest(self, number: int) -> int:
        """Rows of all other groups that count."""
        return int(self.counted.sum() - self.counted[number])


def _value(
    above: float, below: float, rows: int, drawn: tuple[Floats, ...] | None, found: clustered.Sums | None
) -> Interval:
    """A ratio with its interval. found: sums of the rows' clusters, for the interval of `bootstrap.bounded`;
    None for independent rows.
    """
    value = min(1.0, max(0.0, float(above / below)))  # sums of floats may end a hair beyond
    samples = None if drawn is None else drawn[0][drawn[1] > 0] / drawn[1][drawn[1] > 0]
    if samples is not None and found:
        return Interval(
            value,
            *bootstrap.bounded(value, samples, bootstrap.Together(rows, found.clusters, found.equal), value),
        )
    if samples is None or math.isclose(value, 0.0, abs_tol=1e-12) or math.isclose(value, 1.0):
        return Interval(value, *wilson(value * rows, rows))
    low, high = np.percentile(samples, (2.5, 97.5))
    return Interval(value, float(low), float(high))


def parted(measure: Quotient, codes: Ints) -> tuple[Quotient, Ints]:
    """The measure of each part of a cluster within one group, and the number of its group; for independent
    rows, of each row.
    """
    if measure.clusters is None:
        return measure, codes
    known, part = np.unique(np.stack([codes, measure.clusters]), axis=1, return_inverse=True)
    above, below = (added(each, part.ravel(), known.shape[1]) for each in (measure.above, measure.below))
    return Quotient(measure.name, above, below), known[0]


def added(values: Floats, codes: Ints, groups: int) -> Floats:
    """The sum of the values (N,) of each group (G,)."""
    return np.bincount(codes, weights=values, minlength=groups).astype(np.float64)


def sums(measure: Quotient, codes: Ints, groups: int, seed: int = 1) -> Sums:
    """The sums of each group."""
    above, below = (added(each, codes, groups) for each in (measure.above, measure.below))
    counted = np.bincount(codes, weights=measure.below > 0, minlength=groups).astype(np.int64)
    drawn = None if measure.is_share else _drawn(*parted(measure, codes), groups, seed)
    return Sums(above, below, counted, drawn, None if measure.clusters is None else (measure, codes))


def _drawn(measure: Quotient, codes: Ints, groups: int, seed: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    found = np.zeros((2, RESAMPLES, groups))
    rows = np.stack([measure.above, measure.below], axis=1)[np.argsort(codes, kind="stable")]
    for number, some in enumerate(np.split(rows, np.cumsum(np.bincount(codes, minlength=groups))[:-1])):
        if len(some):
            found[:, :, number] = _resampled(some, random).T
    return found[0], found[1]


def _resampled(rows: Floats, random: np.random.Generator) -> Floats:
    """Sums over resampled rows, from rows (n, 2): (RESAMPLES, 2). Drawn from their normal limit for more than
    MANY rows, if distinct.
    """
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
    """A group's scores. counted: rows that count for the measure `by`, by which it is compared. values: of
    every measure, None where fewer than LEAST rows count. difference: of `by` to all other rows, p: of no
    difference, adjusted by Holm for all compared groups; both None where it or the rest has fewer than LEAST
    such rows.
    """

    rows: int
    counted: int
    by: str
    values: dict[str, Interval | None] = field(default_factory=dict)
    difference: Interval | None = None
    p: float | None = None

    @property
    def verdict(self) -> str:
        """Compared with the rest, by `verdicts.verdict`; empty where the rest is too small."""
        if self.values.get(self.by) is None:
            return Verdict.FEW.value
        return "" if self.p is None or self.difference is None else verdict(self.difference, p=self.p).value


def scores(
    measures: Sequence[Measure], by: Quotient, codes: Ints, groups: int, *, seed: int = 1
) -> list[Score]:
    """One score per group. by: one of the measures; codes: number of each row's group (N,), 0 to groups -
    1.
    """
    found = sums(by, codes, groups, seed)
    values = {
        each.name: found.values() if each is by else each.of_groups(codes, groups, seed) for each in measures
    }
    compared = [
        number
        for number in range(groups)
        if found.counted[number] >= LEAST and found.counted_rest(number) >= LEAST
    ]
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
    """The test for p-values of this measure: FISHER for shares of independent rows, else PERMUTATION, or
    NORMAL where there are too many rows for it.
    """
    return (
        FISHER
        if measure.is_share and measure.clusters is None
        else PERMUTATION
        if len(measure.above) <= PERMUTED
        else NORMAL
    )


def p_values(
    measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int = 1
) -> list[float]:
    """Two-sided p of each of the groups `compared` with all other rows, not adjusted."""
    if not compared:
        return []
    test = {FISHER: fisher, PERMUTATION: permuted, NORMAL: normal}[tested_by(measure)]
    parts, groups_of = parted(measure, codes)
    return test(parts, found, groups_of, compared, seed)


def fisher(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int) -> list[float]:
    """Fisher's exact test of two shares."""
    from scipy import stats  # late: slows the start of every process, and few compute with it

    hits, count = np.rint(found.above).astype(np.int64), found.counted
    tables = [
        [
            [hits[number], count[number] - hits[number]],
            [hits.sum() - hits[number], (count - hits).sum() - count[number] + hits[number]],
        ]
        for number in compared
    ]
    return [min(1.0, float(stats.fisher_exact(table).pvalue)) for table in tables]


def permuted(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int) -> list[float]:
    """Permutation test: p is the share of draws, including the observed one, with a difference at least as
    large (Phipson and Smyth 2010). A draw in which a group or its rest has no counted row counts as large.
    """
    random, draws, groups = (
        np.random.default_rng(seed),
        DRAWS * math.ceil(len(compared) / 10),
        len(found.above),
    )
    seen, large = np.abs(_differences(found.above, found.below)), np.ones(groups)
    for _ in range(draws):
        drawn = random.permutation(codes)
        above, below = (added(each, drawn, groups) for each in (measure.above, measure.below))
        large += ~(np.abs(_differences(above, below)) < seen - 1e-12)
    return [float(large[number] / (draws + 1)) for number in compared]


def _differences(above: Floats, below: Floats) -> Floats:
    """Differences of each group to the rest (G,); NaN where one of them has no counted row."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return above / below - (above.sum() - above) / (below.sum() - below)


def normal(measure: Quotient, found: Sums, codes: Ints, compared: Sequence[int], seed: int) -> list[float]:
    """The limit of `permuted` for many rows: a group's excess in the numerator, divided by its standard
    deviation under sampling without replacement.
    """
    excess = measure.above - measure.below * found.above.sum() / found.below.sum()
    rows, groups = len(codes), len(found.above)
    inside = np.bincount(codes, minlength=groups)
    spread = np.sqrt(inside * (rows - inside) / (rows - 1) * (excess**2).mean())
    sides = added(excess, codes, groups)
    return [
        math.erfc(abs(sides[number]) / spread[number] / math.sqrt(2)) if spread[number] else 1.0
        for number in compared
    ]
