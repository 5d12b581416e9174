"""How often the intervals, alarms, verdicts and gates that pages show are right: coverage, false alarms and power in worlds made by a seed.

    python -m benchmarks.statistics [--quick] [--only WORD]

Each case below calls the product's own function in one kind of world: rows that are independent; rows in clusters, such as requests of
customers, with an intraclass correlation of .02, .3 or .8; figures that are looked at again and again; feedback that selects. Beside it
stands what is usual: percentile bootstrap, the interval or test for one look and independent rows, a fixed threshold. The bars:

    coverage        not below nominal − 2 points
    false alarms    not above the stated α by more than two standard errors of the simulation
    power           not below 0.8 × that of an oracle on the same data: the same difference held against the limit that, in this very world
                    without an effect, 5 % of paths pass at any of their looks; of burn rates the published table, which fires whenever it
                    is over. Effects are such that the oracle's power is near 0.9 where rows allow it.

A world that a function does not claim to hold in is measured too, and is a miss where it misses. `--quick` takes a seventh of the runs, too
few to tell a point, so that coverage and power may lack two standard errors there. A case is a function that yields rows, named in CASES.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from datasets_app.labeling import rules as labeling
from lifecycle.engine import baseline_scores
from lifecycle.engine.data import Rows
from lifecycle.evaluation import rules as evaluation
from lifecycle.statistics import (
    calibration,
    clustered,
    fairness,
    groups,
    intervals,
    membership,
    metrics,
    operating,
    sequences,
    significance,
)
from lifecycle.statistics.clustered import sums
from monitoring.alerts.rules import burn
from monitoring.drift import statistics as drift
from monitoring.drift.rules import JUDGED_LEAST, MIN_ROWS
from monitoring.retraining.rules import reasons
from monitoring.rollouts.rules import interval as rollouts
from monitoring.traffic import outcomes
from registry.policies import gates
from registry.policies import rules as policy

STANDARD = Path(gates.__file__).with_name("standard.yaml")
COVERAGE, ALARMS, POWER = "coverage", "false alarms", "power"
NOMINAL, POINTS, ALPHA, OF_ORACLE = 0.95, 0.02, 0.05, 0.8
Z, REACH = intervals.Z95, intervals.Z95 + 1.2816  # an effect of so many standard errors is found with 90 % at one look
ALIKE = (0.0, 0.02, 0.3, 0.8)  # intraclass correlations
QUICK, ERRORS = 0.15, 2.0  # of the runs; standard errors of the simulation
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ends = Iterable[tuple[float, float]]


@dataclass(frozen=True)
class Row:
    """A line of the table. ours, peer, bar: shares of `runs`; peer is None where nothing usual does the same. usual: what the peer is."""

    what: str
    world: str
    size: str
    kind: str
    runs: int
    ours: float
    bar: float
    peer: float | None = None
    usual: str = ""

    def met(self, errors: float = 0.0) -> bool:
        """Whether the bar is. errors: how many standard errors of the simulation coverage and power may lack."""
        error = (self.bar * (1 - self.bar) / self.runs) ** 0.5
        return self.ours <= self.bar + ERRORS * error if self.kind == ALARMS else self.ours >= self.bar - errors * error


@dataclass(frozen=True)
class Draw:
    """Where a case draws from. scale: of its runs."""

    random: np.random.Generator
    scale: float = 1.0

    def runs(self, number: int) -> int:
        """So many, scaled; 4 at least."""
        return max(4, round(number * self.scale))


Case = Callable[[Draw], Iterator[Row]]


def main() -> int:
    """Run it; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs: under 2 minutes")
    parser.add_argument("--only", default="", help="cases whose name has this word")
    parser.add_argument("--seed", type=int, default=19)
    given = parser.parse_args()
    began, rows, errors = time.process_time(), [], ERRORS if given.quick else 0.0
    print(HEAD, flush=True)
    for case in CASES:
        if given.only in case.__name__:
            for row in played(case, QUICK if given.quick else 1.0, given.seed):
                rows.append(row)
                print(line(row, errors), flush=True)
    missed = [f"{row.what}, {row.world}, {row.size}, {row.kind}" for row in rows if not row.met(errors)]
    figures = {"rows": len(rows), "missed": missed, "cpu_s": round(time.process_time() - began), "load": os.getloadavg()[0]}
    bar = {"coverage": round(NOMINAL - POINTS, 2), "false_alarms": "α", "power": OF_ORACLE}
    print(f"\n{len(rows) - len(missed)} of {len(rows)} bars met" + "".join(f"\n  missed: {each}" for each in missed))
    print(json.dumps({"benchmark": "statistics", "figures": figures, "quick": given.quick, "bar": bar, "met": not missed}))
    return int(bool(missed))


def played(case: Case, scale: float, seed: int) -> Iterator[Row]:
    """The rows of a case; the same for the same arguments, whatever other cases there are."""
    yield from case(Draw(np.random.default_rng([seed, zlib.crc32(case.__name__.encode())]), scale))


HEAD = "| what | world | size | | bar | ours | peer | peer's rule | met |\n|---|---|---|---|---|---|---|---|---|"


def line(row: Row, errors: float = 0.0) -> str:
    """As a line of a table in Markdown."""
    sign = "≤" if row.kind == ALARMS else "≥"
    digits = 2 if row.bar < 0.01 else 1
    ours, bar, peer = (f"{100 * each:.{digits}f}" if each is not None else "" for each in (row.ours, row.bar, row.peer))
    cells = (row.what, row.world, row.size, row.kind, f"{sign} {bar} %", f"{ours} %", f"{peer} %" if peer else "", row.usual)
    return f"| {' | '.join(cells)} | {'yes' if row.met(errors) else '**no**'} |"


# ── What cases are made of ──────────────────────────────────────────────────
def holds(found: Ends, truth: float) -> Floats:
    """Whether each interval has it (runs,)."""
    return np.array([low <= truth <= high for low, high in found], dtype=float)


def by_count(ends: Callable[[int], tuple[float, float]], counts: Ints) -> Ends:
    """The interval of each count; of equal ones computed once."""
    known = {int(each): ends(int(each)) for each in np.unique(counts)}
    return [known[int(each)] for each in counts.ravel()]


def pair(found: intervals.Interval) -> tuple[float, float]:
    """Its ends."""
    return found.low, found.high


def alike_within(draw: Draw, shape: tuple[int, int], chance: float, icc: float) -> Floats:
    """The chance of each cluster (runs, clusters): beta, so that two rows of one cluster correlate by icc."""
    if not icc:
        return np.full(shape, chance)
    spread = (1 - icc) / icc
    return draw.random.beta(chance * spread, (1 - chance) * spread, shape)


def counted(draw: Draw, runs: int, clusters: int, size: int, chance: float, icc: float) -> tuple[Ints, Ints]:
    """Successes and rows of each cluster (runs, clusters): 1 and a Poisson number of rows, `size` on average; of size 1 one each."""
    rows = 1 + draw.random.poisson(size - 1, (runs, clusters))
    return draw.random.binomial(rows, alike_within(draw, (runs, clusters), chance, icc)), rows


def oracle(without: Floats, effect: Floats, alpha: float = ALPHA) -> float:
    """How often |statistic| (runs,) is beyond what a share of alpha of the same statistics without an effect passes."""
    limit = np.quantile(np.abs(without), 1 - alpha, method="higher")
    return float((np.abs(effect) > limit).mean())


