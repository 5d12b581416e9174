"""Scores of a classifier from its probabilities, their bootstrap intervals, and the paired comparison of two
models. numpy only.

Macro means are over the labels that occur in truth or predictions, as in scikit-learn; a label without
predictions has precision 0. Intervals are 95 % percentile intervals over resampled rows. All resampling uses
one seeded generator, so equal input gives equal output. Rows in clusters, such as near duplicates, are
resampled by whole clusters: C. Field and A. Welsh, "Bootstrapping clustered data", Journal of the Royal
Statistical Society B 69(3), 2007. Where each row is a cluster of its own, that is resampling rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics import calibration, clustered
from lifecycle.runtime.statistics.calibration import Binned
from lifecycle.runtime.statistics.deciding import Cut, confidence, decide
from lifecycle.runtime.statistics.intervals import Z95, Interval, wilson
from lifecycle.runtime.statistics.significance import Name, holm
from lifecycle.runtime.statistics.verdicts import verdict

Floats = NDArray[np.float64]
Done = Callable[[int, int], None]  # (done, total)
Ints = NDArray[np.int64]

Bools = NDArray[np.bool_]

RESAMPLES = 1000
SWAPS, MOST_SWAPS, FEW_LABELS = 1000, 10_000, 15
ENOUGH = 100  # rows per label on average from which resampling shows how its scores vary
ROUNDING = 1e-12
TIED = 1e-9  # differences of scores closer than this are equal: sums in another order round differently
BOUNDED = frozenset(
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
    | {"pair_accuracy", "best_first", "accuracy_longer", "accuracy_shorter", "longer_preferred"}
    | {"token_f1", "rouge_1", "rouge_2", "rouge_l", "groundedness", "empty_answers"}
)  # other scores from 0 to 1
OF_ROWS = ("accuracy", "subset_accuracy", "exact_texts", "exact_match")  # shares of rows
# scores of true or predicted labels: rows with neither don't count
OF_CLASSES = ("macro_", "micro_", "weighted_")
MACROS = {"macro_f1": "f1", "macro_precision": "precision", "macro_recall": "recall"}
BLOCK_CELLS = 4_000_000
METRICS = (
    "accuracy",
    "macro_f1",
    "weighted_f1",
    "macro_precision",
    "macro_recall",
    "log_loss",
    "brier",
    "ece",
)
# not ECE: of two perfectly calibrated models, the sharper has the lower one
COMPARED = ("accuracy", "macro_f1", "log_loss", "brier")


class ByClass(NamedTuple):
    """Counts of each label, (B, C) each. true: rows, or spans, that have it; given: predicted as it; right:
    both.
    """

    right: Floats
    true: Floats
    given: Floats

    @property
    def f1(self) -> Floats:
        """F1 of each label; 0 where it is neither true nor predicted."""
        return ratio(2 * self.right, self.true + self.given)

    @property
    def precision(self) -> Floats:
        """Precision of each label; 0 where it is never predicted."""
        return ratio(self.right, self.given)

    @property
    def recall(self) -> Floats:
        """Recall of each label; 0 where it is never true."""
        return ratio(self.right, self.true)

    @property
    def occurs(self) -> Bools:
        """Labels that are true or predicted somewhere."""
        return (self.true + self.given) > 0


class Countable(Protocol):
    """Rows with scores under any weights (B, N), the number of times that each counts."""

    def __len__(self) -> int: ...

    @property
    def exact(self) -> NDArray[Any] | None:
        """Whether a row is entirely right (N,), for the shares in OF_ROWS; None where only parts of rows are
        right or wrong.
        """

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """Every score under each weighting (B,)."""

    def binned(self) -> Binned | None:
        """The predictions by confidence; None without confidences."""

    def by_class(self, weights: Floats) -> ByClass:
        """Counts of each label under each weighting; no columns without labels."""


@dataclass(frozen=True)
class Scored:
    """Rows of a single-label classifier: all arrays have N rows; classes is the number of labels."""

    truth: Ints
    predicted: Ints
    confidence: Floats
    loss: Floats
    brier: Floats
    classes: int
    bins: int

    @property
    def exact(self) -> Floats:
        """1.0 where the prediction is right (N,)."""
        right: Floats = (self.truth == self.predicted).astype(np.float64)
        return right

    def __len__(self) -> int:
        return len(self.truth)

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """See the function of this name."""
        return aggregate(self, weights)

    def binned(self) -> Binned:
        """The rows by confidence."""
        return calibration.binned(self.confidence, self.exact, self.bins)

    def by_class(self, weights: Floats) -> ByClass:
        """Counts of each label under each weighting."""
        columns = (weights * self.exact, self.truth), (weights, self.truth), (weights, self.predicted)
        return ByClass(*(_by_group(values, group, self.classes) for values, group in columns))


def score_rows(
    probabilities: NDArray[Any], truth: NDArray[Any], bins: int = 15, cut: Cut | None = None
) -> Scored:
    """Per-row quantities of probabilities (N, C) and true label numbers (N,). cut: where one class is
    predicted from a threshold on.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(truth, dtype=np.int64)
    if probabilities.ndim != 2 or len(probabilities) != len(truth) or len(truth) == 0:
        raise ValueError(
            f"Scores need probabilities (N, C) and N true labels, N > 0; got {probabilities.shape} and"
            f" {truth.shape}."
        )
    picked, predicted = probabilities[np.arange(len(truth)), truth], decide(probabilities, cut)
    return Scored(
        truth=truth,
        predicted=predicted,
        confidence=confidence(probabilities, predicted),
        loss=calibration.log_loss_rows(probabilities, truth),
        brier=(probabilities**2).sum(axis=1) - 2 * picked + 1,
        classes=probabilities.shape[1],
        bins=bins,
    )


