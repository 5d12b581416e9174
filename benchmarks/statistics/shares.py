"""Shares, their differences and means: at one look, and at repeated looks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from benchmarks.statistics.table import Case, Draw, Row, covers, finds
from benchmarks.statistics.worlds import (
    ALIKE,
    REACH,
    UNEVEN,
    Z,
    alike_within,
    by_count,
    counted,
    furthest,
    holds,
    looks_to,
    oracle,
    pair,
    rate,
    sizes,
    world_of,
)
from lifecycle.runtime.statistics import clustered, intervals, sequences
from lifecycle.runtime.statistics.clustered import sums
from monitoring.traffic import senders


def share(draw: Draw) -> Iterator[Row]:
    """Wilson's interval for independent rows; the worst of three shares."""
    runs = draw.runs(20_000)
    for n in (30, 100, 1000, 10_000):
        ours, peer = [], []
        for chance in (0.5, 0.9, 0.98):
            hits = draw.random.binomial(n, chance, runs)
            ours.append(holds(by_count(lambda s, n=n: pair(intervals.share(s, n)), hits), chance).mean())
            low, high = stats.binom.ppf([[0.025], [0.975]], n, hits / n) / n  # what resampled rows come to
            peer.append(((low <= chance) & (chance <= high)).mean())
        yield covers(
            ("share", "independent", f"{n:,} rows"), runs, min(ours), min(peer), "percentile bootstrap"
        )


def share_of_clusters(draw: Draw) -> Iterator[Row]:
    """Dean and Pagano's; the worst of three shares."""
    runs = draw.runs(6000)
    for clusters, size in ((10, 3), (20, 5), (50, 20), (200, 50)):
        for icc in ALIKE:
            ours, peer = [], []
            for chance in (0.5, 0.9, 0.98):
                hits, rows = counted(draw, runs, clusters, size, chance, icc)
                ours.append(
                    holds(
                        (pair(clustered.share(sums(*each))) for each in zip(hits, rows, strict=True)), chance
                    ).mean()
                )
                total = zip(hits.sum(axis=1), rows.sum(axis=1), strict=True)
                peer.append(holds((intervals.wilson(*each) for each in total), chance).mean())
            size_text = f"{clusters} × {size}"
            yield covers(
                ("share, by cluster", world_of(icc), size_text), runs, min(ours), min(peer), "Wilson of rows"
            )


def share_of_uneven_clusters(draw: Draw) -> Iterator[Row]:
    """Correct predictions for 100 customers of unequal size, as on a page, by groups of sticky keys; the
    worst of three shares. A share without an interval counts as covered.
    """
    clusters, rows = 100, 2000
    runs, groups = draw.runs(3000), [senders.group_of(f"customer {at}") for at in range(clusters)]
    for shape in UNEVEN:
        for icc in ALIKE[1:]:
            ours, peer = [], []
            for chance in (0.5, 0.9, 0.98):
                asked = sizes(draw, shape, clusters, rows, runs)
                right = draw.random.binomial(asked, alike_within(draw, asked.shape, chance, icc))
                found = (
                    share_by_key(groups, *each) for each in zip(right.tolist(), asked.tolist(), strict=True)
                )
                ours.append(
                    holds(((each.low, each.high) if each else EVERYTHING for each in found), chance).mean()
                )
                total = zip(right.sum(axis=1), asked.sum(axis=1), strict=True)
                peer.append(holds((intervals.wilson(*each) for each in total), chance).mean())
            named = ("share, by cluster", f"{shape}, ICC {icc:g}", f"{clusters} customers, {rows:,} rows")
            yield covers(named, runs, min(ours), min(peer), "Wilson of rows")


EVERYTHING = (float("-inf"), float("inf"))


def share_by_key(groups: list[int], right: list[int], asked: list[int]) -> senders.SenderShare | None:
    """A share as on a page. groups: of the keys of customers; right, asked: their correct predictions, and
    all of theirs.
    """
    sides: dict[str, int] = {}
    for group, good, of in zip(groups, right, asked, strict=True):
        for sign, number in (("+", good), ("-", of - good)):
            sides[f"{group}{sign}"] = sides.get(f"{group}{sign}", 0) + number
    return senders.sender_share(sides, sum(right), sum(asked) - sum(right))


def difference(draw: Draw) -> Iterator[Row]:
    """Newcombe's interval for two independent samples; the worst of three pairs of shares."""
    runs = draw.runs(20_000)
    for n in (30, 100, 1000, 10_000):
        ours, peer = [], []
        for one, two in ((0.5, 0.5), (0.9, 0.9), (0.98, 0.9)):
            hits, others = draw.random.binomial(n, one, runs), draw.random.binomial(n, two, runs)
            found = (
                pair(intervals.newcombe(int(a), n, int(b), n)) for a, b in zip(hits, others, strict=True)
            )
            ours.append(holds(found, one - two).mean())
            shares, rest = hits / n, others / n
            half = Z * np.sqrt((shares * (1 - shares) + rest * (1 - rest)) / n)
            peer.append((np.abs(shares - rest - (one - two)) <= half).mean())
        yield covers(
            ("difference of shares", "independent", f"2 × {n:,} rows"),
            runs,
            min(ours),
            min(peer),
            "Welch, one look",
        )