def furthest(differences: Floats, like: Floats) -> Floats:
    """The largest |difference| (runs, looks) of all looks, in standard deviations that `like` has at that look; finite ones alone."""
    spread = np.nanstd(like, axis=0)
    return np.nanmax(np.abs(differences[:, spread > 0] / spread[spread > 0]), axis=1)


def covers(named: tuple[str, str, str], runs: int, ours: float, peer: float | None = None, usual: str = "") -> Row:
    """A row of coverage. named: what, world and size."""
    return Row(*named, COVERAGE, runs, float(ours), NOMINAL - POINTS, None if peer is None else float(peer), usual)


def cries(named: tuple[str, str, str], runs: int, ours: float, peer: float, usual: str, alpha: float = ALPHA) -> Row:
    """A row of false alarms."""
    return Row(*named, ALARMS, runs, float(ours), alpha, float(peer), usual)


def finds(named: tuple[str, str, str], runs: int, ours: float, best: float) -> Row:
    """A row of power. best: the oracle's."""
    return Row(*named, POWER, runs, float(ours), OF_ORACLE * float(best))


def world_of(icc: float) -> str:
    """In words."""
    return f"clusters, ICC {icc:g}"


def rate(flags: Iterable[Any]) -> float:
    """The share that is true."""
    return float(np.mean(np.asarray(list(flags), dtype=float)))


# ── lifecycle/statistics: shares, differences and means at one look ─────────
def share(draw: Draw) -> Iterator[Row]:
    """Wilson's interval of independent rows; the worst of three shares."""
    runs = draw.runs(20_000)
    for n in (30, 100, 1000, 10_000):
        ours, peer = [], []
        for chance in (0.5, 0.9, 0.98):
            hits = draw.random.binomial(n, chance, runs)
            ours.append(holds(by_count(lambda s, n=n: pair(intervals.share(s, n)), hits), chance).mean())
            low, high = stats.binom.ppf([[0.025], [0.975]], n, hits / n) / n  # what resampled rows come to
            peer.append(((low <= chance) & (chance <= high)).mean())
        yield covers(("share", "independent", f"{n:,} rows"), runs, min(ours), min(peer), "percentile bootstrap")


def share_of_clusters(draw: Draw) -> Iterator[Row]:
    """Dean and Pagano's; the worst of three shares."""
    runs = draw.runs(6000)
    for clusters, size in ((10, 3), (20, 5), (50, 20), (200, 50)):
        for icc in ALIKE:
            ours, peer = [], []
            for chance in (0.5, 0.9, 0.98):
                hits, rows = counted(draw, runs, clusters, size, chance, icc)
                ours.append(holds((pair(clustered.share(sums(*each))) for each in zip(hits, rows, strict=True)), chance).mean())
                total = zip(hits.sum(axis=1), rows.sum(axis=1), strict=True)
                peer.append(holds((intervals.wilson(*each) for each in total), chance).mean())
            size_told = f"{clusters} × {size}"
            yield covers(("share, by cluster", world_of(icc), size_told), runs, min(ours), min(peer), "Wilson of rows")


def difference(draw: Draw) -> Iterator[Row]:
    """Newcombe's of two independent samples; the worst of three pairs of shares."""
    runs = draw.runs(20_000)
    for n in (30, 100, 1000, 10_000):
        ours, peer = [], []
        for one, two in ((0.5, 0.5), (0.9, 0.9), (0.98, 0.9)):
            hits, others = draw.random.binomial(n, one, runs), draw.random.binomial(n, two, runs)
            found = (pair(intervals.newcombe(int(a), n, int(b), n)) for a, b in zip(hits, others, strict=True))
            ours.append(holds(found, one - two).mean())
            shares, rest = hits / n, others / n
            half = Z * np.sqrt((shares * (1 - shares) + rest * (1 - rest)) / n)
            peer.append((np.abs(shares - rest - (one - two)) <= half).mean())
        yield covers(("difference of shares", "independent", f"2 × {n:,} rows"), runs, min(ours), min(peer), "Welch, one look")


def difference_of_clusters(draw: Draw) -> Iterator[Row]:
    """Two arms of other customers, and an effect on one of them."""
    runs, chance = draw.runs(5000), 0.8
    for clusters, size in ((20, 5), (50, 20), (200, 50)):
        for icc in ALIKE:
            told = f"2 × {clusters} × {size}"
            apart = REACH * (2 * chance * (1 - chance) * (1 + (size - 0.5) * icc) / (clusters * size)) ** 0.5
            arms = [counted(draw, runs, clusters, size, max(each, 0.05), icc) for each in (chance, chance, chance - apart)]
            found = [
                [clustered.difference(sums(one[0][at], one[1][at]), sums(two[0][at], two[1][at])) for at in range(runs)]
                for one, two in ((arms[0], arms[1]), (arms[0], arms[2]))
            ]
            totals = [(hits.sum(axis=1), rows.sum(axis=1)) for hits, rows in arms]
            rows = [pair(intervals.newcombe(*map(int, each))) for each in zip(*totals[0], *totals[1], strict=True)]
            null, effect = (np.array([each.value for each in some]) for some in found)
            yield covers(
                ("difference of shares, by cluster", world_of(icc), told),
                runs,
                holds(map(pair, found[0]), 0.0).mean(),
                holds(rows, 0.0).mean(),
                "Newcombe of rows",
            )
            yield finds(
                ("difference of shares, by cluster", world_of(icc), told),
                runs,
                rate(each.low > 0 for each in found[1]),
                oracle(null, effect),
            )