def aggregate(rows: Scored, weights: Floats) -> dict[str, Floats]:
    """METRICS under each weighting of the rows. weights: (B, N), the number of times that each row counts.
    Returns (B,) arrays.
    """
    total, found = weights.sum(axis=1), rows.by_class(weights)
    shown = found.occurs.sum(axis=1)
    bin_number = calibration.bin_of(rows.confidence, rows.bins)
    gap = np.abs(_by_group(weights * (rows.exact - rows.confidence), bin_number, rows.bins))
    return {
        "accuracy": found.right.sum(axis=1) / total,
        "macro_f1": found.f1.sum(axis=1) / shown,
        "weighted_f1": (found.f1 * found.true).sum(axis=1) / total,
        "macro_precision": found.precision.sum(axis=1) / shown,
        "macro_recall": found.recall.sum(axis=1) / shown,
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


def ratio(above: Floats, below: Floats) -> Floats:
    """The ratios; 0 where below is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def mean_loss(nats: Floats, counted: Floats) -> Floats:
    """The mean loss of each row (N,). nats: sum over its `counted` units; NaN where there are none."""
    return np.divide(nats, counted, out=np.full(len(nats), np.nan), where=counted > 0)


def no_op(done: int, of: int) -> None:
    """Report no progress."""


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


def point_estimates(rows: Countable) -> dict[str, float]:
    """METRICS over all rows, each counted once."""
    return {name: float(value[0]) for name, value in rows.aggregate(np.ones((1, len(rows)))).items()}


def bootstrap(
    rows: Countable, count: int = RESAMPLES, seed: int = 1, clusters: Ints | None = None
) -> dict[str, tuple[float, float]]:
    """95 % interval of each of METRICS, and of ece_debiased where there is an ECE; empty when count is 0.
    clusters: as for `resamples`.

    OF_ROWS by `clustered.share`; other scores from 0 to 1 by `bounded`, with macro means drawn by `Few` where
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
            bounded(points[name], each, parts.get(name, together), around[name])
            if name in BOUNDED
            else _interval(each, points[name], together)
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


def by_label(
    points: Mapping[str, float], whole: ByClass, size: float = 1.0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of macro means from those of each label, which are wide where it has few rows or none,
    however many others have.

    The half-width of a mean of C independent estimates is √Σ half² / C on each side (G. Zou and A. Donner,
    Statistics in Medicine 27(10), 2008). A label's F1 is 2 J / (1 + J) of the share J of right rows among
    those that have it or are predicted as it, with Wilson's interval. Where a macro mean counts labels
    without rows as 0, the upper end counts them as 1. points: the scores of all rows; whole: their counts;
    size: rows per cluster on average.
    """
    occurs, found = whole.occurs[0], {}
    right, true, given = (each[0] / size for each in whole)
    of = {"f1": true + given - right, "precision": given, "recall": true}
    for name, part in MACROS.items():
        if name not in points or not occurs.any():
            continue
        values = getattr(whole, part)[0]
        counted = occurs if points[name] > values[occurs].mean() - TIED else np.ones_like(occurs)
        known = counted & (of[part] > 0)
        ends = (
            np.array([wilson(*pair) for pair in zip(right[known], of[part][known], strict=True)])
            .reshape(-1, 2)
            .T
        )
        low, high = 2 * ends / (1 + ends) if part == "f1" else ends
        less, more = (float(np.sqrt((each**2).sum())) for each in (values[known] - low, high - values[known]))
        more += int((counted & ~known).sum())
        found[name] = (
            max(0.0, points[name] - less / counted.sum()),
            min(1.0, points[name] + more / counted.sum()),
        )
    return found


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


@dataclass(frozen=True)
class Few:
    """Variation of macro means where labels have few rows: resampling alone would keep a label with two right
    rows always right.

    Each label that occurs gets half a pseudo-row of right, missed and wrongly predicted rows, as Poisson
    counts, right as often as all rows are, with wrong ones distributed as the predictions: the idea of
    Agresti and Coull (1998) for a table. For rows in clusters, it is half a cluster.

    occurs: labels that do (C,). more: expected clusters of each kind, of `size` rows. scales: factors to
    means that include labels that don't occur, by score. around: the center of the drawn macro means, by
    score.
    """

    occurs: Bools
    more: Sequence[Any]
    scales: Mapping[str, float]
    around: Mapping[str, float]
    random: np.random.Generator
    size: float = 1.0

    @classmethod
    def of(cls, points: Mapping[str, float], whole: ByClass, seed: int, size: float = 1.0) -> Few | None:
        """points: the scores of all rows; whole: their counts; size: rows per cluster on average. None where
        labels have ENOUGH clusters on average, or there are no labels.
        """
        occurs = whole.occurs[0]
        if not occurs.any() or whole.true.sum() >= ENOUGH * size * occurs.sum():
            return None
        wrong = 0.5 * (1 - (whole.right.sum() + 1) / (whole.true.sum() + 2))
        given = whole.given[0, occurs] + 1
        more = [np.full(len(given), 0.5 - wrong), np.full(len(given), wrong), wrong * given / given.mean()]
        own = {
            name: float(getattr(whole, part)[0, occurs].mean())
            for name, part in MACROS.items()
            if name in points
        }
        scales = {name: points[name] / value if value else 1.0 for name, value in own.items()}
        base = added(whole, occurs, [size * each for each in more])
        around = {name: scale * float(getattr(base, MACROS[name]).mean()) for name, scale in scales.items()}
        return cls(occurs, more, scales, around, np.random.default_rng([seed, 1]), size)

    def macros(self, drawn: ByClass) -> dict[str, Floats]:
        """The macro means of resampled rows (B,). drawn: their counts."""
        more = [self.size * self.random.poisson(each, (len(drawn.right), len(each))) for each in self.more]
        found = added(drawn, self.occurs, more)
        return {
            name: scale * getattr(found, MACROS[name]).mean(axis=1) for name, scale in self.scales.items()
        }


def added(counts: ByClass, occurs: Bools, more: Sequence[Any]) -> ByClass:
    """The counts of the labels that occur, plus more rows that are right, missed and wrongly predicted."""
    right, missed, wrong = more
    own = [each[:, occurs] for each in counts]
    return ByClass(own[0] + right, own[1] + right + missed, own[2] + right + wrong)


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


def _interval(values: Floats, value: float, together: Together) -> tuple[float, float]:
    low, high = np.nanpercentile(values, (2.5, 97.5)) if not np.isnan(values).all() else (np.nan, np.nan)
    return together.wide(float(low), value, float(high))


def per_class(rows: Scored, labels: Sequence[str]) -> list[dict[str, Any]]:
    """One entry per label: support, predicted, precision, recall, f1; a ratio with denominator 0 is 0."""
    counts = confusion(rows)
    tp, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    return [
        {
            "label": label,
            "support": int(support[number]),
            "predicted": int(called[number]),
            "precision": float(tp[number] / called[number]) if called[number] else 0.0,
            "recall": float(tp[number] / support[number]) if support[number] else 0.0,
            "f1": (
                float(2 * tp[number] / (support[number] + called[number]))
                if support[number] + called[number]
                else 0.0
            ),
        }
        for number, label in enumerate(labels)
    ]


def confusion(rows: Scored) -> Ints:
    """Counts (C, C): row = true label, column = predicted."""
    flat = np.bincount(rows.truth * rows.classes + rows.predicted, minlength=rows.classes**2)
    return flat.reshape(rows.classes, rows.classes).astype(np.int64)


def paired_rows(
    one: Countable,
    two: Countable,
    compared: Sequence[str],
    *,
    labels: Sequence[str] | None,
    count: int,
    seed: int,
    lower: Collection[str] = (),
    clusters: Ints | None = None,
    progress: Done = no_op,
    swaps: int = 0,
) -> dict[str, dict[str, Any]]:
    """How much better `two` is than `one` on the same rows; positive is always better for `two`.

    Returns for each of `compared`: baseline, candidate, difference (signed so that positive is better), low,
    high (95 %, the same resampled rows for both), verdict better | worse | unclear. With labels also
    "per_class": {label: {...}} on F1 for labels with support. lower: those of `compared` where less is
    better. clusters: as for `resamples`. progress: called with the resamples done and their total before each
    block; it may raise to stop. swaps: where above 0, each score has the p of `swapped`.
    """
    points = point_estimates(one), point_estimates(two)
    drawn: dict[str, list[Floats]] = {name: [] for name in compared}
    signs = {name: -1.0 if name in lower else 1.0 for name in compared}
    samples = 2 * count if labels else count
    rounds = samples + swaps
    for weights, done in counted(resamples(len(one), count, seed, clusters)):
        progress(done, rounds)
        before, after = one.aggregate(weights), two.aggregate(weights)
        for name in compared:
            drawn[name].append(signs[name] * (after[name] - before[name]))
    together = Together.of(len(one), clusters)
    found = {
        name: _verdict(
            points[0][name],
            points[1][name],
            signs[name],
            np.concatenate(drawn[name]) if drawn[name] else np.zeros(0),
            together,
        )
        for name in compared
    }
    if labels:
        found["per_class"] = paired_per_class(
            one, two, labels, count, seed, clusters, lambda done, _: progress(count + done, rounds)
        )
    if swaps:
        p_values = swapped(
            one,
            two,
            compared,
            count=swaps,
            seed=seed,
            clusters=clusters,
            progress=lambda done, _: progress(samples + done, rounds),
        )
        for name, p in p_values.items():
            found[name]["p"] = p
    return found


Scores = TypeVar("Scores", bound=Countable)


def swapped(
    one: Countable,
    two: Countable,
    compared: Sequence[str],
    *,
    count: int,
    seed: int,
    clusters: Ints | None = None,
    progress: Done = no_op,
) -> dict[str, float]:
    """The two-sided p of each score's difference, by a permutation test over clusters (R. A. Fisher 1935).

    The predictions of the two are swapped at random in whole clusters; p is the share of draws, including the
    observed one, in which the scores differ as much (B. Phipson and G. Smyth 2010). For a share of rows that
    is McNemar's exact test, up to the draws. Valid for any number of rows: where fewer than six clusters
    differ none is below 0.05, up to the draws. An undefined score counts as large. clusters, progress: as for
    `paired_rows`.
    """

    def scores(rows: Countable, weights: Floats) -> Floats:
        every = rows.aggregate(weights)
        return np.stack([every[name] for name in compared], axis=1)

    p_values = _swapped(one, two, scores, count=count, seed=seed, clusters=clusters, progress=progress)
    return dict(zip(compared, p_values.tolist(), strict=True))


def swapped_per_class(
    one: Countable,
    two: Countable,
    labels: Sequence[str],
    *,
    count: int,
    seed: int,
    clusters: Ints | None = None,
) -> dict[str, float]:
    """As `swapped`, for the F1 of each label with support. count: draws for every FEW_LABELS of them,
    MOST_SWAPS at most, so that the smallest p stays below 0.05 after its correction.
    """
    support = one.by_class(np.ones((1, len(one)))).true[0] > 0
    draws = min(MOST_SWAPS, count * -(-int(support.sum()) // FEW_LABELS))
    found = _swapped(
        one,
        two,
        lambda rows, weights: rows.by_class(weights).f1[:, support],
        count=draws,
        seed=seed,
        clusters=clusters,
    )
    return dict(
        zip((label for label, held in zip(labels, support, strict=True) if held), found.tolist(), strict=True)
    )


def _swapped(
    one: Countable,
    two: Countable,
    scores: Callable[[Countable, Floats], Floats],
    *,
    count: int,
    seed: int,
    clusters: Ints | None,
    progress: Done = no_op,
) -> Floats:
    """p of each of K scores (K,). scores: of rows under each weighting (B, K)."""
    both, random, whole = one_after_other(one, two), np.random.default_rng([seed, 2]), np.ones((1, len(one)))
    places = np.arange(len(one)) if clusters is None else clusters
    units, size = int(places.max()) + 1, max(1, BLOCK_CELLS // (4 * len(one)))
    least = np.abs(scores(two, whole) - scores(one, whole))[0]
    large = np.ones(len(least))
    for start in range(0, count, size):
        progress(start, count)
        kept = random.integers(0, 2, size=(min(size, count - start), units)).astype(np.float64)[:, places]
        mine, other = np.split(scores(both, np.block([[kept, 1 - kept], [1 - kept, kept]])), 2)
        large += (~(np.abs(other - mine) < least - TIED)).sum(axis=0)
    p: Floats = large / (count + 1)
    return p


def judged(
    entries: Mapping[Name, Mapping[str, Any]], alone: Mapping[Name, float]
) -> dict[Name, dict[str, Any]]:
    """Entries of `paired_rows` with p, p_holm, adjusted for all of them, and the verdict by
    `verdicts.verdict`. alone: p of each.
    """
    together = holm(alone)
    return {
        name: (
            {**each, "p": alone[name], "p_holm": together[name]}
            | {
                "verdict": (
                    verdict(Interval(each["difference"], each["low"], each["high"]), p=together[name]).value
                )
            }
        )
        for name, each in entries.items()
    }


def one_after_other(one: Scores, two: Scores) -> Scores:
    """The rows of one, then those of the other (2N). Fields other than arrays, or tuples of them, are taken
    from the first.
    """

    def joined(mine: Any, other: Any) -> Any:
        if isinstance(mine, tuple):
            return tuple(joined(*each) for each in zip(mine, other, strict=True))
        return np.concatenate([mine, other]) if isinstance(mine, np.ndarray) else mine

    parts: Any = (one, two)
    return replace(
        parts[0],
        **{each.name: joined(*(getattr(part, each.name) for part in parts)) for each in fields(parts[0])},
    )


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


def apart(
    before: tuple[float, Floats],
    after: tuple[float, Floats],
    clusters: Ints,
    *,
    lower_is_better: bool = False,
) -> dict[str, Any]:
    """How much better the second is, as an entry of `paired_rows`. before, after: a model's score and its
    resamples by `drawn` (B,).
    """
    sign = -1.0 if lower_is_better else 1.0
    differences = sign * (after[1] - before[1])
    return _verdict(before[0], after[0], sign, differences, Together.of(len(clusters), clusters))


def counted(blocks: Iterable[Floats]) -> Iterator[tuple[Floats, int]]:
    """Each block of resamples with the number of earlier ones."""
    done = 0
    for block in blocks:
        yield block, done
        done += len(block)


def _verdict(
    before: float, after: float, sign: float, differences: Floats, together: Together
) -> dict[str, Any]:
    difference = sign * (after - before)
    low, high = (
        _interval(differences, difference, together) if len(differences) else (float("nan"), float("nan"))
    )
    word = verdict(Interval(difference, low, high)).value
    return {
        "baseline": before,
        "candidate": after,
        "difference": difference,
        "low": low,
        "high": high,
        "verdict": word,
    }


def as_change(found: Mapping[str, Any], *, lower_is_better: bool) -> dict[str, Any]:
    """An entry of `paired_rows` for pages: difference, low and high are candidate minus baseline, and better
    is the good direction, "up" or "down".
    """
    if not lower_is_better or found["difference"] is None:
        return dict(found) | {"better": "down" if lower_is_better else "up"}
    low, high = (None if found[end] is None else -found[end] for end in ("high", "low"))
    return dict(found) | {"difference": -found["difference"], "low": low, "high": high, "better": "down"}


def paired_per_class(
    one: Countable,
    two: Countable,
    labels: Sequence[str],
    count: int,
    seed: int,
    clusters: Ints | None = None,
    progress: Done = no_op,
) -> dict[str, Any]:
    """F1 of each label with support under both models, and the interval of its difference."""
    blocks = []
    for weights, done in counted(resamples(len(one), count, seed, clusters)):
        progress(done, count)
        blocks.append(two.by_class(weights).f1 - one.by_class(weights).f1)
    drawn = np.concatenate(blocks)
    whole = np.ones((1, len(one)))
    counts = one.by_class(whole)
    together = Together.of(len(one), clusters)
    before, after, support = counts.f1[0], two.by_class(whole).f1[0], counts.true[0]
    return {
        label: {
            **_verdict(float(before[number]), float(after[number]), 1.0, drawn[:, number], together),
            "support": int(support[number]),
        }
        for number, label in enumerate(labels)
        if support[number]
    }
