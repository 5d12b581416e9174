"""95 % intervals of scores over resampled rows. numpy only.

All resampling uses one seeded generator, so equal input gives equal output. Rows in clusters, such as near
duplicates, are resampled by whole clusters: C. Field and A. Welsh, "Bootstrapping clustered data", Journal of
the Royal Statistical Society B 69(3), 2007. Where each row is a cluster of its own, that is resampling rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lifecycle.runtime.statistics import calibration, clustered
from lifecycle.runtime.statistics.intervals import Z95, wilson
from lifecycle.runtime.statistics.macro_means import Few, by_label
from lifecycle.runtime.statistics.metrics import Bools, Countable, Floats, Ints, point_estimates

RESAMPLES = 1000
ROUNDING = 1e-12
SHARES = frozenset(
    {
        "macro_f1",
        "weighted_f1",
        "macro_precision",
        "macro_recall",
        "micro_f1",
        "micro_precision",
        "micro_recall",
        "lrap",
        "hamming_loss",
    }
    | {"pair_accuracy", "best_first", "accuracy_longer", "accuracy_shorter", "longer_preferred", "ndcg"}
    | {"token_f1", "rouge_1", "rouge_2", "rouge_l", "groundedness", "empty_answers", "repetition", "refusals"}
)
# scores with a lowest and a highest value, but for OF_ROWS
BOUNDED = dict.fromkeys(SHARES, (0.0, 1.0)) | {
    "kendall_tau": (-1.0, 1.0),
    "chrf": (0.0, 100.0),
    "bleu": (0.0, 100.0),
}
OF_ROWS = ("accuracy", "subset_accuracy", "exact_texts", "exact_match")  # shares of rows
# scores of true or predicted labels: rows with neither don't count
OF_CLASSES = ("macro_", "micro_", "weighted_")
BLOCK_CELLS = 4_000_000


def resamples(rows: int, count: int, seed: int, clusters: Ints | None = None) -> Iterator[Floats]:
    """Blocks (b, rows) of row counts of bootstrap samples, `count` samples in all; deterministic.

    clusters: number of each row's cluster (rows,), as from `clustered.numbered`; whole clusters are drawn.
    None: rows are independent.
    """
    random = np.random.default_rng(seed)
    block = max(1, BLOCK_CELLS // max(rows, 1))
    units = rows if clusters is None else int(clusters.max()) + 1
    for start in range(0, count, block):
        size = min(block, count - start)
        drawn = random.integers(0, units, size=(size, units))
        drawn += np.arange(size)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)
        yield counts if clusters is None or units == rows else counts[:, clusters]


def bootstrap(
    rows: Countable, count: int = RESAMPLES, seed: int = 1, clusters: Ints | None = None
) -> dict[str, tuple[float, float]]:
    """95 % interval of each score, and of ece_debiased where there is an ECE; empty when count is 0.
    clusters: as for `resamples`.

    OF_ROWS by `clustered.share`; other scores with bounds by `bounded`, with macro means drawn by `Few` where
    labels have few rows, and at least as wide as `by_label`; calibration errors by
    `calibration.ece_interval`; others by percentiles of resampled rows.
    """
    if count == 0:
        return {}
    points, samples, right = point_estimates(rows), dict[str, list[Floats]](), exact_of(rows, clusters)
    together = replace(Together.of(len(rows), clusters), alike=clustered.alike(right))
    whole = rows.by_class(np.ones((1, len(rows))))
    few = Few.of(points, whole, seed, together.size)
    for weights in resamples(len(rows), count, seed, clusters):
        scores = rows.aggregate(weights) | (few.macros(rows.by_class(weights)) if few else {})
        for name, values in scores.items():
            samples.setdefault(name, []).append(values)
    drawn = {name: np.concatenate(values) for name, values in samples.items()}
    around = {**points, **(few.around if few else {})}
    fixed = [
        name
        for name, each in drawn.items()
        if name in BOUNDED and not np.isnan(each).all() and np.nanstd(each) <= ROUNDING
    ]
    parts = {name: together.part(share) for name, share in scored_shares(rows, fixed, seed).items()}
    found = {
        name: (
            within(BOUNDED[name], points[name], each, parts.get(name, together), around[name])
            if name in BOUNDED
            else percentiles(each, points[name], together)
        )
        for name, each in drawn.items()
    }
    share = clustered.share(right)
    found |= {name: (share.low, share.high) for name in OF_ROWS if name in drawn}
    for name, (low, high) in by_label(points, whole, together.size).items():
        found[name] = min(low, found[name][0]), max(high, found[name][1])
    if (answers := rows.binned()) and answers.counts.any():
        effect = len(rows) / together.least
        found["ece"] = found["ece_debiased"] = calibration.ece_interval(
            answers, drawn["ece"], seed=seed, effect=effect
        )
    return found


def exact_of(rows: Countable, clusters: Ints | None) -> clustered.Sums:
    """Entirely right rows / all rows, by cluster; empty where rows have no such flag. clusters: as for
    `resamples`.
    """
    codes = np.arange(len(rows)) if clusters is None else clusters
    return clustered.Sums() if rows.exact is None else clustered.by_cluster(rows.exact, codes)


def scored_shares(rows: Countable, names: Sequence[str], seed: int) -> dict[str, float]:
    """The share of rows that count for each score (0 to 1): a text without spans doesn't count for their F1,
    nor does a tied pair for a ranking. Estimated from at most RESAMPLES of the rows, each scored alone.
    """
    if not names:
        return {}
    chosen = np.sort(np.random.default_rng([seed, 2]).permutation(len(rows))[:RESAMPLES])
    scored: dict[str, list[Bools]] = {name: [] for name in names}
    for part in np.array_split(chosen, -(-len(chosen) * len(rows) // BLOCK_CELLS)):
        alone = np.zeros((len(part), len(rows)))
        alone[np.arange(len(part)), part] = 1.0
        scores, counts = rows.aggregate(alone), rows.by_class(alone)
        for name in names:
            defined = ~np.isnan(scores[name])
            if name.startswith(OF_CLASSES):
                held = (
                    counts.given
                    if name.endswith("precision")
                    else counts.true
                    if name.endswith("recall")
                    else counts.true + counts.given
                )
                defined &= (held > 0).any(axis=1)
            scored[name].append(defined)
    return {name: float(np.concatenate(found).mean()) for name, found in scored.items()}


@dataclass(frozen=True, slots=True)
class Together:
    """The clustering of rows. least: effective number of rows if all rows of a cluster are alike (L. Kish
    1965). alike: intraclass correlation of right rows, by `clustered.alike`; 0: unknown, only the spread of
    resamples counts.
    """

    rows: int
    clusters: int
    least: float
    alike: float = 0.0

    @classmethod
    def of(cls, rows: int, clusters: Ints | None) -> Together:
        """clusters: number of each row's cluster (rows,); None: rows are independent."""
        if clusters is None:
            return cls(rows, rows, float(rows))
        sizes = np.bincount(clusters)
        return cls(rows, len(sizes), rows**2 / float((sizes**2).sum()))

    def part(self, share: float) -> Together:
        """The clustering of a part of the rows, at least one."""
        rows, clusters = (max(1, round(share * number)) for number in (self.rows, self.clusters))
        return Together(rows, clusters, max(1.0, share * self.least), self.alike)

    @property
    def size(self) -> float:
        """Rows per cluster on average."""
        return self.rows / self.clusters

    def effective(self, mean: float, spread: float) -> float:
        """Effective number of independent rows for a score from 0 to 1. mean, spread: of the score of
        resampled rows.

        Reduced if it is estimated from few clusters, as in `clustered.effective`: the degrees of freedom are
        the expected number of clusters with the rarer outcome (Dean and Pagano 2015), since three clusters
        with a mistake say little about a fourth.
        """
        if spread <= ROUNDING:
            return self.least
        found = mean * (1 - mean) / spread**2
        if self.clusters == self.rows:
            return min(float(self.rows), max(1.0, found))
        found = min(found, self.rows / (1 + (self.rows / self.least - 1) * self.alike))
        few = max(1, min(min(mean, 1 - mean) * self.clusters, self.least - 1))
        shortened = found * (1 - 1 / self.least) * (Z95 / clustered.quantile(few)) ** 2
        return min(float(self.rows), max(self.least, shortened))

    def wide(self, low: float, value: float, high: float) -> tuple[float, float]:
        """Percentiles of resampled clusters, widened for their small number: resampling n of equal size shows
        (n − 1) / n of the variance, with n − 1 degrees of freedom, n being `least`. Unchanged for independent
        rows; infinite for a single cluster.
        """
        if self.clusters == self.rows:
            return low, high
        if self.clusters < 2:
            return float("-inf"), float("inf")
        more = clustered.quantile(self.least - 1) / Z95 * (self.least / (self.least - 1)) ** 0.5
        return value - more * (value - low), value + more * (high - value)