def difference_of_clusters(draw: Draw) -> Iterator[Row]:
    """Two arms of other customers, and an effect on one of them."""
    runs, chance = draw.runs(5000), 0.8
    for clusters, size in ((20, 5), (50, 20), (200, 50)):
        for icc in ALIKE:
            setting = f"2 × {clusters} × {size}"
            apart = REACH * (2 * chance * (1 - chance) * (1 + (size - 0.5) * icc) / (clusters * size)) ** 0.5
            arms = [
                counted(draw, runs, clusters, size, max(each, 0.05), icc)
                for each in (chance, chance, chance - apart)
            ]
            found = [
                [
                    clustered.difference(sums(one[0][at], one[1][at]), sums(two[0][at], two[1][at]))
                    for at in range(runs)
                ]
                for one, two in ((arms[0], arms[1]), (arms[0], arms[2]))
            ]
            totals = [(hits.sum(axis=1), rows.sum(axis=1)) for hits, rows in arms]
            rows = [
                pair(intervals.newcombe(*map(int, each))) for each in zip(*totals[0], *totals[1], strict=True)
            ]
            null, effect = (np.array([each.value for each in some]) for some in found)
            yield covers(
                ("difference of shares, by cluster", world_of(icc), setting),
                runs,
                holds(map(pair, found[0]), 0.0).mean(),
                holds(rows, 0.0).mean(),
                "Newcombe of rows",
            )
            yield finds(
                ("difference of shares, by cluster", world_of(icc), setting),
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
                ("mean of skewed numbers", name, f"{n:,}"),
                len(ours),
                holds(ours, truth).mean(),
                holds(peer, truth).mean(),
                "Student",
            )


def share_at_every_look(draw: Draw) -> Iterator[Row]:
    """The beta-binomial confidence sequence; the worst of three shares."""
    for n in (30, 200, 1000, 10_000):
        runs, looks = draw.runs(5000), looks_to(n)
        ours, peer = [], []
        for chance in (0.7, 0.9, 0.98):
            so_far = draw.random.binomial(np.diff(looks, prepend=0), chance, (runs, len(looks))).cumsum(
                axis=1
            )
            in_all = np.ones((2, runs))
            for at, count in enumerate(looks.tolist()):
                for rule, of in enumerate((sequences.share, intervals.wilson)):
                    in_all[rule] *= holds(
                        by_count(lambda s, of=of, count=count: of(s, count), so_far[:, at]), chance
                    )
            ours.append(in_all[0].mean())
            peer.append(in_all[1].mean())
        setting = f"{n:,} trials, {len(looks)} looks"
        yield covers(
            ("share, at every look", "repeated looks", setting),
            runs,
            min(ours),
            min(peer),
            "Wilson at each look",
        )


def mean_at_every_look(draw: Draw) -> Iterator[Row]:
    """The asymptotic confidence sequence over clusters, and how soon it finds a mean that is not 0."""
    half_width = np.vectorize(sequences.half_width)
    for name, first, last in (
        ("normal", 30, 300),
        ("normal", 30, 3000),
        ("exponential", 100, 1000),
        ("exponential", 100, 3000),
    ):
        runs, looks = draw.runs(3000), looks_to(last, 40, first)
        values = (
            draw.random.exponential(1, (runs, last)) - 1
            if name == "exponential"
            else draw.random.normal(0, 1, (runs, last))
        )
        sum_1, sum_2 = values.cumsum(axis=1)[:, looks - 1], (values**2).cumsum(axis=1)[:, looks - 1]
        means = sum_1 / looks
        variances = (sum_2 / looks - means**2) / (looks - 1)
        half, apart = (
            half_width(variances, sequences.tau_for(1.0, sequences.BEST_AT)),
            (REACH + 0.5) / last**0.5,
        )
        setting, what = f"{last:,}, {len(looks)} looks", "mean, at every look"
        yield covers(
            (what, f"repeated looks, {name}", setting),
            runs,
            (np.abs(means) <= half).all(axis=1).mean(),
            (np.abs(means) <= Z * np.sqrt(variances)).all(axis=1).mean(),
            "z at each look",
        )
        yield finds(
            (what, f"repeated looks, {name}", setting),
            runs,
            (np.abs(means + apart) > half).any(axis=1).mean(),
            oracle(furthest(means, means), furthest(means + apart, means)),
        )


CASES: tuple[Case, ...] = (
    share,
    share_of_clusters,
    share_of_uneven_clusters,
    difference,
    difference_of_clusters,
    skewed,
    share_at_every_look,
    mean_at_every_look,
)