def skewed(draw: Draw) -> Iterator[Row]:
    """Hall's interval of a mean of money."""
    runs = draw.runs(8000)
    for name, spends in (("lognormal", 1.0), ("lognormal, a fifth spends", 0.2)):
        for n in (100, 300, 1000, 10_000):
            truth = spends * np.exp(3.5)
            ours, peer = [], []
            for _ in range(min(runs, draw.runs(30_000_000 // n))):
                values = draw.random.lognormal(3, 1, n) * (draw.random.random(n) < spends)
                ours.append(pair(clustered.skewed(values, np.ones(n))))
                half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5
                peer.append((values.mean() - half, values.mean() + half))
            yield covers(
                ("mean of skewed numbers", name, f"{n:,}"), len(ours), holds(ours, truth).mean(), holds(peer, truth).mean(), "Student"
            )


# ── Looking again and again ─────────────────────────────────────────────────
def looks_to(last: int, number: int = 50, first: int = 1) -> Ints:
    """Counts at which somebody looks: all up to `number`, then ever further apart."""
    return np.unique(np.geomspace(first, last, number).round().astype(np.int64))


def share_at_every_look(draw: Draw) -> Iterator[Row]:
    """The beta-binomial confidence sequence; the worst of three shares."""
    for n in (30, 200, 1000, 10_000):
        runs, looks = draw.runs(5000), looks_to(n)
        ours, peer = [], []
        for chance in (0.7, 0.9, 0.98):
            so_far = draw.random.binomial(np.diff(looks, prepend=0), chance, (runs, len(looks))).cumsum(axis=1)
            in_all = np.ones((2, runs))
            for at, count in enumerate(looks.tolist()):
                for rule, of in enumerate((sequences.share, intervals.wilson)):
                    in_all[rule] *= holds(by_count(lambda s, of=of, count=count: of(s, count), so_far[:, at]), chance)
            ours.append(in_all[0].mean())
            peer.append(in_all[1].mean())
        told = f"{n:,} trials, {len(looks)} looks"
        yield covers(("share, at every look", "repeated looks", told), runs, min(ours), min(peer), "Wilson at each look")


def mean_at_every_look(draw: Draw) -> Iterator[Row]:
    """The asymptotic confidence sequence over clusters, and how soon it finds a mean that is not 0."""
    half_width = np.vectorize(sequences.half_width)
    for name, first, last in (("normal", 30, 300), ("normal", 30, 3000), ("exponential", 100, 1000), ("exponential", 100, 3000)):
        runs, looks = draw.runs(3000), looks_to(last, 40, first)
        values = draw.random.exponential(1, (runs, last)) - 1 if name == "exponential" else draw.random.normal(0, 1, (runs, last))
        sum_1, sum_2 = values.cumsum(axis=1)[:, looks - 1], (values**2).cumsum(axis=1)[:, looks - 1]
        means = sum_1 / looks
        variances = (sum_2 / looks - means**2) / (looks - 1)
        half, apart = half_width(variances, sequences.tau_for(1.0, sequences.BEST_AT)), (REACH + 0.5) / last**0.5
        told, what = f"{last:,}, {len(looks)} looks", "mean, at every look"
        yield covers(
            (what, f"repeated looks, {name}", told),
            runs,
            (np.abs(means) <= half).all(axis=1).mean(),
            (np.abs(means) <= Z * np.sqrt(variances)).all(axis=1).mean(),
            "z at each look",
        )
        yield finds(
            (what, f"repeated looks, {name}", told),
            runs,
            (np.abs(means + apart) > half).any(axis=1).mean(),
            oracle(furthest(means, means), furthest(means + apart, means)),
        )


# ── Tests ───────────────────────────────────────────────────────────────────
def mcnemar(draw: Draw) -> Iterator[Row]:
    """Two models on the same rows, near duplicates in clusters of five; a fifth of the rows is answered otherwise."""
    runs, size = draw.runs(3000), 5
    for clusters in (20, 200, 2000):
        for icc in ALIKE:
            told, n = f"{clusters} × {size}", clusters * size
            apart = REACH * (0.2 * (1 + (size - 1) * icc) / n) ** 0.5  # of the chances of fixed and broken
            shown = {}
            for name, by in (("null", 0.0), ("effect", min(apart, 0.19))):
                found = np.zeros((3, runs))
                for run in range(runs):
                    turned = signs(draw, (clusters, size), icc, by)
                    fixed, broken = int((turned > 0).sum()), int((turned < 0).sum())
                    told_by = significance.mcnemar_clustered(turned.sum(axis=1).tolist()), significance.mcnemar(fixed, broken)
                    found[:, run] = told_by[0] < ALPHA, told_by[1] < ALPHA, fixed - broken
                shown[name] = found
            null, effect = shown["null"], shown["effect"]
            yield cries(("McNemar, by cluster", world_of(icc), told), runs, null[0].mean(), null[1].mean(), "McNemar of rows")
            yield finds(("McNemar, by cluster", world_of(icc), told), runs, effect[0].mean(), oracle(null[2], effect[2]))


def signs(draw: Draw, shape: tuple[int, int], icc: float, apart: float) -> Ints:
    """1 where a row was fixed, −1 where broken (clusters, size); a row does as its cluster does with the root of icc."""
    luck = np.where(draw.random.random(shape) < icc**0.5, draw.random.random((shape[0], 1)), draw.random.random(shape))
    return (luck < 0.1 + apart / 2).astype(np.int64) - (luck > 0.9 + apart / 2)


def holm(draw: Draw) -> Iterator[Row]:
    """Several figures without an effect: whether any p-value is below 0.05."""
    runs = draw.runs(10_000)
    for number in (5, 20):
        for name, alike in (("independent", 0.0), ("figures correlate by .5", 0.5)):
            scores = draw.random.normal(size=(runs, number)) * (1 - alike) ** 0.5 + draw.random.normal(size=(runs, 1)) * alike**0.5
            p = 2 * special.ndtr(-np.abs(scores))
            ours = rate(min(significance.holm(dict(enumerate(each))).values()) < ALPHA for each in p)
            yield cries(("several figures, Holm", name, f"{number} figures"), runs, ours, (p.min(axis=1) < ALPHA).mean(), "unadjusted")


def slices(draw: Draw) -> Iterator[Row]:
    """Ten slices that do not differ: whether any is better or worse than the rest. Clusters of five rows: in one slice, or through all."""
    runs, worlds = draw.runs(1000), [("independent", 0.0, 0.0), ("clusters of 5, ICC 0.3", 0.3, 0.0)]
    told = [(rows, *world) for rows in (30, 300) for world in worlds]
    for rows, name, icc, astray in [*told, *((rows, "clusters of 5, ICC 0.3, through slices", 0.3, 0.5) for rows in (30, 300))]:
        ones, found = np.ones(10 * rows), np.zeros((2, runs))
        clusters = np.repeat(np.arange(2 * rows), 5)
        for run in range(runs):
            own = alike_within(draw, (1, 2 * rows), 0.8, icc)[0] if icc else np.full(2 * rows, 0.8)
            right, codes = (draw.random.random(10 * rows) < own[clusters]).astype(float), np.repeat(np.arange(10), rows)
            if astray:
                codes = np.where(draw.random.random(10 * rows) < astray, draw.random.integers(0, 10, 10 * rows), codes)
            by = groups.Quotient("accuracy", right, ones, is_share=True, clusters=clusters if icc else None)
            some = groups.sums(by, codes, 10)
            p, alone = (test(by, some, codes, range(10), run) for test in (groups.p_values, groups.fisher))
            found[:, run] = min(significance.holm(dict(enumerate(p))).values()) < ALPHA, min(alone) < ALPHA
        yield cries(("slices against the rest", name, f"10 × {rows}"), runs, found[0].mean(), found[1].mean(), "Fisher, unadjusted")


def fairness_gap(draw: Draw) -> Iterator[Row]:
    """The widest difference of four groups, chosen after looking; they are alike in truth."""
    runs = draw.runs(10_000)
    for n in (30, 100, 1000):
        hits = draw.random.binomial(n, 0.8, (runs, 4))
        ours, peer = [], []
        for each in hits.tolist():
            gap = fairness.gaps([fairness.Rates(hit, 0, 0, n - hit) for hit in each])["demographic_parity_difference"]
            ours.append(gap.interval)
            peer.append(pair(intervals.newcombe(max(each), n, min(each), n)))
        yield covers(
            ("fairness, largest difference", "selected after looking", f"4 × {n:,}"),
            runs,
            holds(ours, 0.0).mean(),
            holds(peer, 0.0).mean(),
            "Newcombe of the widest",
        )


# ── Evaluation ──────────────────────────────────────────────────────────────
def calibration_error(draw: Draw) -> Iterator[Row]:
    """ECE of a model that is calibrated, and of one that is 8 points too sure; 200 resamples stand for the product's 1,000."""
    bins, resampled = 15, 200
    for n in (100, 1000, 10_000):
        runs, found = draw.runs(1500 if n < 10_000 else 500), {}
        for name, off in (("calibrated", 0.0), ("8 points too sure", 0.08)):
            inside, beside, errors = [], [], []
            for run in range(runs):
                sure = 0.35 + 0.65 * draw.random.beta(4, 1.5, n)
                right = (draw.random.random(n) < sure - off).astype(float)
                number = calibration.bin_of(sure, bins)
                apart = np.zeros((n, bins))
                apart[np.arange(n), number] = right - sure
                eces = np.concatenate([np.abs(weights @ apart).sum(axis=1) / n for weights in metrics.resamples(n, resampled, run)])
                answers = calibration.binned(sure, right, bins)
                inside.append(calibration.ece_interval(answers, eces))
                beside.append(tuple(np.percentile(eces, (2.5, 97.5))))
                errors.append(answers.ece)
            found[name] = inside, np.array(errors)
            yield covers(("ECE", name, f"{n:,} rows"), runs, holds(inside, off).mean(), holds(beside, off).mean(), "percentile bootstrap")
        inside, errors = found["8 points too sure"]
        yield finds(
            ("ECE above 0", "8 points too sure", f"{n:,} rows"),
            runs,
            rate(low > 0 for low, _ in inside),
            oracle(found["calibrated"][1], errors, ALPHA / 2),
        )


def scores(draw: Draw) -> Iterator[Row]:
    """Accuracy and macro-F1 of a model that is right in 99 or 85 %; 300 resamples stand for the product's 1,000."""
    worlds = ("accuracy", 30, 2, 0.99), ("accuracy", 100, 2, 0.99), ("accuracy", 1000, 2, 0.85), ("macro_f1", 800, 77, 0.85)
    for name, n, classes, right in worlds:
        runs, resampled = draw.runs(400), 300
        ours, peer = [], []
        for run in range(runs):
            truth = draw.random.integers(0, classes, n)
            said = (truth + (draw.random.random(n) >= right) * draw.random.integers(1, classes, n)) % classes
            rows = metrics.score_rows(np.eye(classes)[said], truth)
            ours.append(metrics.bootstrap(rows, resampled, run)[name])
            drawn = np.concatenate([metrics.aggregate(rows, weights)[name] for weights in metrics.resamples(n, resampled, run)])
            peer.append(tuple(np.percentile(drawn, (2.5, 97.5))))
        named = (name.replace("_f1", "-F1"), f"independent, right in {100 * right:g} %", f"{n:,} rows, {classes} classes")
        yield covers(named, runs, holds(ours, right).mean(), holds(peer, right).mean(), "percentile bootstrap")


def scores_of_clusters(draw: Draw) -> Iterator[Row]:
    """Accuracy of near duplicates in clusters of five, and two models on the same rows that are equally good; 300 resamples stand for the
    product's 1,000. A row is as the rest of its cluster, which two models answer apart."""
    size, resampled, right = 5, 300, 0.85
    for clusters in (40, 160):
        for icc in (0.0, 0.8):
            runs, told = draw.runs(400), f"{clusters} × {size}"
            codes, none = np.repeat(np.arange(clusters), size), np.zeros(clusters * size)
            ours, peer, apart, rows_apart = [], [], [], []
            for run in range(runs):
                own = alike_within(draw, (2, clusters), right, icc)[:, codes]
                said = (draw.random.random(own.shape) >= own).astype(np.int64)
                one, two = (metrics.Scored(none.astype(np.int64), each, none, none, none, 2, 15) for each in said)
                for by, found, pairs in ((codes, ours, apart), (None, peer, rows_apart)):
                    found.append(metrics.bootstrap(one, resampled, run, by)["accuracy"])
                    both = metrics.paired_rows(one, two, ["accuracy"], labels=None, count=resampled, seed=run, clusters=by)["accuracy"]
                    pairs.append((both["low"], both["high"]))
            named = "accuracy, by cluster", world_of(icc), told
            yield covers(named, runs, holds(ours, right).mean(), holds(peer, right).mean(), "resampled rows")
            named = "paired difference, by cluster", world_of(icc), told
            yield covers(named, runs, holds(apart, 0.0).mean(), holds(rows_apart, 0.0).mean(), "resampled rows")


def better_than_a_baseline(draw: Draw) -> Iterator[Row]:
    """A run that is right where a baseline isn't in 7 %, and the other way round in 2 %; or in 4 % each. 300 resamples stand for the
    product's 1,000."""
    runs, n = draw.runs(300), 600
    shape = {"task": "single_label", "count": 300, "seed": 1}
    rows, found = Rows(tuple(map(str, range(n))), ("",) * n), {}
    for name, shares in (("null", [0.1, 0.04, 0.04, 0.82]), ("effect", [0.1, 0.02, 0.07, 0.81])):
        told = np.zeros((3, runs))
        for run in range(runs):
            truth, kind = draw.random.integers(0, 2, n), draw.random.choice(4, n, p=shares)
            own, other = (metrics.score_rows(np.eye(2)[truth ^ np.isin(kind, wrong)], truth) for wrong in ([0, 1], [0, 2]))
            baseline = baseline_scores.measure(other, rows, ("accuracy", "macro_f1"), **shape)
            report = metrics.summary(own, count=300, seed=1) | baseline_scores.told(own, rows, {"tfidf_logreg": baseline}, **shape)
            two = report | {"against": {}}
            told[:, run] = evaluation.rival(report) is None, evaluation.rival(two) is None, (kind == 2).sum() - (kind == 1).sum()
        found[name] = told
    named = "better than a baseline", "independent", f"{n} rows"
    null, effect = found["null"], found["effect"]
    yield cries(named, runs, null[0].mean(), null[1].mean(), "two intervals")
    yield finds(named, runs, effect[0].mean(), oracle(null[2], effect[2]))


def membership_area(draw: Draw) -> Iterator[Row]:
    """AUC of the attack by loss: exponential losses whose scales stand as true to 1 − true."""
    for n in (30, 100, 1000):
        runs = draw.runs(3000 if n < 1000 else 1000)
        for true in (0.5, 0.6, 0.95):
            ours, peer = [], []
            for run in range(runs):
                ends, inside, outside = attacked(draw, n, true)
                ours.append(ends)
                peer.append(resampled_area(inside, outside, run))
            yield covers(
                ("membership AUC", f"independent, true {true:g}", f"2 × {n:,} rows"),
                runs,
                holds(ours, true).mean(),
                holds(peer, true).mean(),
                "percentile bootstrap",
            )
    for n, true in ((100, 0.5), (100, 0.8), (1000, 0.5)):
        runs = draw.runs(3000 if n < 1000 else 1000)
        for alike in (0.3, 0.8):
            found = [attacked(draw, n, true, alike) for _ in range(runs)]
            peer = [membership.auc_interval(float(membership.placements(-one, -two).mean()), n, n) for _, one, two in found]
            named = ("membership AUC", f"near duplicates by five, {alike:g} equal, true {true:g}", f"2 × {n:,} rows")
            yield covers(named, runs, holds((each[0] for each in found), true).mean(), holds(peer, true).mean(), "Newcombe of rows")


def by_five(n: int) -> Ints:
    """The cluster of each of n rows, five to each."""
    return np.arange(n) // 5


def attacked(draw: Draw, n: int, true: float, alike: float = 0.0) -> tuple[tuple[float, float], Floats, Floats]:
    """The interval and both sides' losses; in clusters of five a row has the loss of its cluster with chance `alike`."""
    sides = []
    for scale in ((1 - true) / true, 1.0):
        own = draw.random.exponential(scale, n)
        common = draw.random.exponential(scale, -(-n // 5))[by_five(n)]
        sides.append(np.where(draw.random.random(n) < alike, common, own) if alike else own)
    clusters = by_five(n).tolist() if alike else None
    found = membership.attack(*sides, clusters, clusters)
    return (found["low"], found["high"]), sides[0], sides[1]


def resampled_area(inside: Floats, outside: Floats, seed: int, count: int = 200) -> tuple[float, float]:
    """Percentiles of the area over resampled rows of either side."""
    random, below = np.random.default_rng(seed), (inside[:, None] < outside[None]).astype(np.float32)
    one, two = (random.multinomial(len(each), np.full(len(each), 1 / len(each)), count).astype(np.float32) for each in (inside, outside))
    areas = ((one @ below) * two).sum(axis=1) / below.size
    low, high = np.percentile(areas, (2.5, 97.5))
    return float(low), float(high)


def membership_gate(draw: Draw) -> Iterator[Row]:
    """A gate at 0.55: how often a leak of 0.6 passes, and how often a model without one does."""
    gate = gates.Gate("membership", {"at_most": 0.55})
    for n in (50, 300, 1000):
        runs, passed, fixed = draw.runs(3000), {}, {}
        for true in (0.6, 0.5):
            found = []
            for _ in range(runs):
                (low, high), inside, outside = attacked(draw, n, true)
                value = membership.attack(inside, outside)["auc"]
                measure = gates.Measure(value, low, high)
                found.append((gates.membership(gate, gates.Evidence(membership=measure)).outcome is gates.Outcome.PASSED, value))
            passed[true], fixed[true] = (np.array(each) for each in zip(*found, strict=True))
        told = f"2 × {n:,} rows"
        yield cries(
            ("gate: membership", "true AUC .60, limit .55", told),
            runs,
            passed[0.6].mean(),
            (fixed[0.6] <= 0.55).mean(),
            "value at most .55",
            ALPHA / 2,
        )
        at_limit = [attacked(draw, n, 0.55) for _ in range(runs)]
        areas = np.array([float((inside[:, None] < outside[None]).mean()) for _, inside, outside in at_limit])
        best = (fixed[0.5] < np.quantile(areas, ALPHA / 2)).mean()
        yield finds(("gate: membership passes", "true AUC .50, limit .55", told), runs, passed[0.5].mean(), best)


def live_gate(draw: Draw) -> Iterator[Row]:
    """The standard policy's gate against the live version: how often one that is worse by the margin passes, and how often an equal one
    does. Four rows in 100 turn; macro-F1 of four labels, paired."""
    settings = policy.read(STANDARD.read_text(encoding="utf-8")).gates["live"]
    margin, gate = float(settings["at_most_worse"]), gates.Gate("live", settings)
    for n in (200, 900, 2000):
        runs, told = draw.runs(600), f"{n:,} rows"
        passed, values = {}, {}
        for worse in (margin, 0.0):
            found = [compared(draw, n, worse) for _ in range(runs)]
            lives = [gates.Evidence(live=gates.Live("1.0.0", {"macro_f1": each}, n)) for each in found]
            passed[worse] = rate(gates.live(gate, each).outcome is gates.Outcome.PASSED for each in lives)
            values[worse] = np.array([each.value for each in found])
        named = ("gate: not worse than live", f"worse by the margin, {margin:g}", told)
        yield cries(named, runs, passed[margin], (values[margin] >= -0.01).mean(), "value at most .01 worse", ALPHA / 2)
        best = (values[0.0] > np.quantile(values[margin], 1 - ALPHA / 2)).mean()
        yield finds(("gate: not worse than live, passes", "equal versions", told), runs, passed[0.0], best)


def compared(draw: Draw, n: int, worse: float, labels: int = 4, turned: float = 0.04) -> gates.Measure:
    """The paired difference of macro-F1 of two versions, right on about nine rows of ten. worse: share of rows broken less share fixed."""
    truth, luck = draw.random.integers(labels, size=n), draw.random.random(n)
    broken, both = luck < (turned + worse) / 2, luck > 0.1 + turned
    fixed = ~broken & (luck < turned)
    one, two = (np.eye(labels)[np.where(both | right, truth, (truth + 1) % labels)] for right in (broken, fixed))
    found = metrics.paired(truth, one, two, count=400, seed=int(draw.random.integers(2**31)))["macro_f1"]
    return gates.Measure(found["difference"], found["low"], found["high"])


def cost_of_rows(draw: Draw) -> Iterator[Row]:
    """What 1,000 rows cost at an operating point: 5 a wrong call, 20 a missed row, 1 a person."""
    costs, prices = operating.Costs(5.0, 20.0, 1.0), np.array([0, 5, 20, 0, 1])
    for name, chances in (("independent", (0.3, 0.04, 0.02, 0.54, 0.1)), ("independent, dear rows rare", (0.3, 0.01, 0.005, 0.685, 0.0))):
        truth = float(prices @ chances) * operating.PER
        for n in (30, 100, 1000, 10_000):
            runs = draw.runs(2000)
            counts = draw.random.multinomial(n, chances, runs)
            found = [
                operating.Outcome(*map(int, each), positives=int(each[0] + each[2])).cost(costs, seed=run)[1:]
                for run, each in enumerate(counts)
            ]
            drawn = (draw.random.multinomial(n, each / n, 1000) @ prices * operating.PER / n for each in counts)
            peer = [np.percentile(each, (2.5, 97.5)).tolist() for each in drawn]
            named = ("cost of 1,000 rows", name, f"{n:,} rows")
            yield covers(named, runs, holds(found, truth).mean(), holds(peer, truth).mean(), "percentile bootstrap")


def threshold_at_precision(draw: Draw) -> Iterator[Row]:
    """Whether a threshold for a precision of .9, chosen on validation, has it in truth, or none is promised.

    Scores are true chances, but for the surest 2 % of rows of one world, which are wrong half of the time; in another each text stands five
    times, which the procedure is told. It does not claim to hold in the first of these two."""
    for world, centre, spread, copies, wrong in (
        ("15 % positive", -2.0, 2.0, 1, 0.0), ("50 % positive", 0.0, 2.0, 1, 0.0), ("80 % positive", 2.0, 1.5, 1, 0.0),
        ("80 % positive, surest 2 % wrong", 2.0, 1.5, 1, 0.02), ("80 % positive, each text five times", 2.0, 1.5, 5, 0.0),
    ):  # fmt: skip
        many = np.sort(special.expit(draw.random.normal(centre, spread, 400_000)))
        sure = float(np.quantile(many, 1 - wrong)) if wrong else 1.0
        chances = np.where(many > sure, 0.5, many)
        precision = chances[::-1].cumsum()[::-1] / np.arange(len(many), 0, -1)  # from each score on
        for n in (200, 1000, 10_000):
            runs = draw.runs(2000 if n // copies < 10_000 else 400)  # 400 runs tell 95 % from 92.8 at best
            ours, peer = np.ones(runs), np.ones(runs)
            for run in range(runs):
                scores = special.expit(draw.random.normal(centre, spread, n // copies))
                positive = draw.random.random(len(scores)) < np.where(scores > sure, 0.5, scores)
                codes = np.repeat(np.arange(len(scores)), copies)
                found = operating.curve(np.repeat(scores, copies), np.repeat(positive, copies), codes)
                for kept, rule in ((ours, operating.promised), (peer, operating.reached)):
                    allowed = rule(found, "precision", 0.9)
                    if allowed.any():
                        kept[run] = precision[min(np.searchsorted(many, found.thresholds[allowed][0]), len(many) - 1)] >= 0.9
            named = ("threshold at precision .9", world, f"{n:,} rows")
            yield Row(*named, COVERAGE, runs, ours.mean(), NOMINAL, peer.mean(), "lowest that has it")


# ── Business figures ────────────────────────────────────────────────────────
@dataclass
class Quarter:
    """Both arms at each look. arms: looks of (model, hold-out); moments: (looks, 2, 3), cases, sum and sum of squares, for the peer."""

    arms: list[tuple[outcomes.Arm, outcomes.Arm]] = field(default_factory=list)
    moments: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Trade:
    """A world of outcomes. subjects: who return; 0: each case is one's own. effect: of the model, on the mean."""

    kind: str
    cases: int
    looks: int
    holdout: float = 0.5
    subjects: int = 0
    icc: float = 0.0
    effect: float = 0.0


def quarter(draw: Draw, trade: Trade) -> Quarter:
    """Draw it, look by look."""
    random, size = draw.random, trade.subjects or trade.cases
    held, group = random.random(size) < trade.holdout, random.integers(0, outcomes.GROUPS, size)
    base = 0.3 + trade.effect * (~held) if trade.kind == outcomes.SHARE else np.full(size, 0.2)
    spread = (1 - trade.icc) / trade.icc if trade.icc else 0.0
    level = random.beta(base * spread, (1 - base) * spread) if trade.icc else base
    found, sums_of, moments = Quarter(), np.zeros((2, 2, outcomes.GROUPS)), np.zeros((2, 3))
    for fresh in np.array_split(np.arange(trade.cases), trade.looks):
        who = random.integers(0, size, len(fresh)) if trade.subjects else fresh
        values = (random.random(len(who)) < level[who]).astype(float)
        if trade.kind != outcomes.SHARE:
            values *= random.lognormal(3, 1, len(who)) * (1 + trade.effect * ~held[who])
        arm = held[who].astype(np.int64)
        place = arm * outcomes.GROUPS + group[who]
        for at, weights in enumerate((None, values)):
            sums_of[:, at] += np.bincount(place, weights, 2 * outcomes.GROUPS).reshape(2, -1)
        moments = moments + np.stack([np.bincount(arm, weights, 2) for weights in (None, values, values**2)], axis=1)
        found.arms.append((outcomes.Arm(groups=sums_of[0].copy()), outcomes.Arm(groups=sums_of[1].copy())))
        found.moments.append(moments)
    return found


def welch(found: Quarter) -> Floats:
    """|difference| in standard errors of independent cases, at each look (looks,)."""
    n, total, squares = np.moveaxis(np.array(found.moments), 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / n
        errors = np.sqrt(((squares / n - means**2) / n).sum(axis=1))
        return np.nan_to_num(np.abs(means[:, 0] - means[:, 1]) / errors)


def differences_of(found: Quarter) -> list[float]:
    """At each look; NaN without cases."""
    return [(model.mean if model.n else np.nan) - (rest.mean if rest.n else np.nan) for model, rest in found.arms]


def told_apart(found: Quarter, kind: str, figures: int = 1) -> bool:
    """Whether the product tells a difference at any look."""
    some = (outcomes.compare(kind, *arms, figures) for arms in found.arms)
    return any(each is not None and (each.low > 0 or each.high < 0) for each in some)


TRADES = (
    ("independent, weekly", Trade("share", 2_600, 13), 0.068),
    ("skewed money, weekly", Trade("number", 10_000, 13), 0.30),
    ("400 subjects return, ICC .3, weekly", Trade("share", 5_200, 13, subjects=400, icc=0.3), 0.11),
    ("400 subjects return, ICC .8, weekly", Trade("share", 5_200, 13, subjects=400, icc=0.8), 0.16),
    ("independent, a tenth held out, daily", Trade("share", 9_100, 91, holdout=0.1), 0.065),
)


def business_figures(draw: Draw) -> Iterator[Row]:
    """A quarter of looks: whether better or worse is told at any of them."""
    for name, trade, effect in TRADES:
        runs = draw.runs(1500 if trade.looks < 50 else 500)
        null = [quarter(draw, trade) for _ in range(runs)]
        moved = [quarter(draw, Trade(**asdict(trade) | {"effect": effect})) for _ in range(runs)]
        apart, far = (np.array([differences_of(each) for each in some], dtype=float) for some in (null, moved))
        told = f"{trade.cases:,} cases, {trade.looks} looks"
        yield cries(
            (f"business figure, {trade.kind}", name, told),
            runs,
            rate(told_apart(each, trade.kind) for each in null),
            rate((welch(each)[min(2, trade.looks - 1) :] > Z).any() for each in null),
            "Welch at each look",
        )
        yield finds(
            (f"business figure, {trade.kind}", name, told),
            runs,
            rate(told_apart(each, trade.kind) for each in moved),
            oracle(furthest(apart, apart), furthest(far, apart)),
        )
    runs, trade = draw.runs(500), TRADES[0][1]
    wrong = np.zeros((2, runs))
    for run in range(runs):
        five = [quarter(draw, trade) for _ in range(5)]
        wrong[:, run] = any(told_apart(each, trade.kind, 5) for each in five), any((welch(each)[2:] > Z).any() for each in five)
    yield cries(
        ("business figures, five", "independent, weekly", "5 × 2,600 cases, 13 looks"),
        runs,
        wrong[0].mean(),
        wrong[1].mean(),
        "Welch at each look",
    )


def sample_ratio(draw: Draw) -> Iterator[Row]:
    """A tenth of the subjects is held out: whether the split is called off at any of 13 looks, at p < 0.001."""
    runs, asked = draw.runs(10_000), outcomes.MISMATCH_P
    for n in (300, 1000, 10_000):
        counts = (n * np.arange(1, 14) / 13).round().astype(np.int64)

        def seen(chance: float, counts: Ints = counts) -> Ints:
            return draw.random.binomial(np.diff(counts, prepend=0), chance, (runs, len(counts))).cumsum(axis=1)

        def alarmed(held: Ints, counts: Ints = counts) -> Floats:
            found = np.zeros(held.shape, dtype=bool)
            for at, count in enumerate(counts.tolist()):
                known = {int(each): outcomes.ratio_p(count - int(each), int(each), 0.1) < asked for each in np.unique(held[:, at])}
                found[:, at] = [known[int(each)] for each in held[:, at]]
            return found.any(axis=1)

        null, off = seen(0.1), seen(0.1 + (REACH + 2.5) * (0.09 / n) ** 0.5)
        square = (null - 0.1 * counts) ** 2 / (0.09 * counts)
        told = f"{n:,} subjects, 13 looks"
        yield cries(
            ("sample ratio off", "repeated looks", told),
            runs,
            alarmed(null).mean(),
            (stats.chi2.sf(square, 1) < asked).any(axis=1).mean(),
            "chi-square at each look",
            asked,
        )
        limit = np.quantile(np.sqrt(square).max(axis=1), 1 - asked)
        best = (np.abs(off - 0.1 * counts) / np.sqrt(0.09 * counts) > limit).any(axis=1).mean()
        yield finds(("sample ratio off", "repeated looks", told), runs, alarmed(off).mean(), best)
    runs, alarms = draw.runs(2000), []
    for _ in range(runs):  # 400 subjects return: the product counts subjects, the peer their cases
        held, cases = draw.random.random(400) < 0.1, draw.random.poisson(20 * draw.random.lognormal(0, 1.5, 400))
        square = (cases[held].sum() - 0.1 * cases.sum()) ** 2 / (0.09 * cases.sum())
        alarms.append((outcomes.ratio_p(int((~held).sum()), int(held.sum()), 0.1) < asked, stats.chi2.sf(square, 1) < asked))
    ours, peer = np.mean(alarms, axis=0)
    yield cries(("sample ratio off", "subjects return", "400 subjects, 1 look"), runs, ours, peer, "chi-square of cases", asked)


# ── Alerts ──────────────────────────────────────────────────────────────────
def months(draw: Draw, runs: int, an_hour: float, budgets: float, target: float, together: int) -> Iterator[tuple[bool, bool]]:
    """Whether the product, and the table by itself, alerts in a month. together: requests that fail at once, on average as often."""
    minutes, month = 30 * 24 * 60, timedelta(days=30)
    spans = [(each, int(each / burn.MINUTE)) for each in burn.WINDOWS]
    for _ in range(runs):
        total = draw.random.poisson(an_hour / 60, minutes)
        bad = draw.random.binomial(total, budgets * (1 - target))
        if together > 1:
            bad = together * draw.random.binomial(total, budgets * (1 - target) / together)
            total = np.maximum(total, bad)
        bads, totals = (np.concatenate([[0], np.cumsum(each)]) for each in (bad, total))
        ours = plain = False
        for end in np.flatnonzero(bad) + 1:
            if end > burn.DAY * 3 / burn.MINUTE and not ours:
                seen = {
                    each: burn.Count(int(bads[end] - bads[max(0, end - long)]), int(totals[end] - totals[max(0, end - long)]))
                    for each, long in spans
                }
                found = burn.read_rows(seen, target, month)
                ours, plain = any(each.fires for each in found), plain or any(each.fires or each.few for each in found)
        yield ours, plain


def burn_rate(draw: Draw) -> Iterator[Row]:
    """Multiwindow burn rates over a month: page or ticket within the budget, and at five times of it."""
    for an_hour, budgets, target, together in (
        (5, 0.5, 0.995, 1),
        (20, 1, 0.995, 1),
        (100, 1, 0.995, 1),
        (100, 0.5, 0.999, 1),
        (100, 0.5, 0.995, 5),
    ):
        runs = draw.runs(600)
        ours, plain = np.mean(list(months(draw, runs, an_hour, budgets, target, together)), axis=0)
        world = f"{budgets:g} of the budget" + (f", {together} fail at once" if together > 1 else "")
        yield cries(("burn rate alert", world, f"{an_hour} an hour, {100 * target:g} %"), runs, ours, plain, "the table alone")
    for an_hour, target in ((5, 0.995), (20, 0.995), (100, 0.999)):
        runs = draw.runs(100)
        ours, plain = np.mean(list(months(draw, runs, an_hour, 5, target, 1)), axis=0)
        yield finds(("burn rate alert", "5 × the budget", f"{an_hour} an hour, {100 * target:g} %"), runs, ours, plain)


# ── Retraining ──────────────────────────────────────────────────────────────
def windows_of(draw: Draw, days: int, customers: int, a_day: int, chance: float, icc: float) -> Iterator[tuple[Floats, Floats]]:
    """What each customer had right, and asked, in the 14 days before each of the looks. customers: 0: each request is one's own."""
    if not customers:
        right = draw.random.binomial(a_day, chance, days).astype(float)
        for at in range(days - 13):
            hits = right[at : at + 14].sum()
            yield np.repeat([1.0, 0.0], [int(hits), int(14 * a_day - hits)]), np.ones(14 * a_day)
        return
    asked = draw.random.poisson(a_day / customers, (days, customers))
    right = draw.random.binomial(asked, alike_within(draw, (1, customers), chance, icc))
    for at in range(days - 13):
        yield right[at : at + 14].sum(axis=0).astype(float), asked[at : at + 14].sum(axis=0).astype(float)


def less_accurate(draw: Draw) -> Iterator[Row]:
    """Retraining by quality: right in 90 % on the test split and live, 100 predictions a day with feedback, 29 daily looks."""
    for tested in (200, 1000):
        for name, customers, icc in (("independent", 0, 0.0), ("70 customers, ICC .02", 70, 0.02), ("70 customers, ICC .3", 70, 0.3)):
            runs, found = draw.runs(800), {}
            error = (0.09 / tested + 0.09 / 1400 * (1 + (1400 / customers - 1) * icc if customers else 1)) ** 0.5
            for world, fall in (("null", 0.0), ("effect", (REACH + 0.3) * error)):
                told, fixed, falls = [], [], []
                for _ in range(runs):
                    expected = draw.random.binomial(tested, 0.9) / tested
                    looks = [sums(*each) for each in windows_of(draw, 42, customers, 100, 0.9 - fall, icc)]
                    ours = [reasons.fall_of(reasons.Facts(tells=True, expected=expected, tested=tested, not_wrong=each)) for each in looks]
                    told.append(any(each is not None and each.low > 0 for each in ours))
                    fixed.append(any(intervals.wilson(each.above, each.below)[1] < expected for each in looks))
                    falls.append([expected - each.value for each in looks])
                found[world] = rate(told), rate(fixed), np.array(falls)
            size = f"{tested:,} test rows, 29 looks"
            yield cries(("less accurate", name, size), runs, found["null"][0], found["null"][1], "test accuracy as known, one look")
            best = oracle(furthest(found["null"][2], found["null"][2]), furthest(found["effect"][2], found["null"][2]))
            yield finds(("less accurate", name, size), runs, found["effect"][0], best)
    runs = draw.runs(2000)
    for name, wrong, right in (
        ("people report wrong ones, and a tenth of the rest", 1.0, 0.1),
        ("people report wrong ones, and two thirds of the rest", 1.0, 0.66),
    ):
        alarms = []
        for _ in range(runs):
            correct = int(draw.random.binomial(1400, 0.9))
            good, bad = int(draw.random.binomial(correct, right)), int(draw.random.binomial(1400 - correct, wrong))
            tells = good + bad >= max(MIN_ROWS, JUDGED_LEAST * 1400)  # as measuring.tells_enough, whose module needs Django
            expected = float(draw.random.binomial(1000, 0.9) / 1000)
            facts = reasons.Facts(tells=tells, expected=expected, tested=1000, not_wrong=clustered.alone(1400 - bad, 1400))
            fall = reasons.fall_of(facts)
            alarms.append((fall is not None and fall.low > 0, intervals.wilson(good, good + bad)[1] < expected))
        ours, peer = np.mean(alarms, axis=0)
        yield cries(("less accurate", name, "1,400 predictions"), runs, ours, peer, "all feedback, one look")


def overruled(draw: Draw) -> Iterator[Row]:
    """Retraining where people override more than 5 %: they override just 5 %, or more, looked at on 29 days."""
    limit = reasons.OVERRIDES_WORTH
    for name, customers, icc in (("independent", 0, 0.0), ("70 customers, ICC .02", 70, 0.02), ("70 customers, ICC .3", 70, 0.3)):
        runs, found = draw.runs(2000), {}
        error = (limit * (1 - limit) / 1400 * (1 + (1400 / customers - 1) * icc if customers else 1)) ** 0.5
        for world, more in (("null", 0.0), ("effect", (REACH + 0.5) * error)):
            told, fixed, shares = [], [], []
            for _ in range(runs):
                looks = [sums(*each) for each in windows_of(draw, 42, customers, 100, limit + more, icc)]
                told.append(any(reasons.overruled(reasons.Facts(overridden=each), NO_POLICY, NOW) for each in looks))
                fixed.append(any(intervals.wilson(each.above, each.below)[0] > limit for each in looks))
                shares.append([each.value - limit for each in looks])
            found[world] = rate(told), rate(fixed), np.array(shares)
        named = ("people override", name, "1,400 predictions, 29 looks")
        yield cries(named, runs, found["null"][0], found["null"][1], "Wilson at each look")
        best = oracle(furthest(found["null"][2], found["null"][2]), furthest(found["effect"][2], found["null"][2]))
        yield finds(named, runs, found["effect"][0], best)


NO_POLICY, NOW = reasons.Policy(None, 0.0, 0, 0, 0), datetime(2026, 1, 1, tzinfo=UTC)


# ── Rollouts, drift and labeling ────────────────────────────────────────────
def widening(draw: Draw) -> Iterator[Row]:
    """The difference that widens a canary: a tenth of the customers is on it, who return; 60 looks, 12,000 requests, 2 % fail."""
    looks, chance, margin = 60, 0.02, 0.01
    for keys, icc in ((2000, 0.0), (2000, 0.02), (400, 0.02), (400, 0.3)):
        runs = draw.runs(500)
        inside, falsely, peer = np.zeros(runs), np.zeros(runs), np.zeros(runs)
        for run in range(runs):
            on = draw.random.random(keys) < 0.1
            worse, usual = (alike_within(draw, (1, keys), each, icc)[0] for each in (chance + margin, chance))
            own = np.where(on, worse, usual)
            asked = draw.random.poisson(200 / keys, (looks, keys))
            failed, asked = draw.random.binomial(asked, own).cumsum(axis=0), asked.cumsum(axis=0)
            truth_in, widened, by_rows = True, False, False
            for bad, of in zip(failed, asked, strict=True):
                found = rollouts.difference(sums(bad[on], of[on]), sums(bad[~on], of[~on]), alpha=ALPHA, tau=0.01)
                if found is not None:
                    truth_in, widened = truth_in and found.low <= margin <= found.high, widened or found.high < margin
                    parts = [(float(bad[arm].sum()), float(of[arm].sum())) for arm in (on, ~on)]
                    apart = parts[0][0] / parts[0][1] - parts[1][0] / parts[1][1]
                    error = sum(b / n * (1 - b / n) / n for b, n in parts) ** 0.5
                    by_rows = by_rows or apart + Z * error < margin
            inside[run], falsely[run], peer[run] = truth_in, widened, by_rows
        named = (f"worse by the margin, ICC {icc:g}", f"{keys:,} keys, {looks} looks")
        yield covers(("canary less stable", *named), runs, inside.mean())
        yield cries(("canary widened", *named), runs, falsely.mean(), peer.mean(), "z of requests at each look")


def shadow_disagreement(draw: Draw) -> Iterator[Row]:
    """The bound that a plan sets on a shadow: it differs in just 10 % of predictions, or fewer; looked at daily for two weeks."""
    most, days = 0.1, 14
    for customers, each, icc in ((200, 1, 0.0), (100, 5, 0.02), (100, 5, 0.3), (400, 5, 0.3)):
        runs, found, rows = draw.runs(1000), {}, days * each * customers
        error = (most * (1 - most) / rows * (1 + (days * each - 1) * icc)) ** 0.5
        for world, fewer in (("null", 0.0), ("effect", min((REACH + 0.3) * error, 0.08))):
            told, fixed, shares = [], [], []
            for _ in range(runs):
                asked = draw.random.poisson(each, (days, customers))
                differ = draw.random.binomial(asked, alike_within(draw, (1, customers), most - fewer, icc)).cumsum(axis=0)
                looks = [sums(of - bad, of) for of, bad in zip(asked.cumsum(axis=0), differ, strict=True)]
                bounds = [rollouts.disagreement(look, alpha=ALPHA) for look in looks]
                told.append(any(bound is not None and bound.high <= most for bound in bounds))
                fixed.append(any(intervals.wilson(look.below - look.above, look.below)[1] <= most for look in looks))
                shares.append([1 - look.value - most for look in looks])
            found[world] = rate(told), rate(fixed), np.array(shares)
        named = ("shadow disagreement bounded", world_of(icc), f"{rows:,} predictions of {customers} customers, {days} looks")
        yield cries(named, runs, found["null"][0], found["null"][1], "Wilson of rows at each look")
        best = oracle(furthest(found["null"][2], found["null"][2]), furthest(found["effect"][2], found["null"][2]))
        yield finds(named, runs, found["effect"][0], best)


def population(draw: Draw) -> Iterator[Row]:
    """PSI of 1,000 answers against 3,000 of the reference; nothing changed. A sender's answers resemble each other."""
    shares, alpha = np.arange(1, 11) / 55, 0.01
    for senders, alike in ((1000, 0.0), (200, 0.3), (50, 0.3), (20, 0.3)):
        runs = draw.runs(2000)
        found = np.zeros((2, runs))
        for run in range(runs):
            who = draw.random.integers(0, senders, 1000)
            favourite = draw.random.choice(10, senders, p=shares)[who]
            label = np.where(draw.random.random(1000) < alike**0.5, favourite, draw.random.choice(10, 1000, p=shares))
            reference = draw.random.multinomial(3000, shares).tolist()
            bins = drift.Bins(tuple(map(str, range(10))), tuple(reference), tuple(np.bincount(label, minlength=10).tolist()))
            tries = drift.shift(bins, alpha, clustered.design(label, who, 1000)), drift.shift(bins, alpha)
            found[:, run] = [each is not None and each.p <= alpha for each in tries]
        world = f"{senders:,} senders, ICC {alike:g}"
        yield cries(("PSI", world, "1,000 answers"), runs, found[0].mean(), found[1].mean(), "chi-square of rows", alpha)


def gold(draw: Draw) -> Iterator[Row]:
    """Gold accuracy of people who are exactly at the minimum, after each annotation: whether they are ever held."""
    for minimum in (0.8, 0.9):
        runs, last = draw.runs(4000), 300
        right = (draw.random.random((runs, last)) < minimum).cumsum(axis=1)
        held = np.zeros((2, runs), dtype=bool)
        for done in range(labeling.GOLD_FEWEST, last + 1, 4):
            for rule, of in enumerate((labeling.gold_accuracy, intervals.share)):
                high = {int(each): of(int(each), done).high for each in np.unique(right[:, done - 1])}
                held[rule] |= np.array([high[int(each)] < minimum for each in right[:, done - 1]])
        named = ("gold accuracy below the minimum", f"exactly at {100 * minimum:g} %", f"{last} annotations, every fourth looked at")
        yield cries(named, runs, held[0].mean(), held[1].mean(), "Wilson at each look")


CASES: tuple[Case, ...] = (
    share, share_of_clusters, difference, difference_of_clusters, skewed, share_at_every_look, mean_at_every_look, mcnemar, holm, slices,
    fairness_gap, calibration_error, membership_area, membership_gate, live_gate, cost_of_rows, threshold_at_precision, business_figures,
    sample_ratio, burn_rate, less_accurate, overruled, scores, scores_of_clusters, better_than_a_baseline, widening, shadow_disagreement,
    population, gold,
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