def within(
    bounds: tuple[float, float], value: float, drawn: Floats, together: Together, around: float
) -> tuple[float, float]:
    """`bounded` of a score between two bounds, as a share of the way from one to the other."""
    start, end = bounds
    size = end - start
    low, high = bounded((value - start) / size, (drawn - start) / size, together, (around - start) / size)
    return start + size * low, start + size * high


def bounded(value: float, drawn: Floats, together: Together, around: float) -> tuple[float, float]:
    """95 % interval of a score from 0 to 1. drawn: the score of resampled rows (B,), which vary around
    `around`.

    Wilson's interval at the number of rows at which a share would vary as much, around the value less its
    bootstrap bias. Where nothing varies, as with 30 right rows of 30, percentiles would have no length, and
    the number is that of all rows, or of clusters if rows of a cluster are all alike. For a share of
    independent rows it is Wilson's interval.
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known) or np.isnan(value):
        return float("nan"), float("nan")
    mean = float(known.mean())
    effective = together.effective(mean, float(known.std()))
    centre = min(1.0, max(0.0, value + around - mean))
    low, high = wilson(centre * effective, effective)
    return min(low, value), max(high, value)


def summary(rows: Countable, *, count: int, seed: int, clusters: Ints | None = None) -> dict[str, Any]:
    """Every defined score, ece_debiased and largest_gap where there is an ECE, and `intervals` {name: {low,
    high}}, 95 %. clusters: as for `resamples`.
    """
    points: dict[str, Any] = {
        name: value for name, value in point_estimates(rows).items() if not np.isnan(value)
    }
    if (answers := rows.binned()) and "ece" in points:
        effect = len(rows) / Together.of(len(rows), clusters).least
        points |= {"ece_debiased": answers.debiased(effect), "largest_gap": answers.largest_gap}
    found = bootstrap(rows, count, seed, clusters)
    intervals = {name: {"low": low, "high": high} for name, (low, high) in found.items() if name in points}
    return {**points, "intervals": intervals}


def percentiles(values: Floats, value: float, together: Together) -> tuple[float, float]:
    """95 % percentiles of a score of resampled rows (B,), whose value over all rows is `value`."""
    low, high = np.nanpercentile(values, (2.5, 97.5)) if not np.isnan(values).all() else (np.nan, np.nan)
    return together.wide(float(low), value, float(high))


def drawn(rows: Countable, name: str, *, count: int, seed: int, clusters: Ints | None = None) -> Floats:
    """A score of resampled rows (count,). The same rows, count, seed and clusters give the same resamples, so
    two models' are paired.
    """
    return np.concatenate(
        [
            np.zeros(0),
            *(rows.aggregate(weights)[name] for weights in resamples(len(rows), count, seed, clusters)),
        ]
    )


def counted(blocks: Iterable[Floats]) -> Iterator[tuple[Floats, int]]:
    """Each block of resamples with the number of earlier ones."""
    done = 0
    for block in blocks:
        yield block, done
        done += len(block)
