"""Reasons for retraining."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from benchmarks.statistics.table import Case, Draw, Row, cries, finds
from benchmarks.statistics.worlds import (
    PARETO,
    REACH,
    THIRD,
    Floats,
    Ints,
    alike_within,
    as_its_cluster,
    codes_of,
    furthest,
    oracle,
    rate,
    sizes,
    weight_of,
)
from lifecycle.runtime.statistics import bootstrap, clustered, intervals, metrics
from lifecycle.runtime.statistics.clustered import sums
from monitoring.drift.measuring import accuracy
from monitoring.retraining.rules import reasons
from monitoring.traffic.counts import Counts


def windows_of(
    draw: Draw, days: int, customers: int, a_day: int, chance: float, icc: float, often: Floats | None = None
) -> Iterator[tuple[Floats, Floats]]:
    """Correct predictions and requests by customer in the 14 days before each look. customers: 0: each
    request has its own. often: each customer's share of requests; None: equal.
    """
    if not customers:
        right = draw.random.binomial(a_day, chance, days).astype(float)
        for at in range(days - 13):
            hits = right[at : at + 14].sum()
            yield np.repeat([1.0, 0.0], [int(hits), int(14 * a_day - hits)]), np.ones(14 * a_day)
        return
    asked = draw.random.poisson(a_day / customers if often is None else a_day * often, (days, customers))
    right = draw.random.binomial(asked, alike_within(draw, (1, customers), chance, icc))
    for at in range(days - 13):
        yield right[at : at + 14].sum(axis=0).astype(float), asked[at : at + 14].sum(axis=0).astype(float)


def less_accurate(draw: Draw) -> Iterator[Row]:
    """Retraining by quality: right in 90 % on the test split and live, 100 predictions a day with feedback,
    29 daily looks.
    """
    for tested in (200, 1000):
        for name, customers, icc in (
            ("independent", 0, 0.0),
            ("70 customers, ICC .02", 70, 0.02),
            ("70 customers, ICC .3", 70, 0.3),
        ):
            runs, found = draw.runs(800), {}
            error = (
                0.09 / tested + 0.09 / 1400 * (1 + (1400 / customers - 1) * icc if customers else 1)
            ) ** 0.5
            for world, fall in (("null", 0.0), ("effect", (REACH + 0.3) * error)):
                alarms, fixed, falls = [], [], []
                for _ in range(runs):
                    expected = draw.random.binomial(tested, 0.9) / tested
                    looks = [sums(*each) for each in windows_of(draw, 42, customers, 100, 0.9 - fall, icc)]
                    ours = [
                        reasons.fall_of(
                            reasons.Facts(
                                enough_feedback=True, expected=expected, tested=tested, not_wrong=each
                            )
                        )
                        for each in looks
                    ]
                    alarms.append(any(each is not None and each.low > 0 for each in ours))
                    fixed.append(
                        any(intervals.wilson(each.above, each.below)[1] < expected for each in looks)
                    )
                    falls.append([expected - each.value for each in looks])
                found[world] = rate(alarms), rate(fixed), np.array(falls)
            size = f"{tested:,} test rows, 29 looks"
            yield cries(
                ("less accurate", name, size),
                runs,
                found["null"][0],
                found["null"][1],
                "test accuracy as known, one look",
            )
            best = oracle(
                furthest(found["null"][2], found["null"][2]), furthest(found["effect"][2], found["null"][2])
            )
            yield finds(("less accurate", name, size), runs, found["effect"][0], best)
    yield from reported_by_choice(draw)


def reported_by_choice(draw: Draw) -> Iterator[Row]:
    """As `less_accurate`, where people report wrong predictions more often than right ones."""
    runs = draw.runs(2000)
    for name, wrong, right in (
        ("people report wrong ones, and a tenth of the rest", 1.0, 0.1),
        ("people report wrong ones, and two thirds of the rest", 1.0, 0.66),
    ):
        alarms = []
        for _ in range(runs):
            correct = int(draw.random.binomial(1400, 0.9))
            good, bad = (
                int(draw.random.binomial(correct, right)),
                int(draw.random.binomial(1400 - correct, wrong)),
            )
            enough = accuracy.has_enough_feedback(Counts(answers=1400, right=good, wrong=bad))
            expected = float(draw.random.binomial(1000, 0.9) / 1000)
            facts = reasons.Facts(
                enough_feedback=enough,
                expected=expected,
                tested=1000,
                not_wrong=clustered.alone(1400 - bad, 1400),
            )
            fall = reasons.fall_of(facts)
            alarms.append(
                (fall is not None and fall.low > 0, intervals.wilson(good, good + bad)[1] < expected)
            )
        ours, peer = np.mean(alarms, axis=0)
        yield cries(("less accurate", name, "1,400 predictions"), runs, ours, peer, "all feedback, one look")


def less_accurate_of_groups(draw: Draw) -> Iterator[Row]:
    """As `less_accurate`, with 1,000 test rows in groups of near duplicates that are right together, and with
    a third by one customer.
    """
    for name, shape, groups, asked, within, icc in (
        ("test groups of five, ICC .8", "", 200, "", 0.8, 0.0),
        ("one of 200 test groups has a third, ICC .8", THIRD, 200, "", 0.8, 0.0),
        ("200 test groups, Pareto sizes, ICC .8", PARETO, 200, "", 0.8, 0.0),
        ("one of 70 customers has a third, ICC .3", "", 1000, THIRD, 0.0, 0.3),
    ):
        runs, found = draw.runs(250), {}
        for world, far in (("null", 0.0), ("effect", REACH + 0.3)):
            alarms, fixed, falls = [], [], []
            for run in range(runs):
                codes, often = codes_of(draw, shape, groups, 1000), sizes(draw, asked, 70, 7000)[0] / 7000
                spread = (1 + (weight_of(codes) - 1) * within) / 1000 + (
                    1 + (1400 * (often**2).sum() - 1) * icc
                ) / 1400
                looks = [
                    sums(*each)
                    for each in windows_of(
                        draw, 42, 70, 100, max(0.9 - far * (0.09 * spread) ** 0.5, 0.4), icc, often
                    )
                ]
                facts = tested_on(draw, codes, within, run)
                ours = [reasons.fall_of(replace(facts, not_wrong=each)) for each in looks]
                alarms.append(any(each is not None and each.low > 0 for each in ours))
                rows = [clustered.alone(each.above, each.below) for each in looks]
                alone = [
                    reasons.fall_of(replace(facts, groups=None, between=None, not_wrong=each))
                    for each in rows
                ]
                fixed.append(any(each is not None and each.low > 0 for each in alone))
                falls.append([facts.expected - each.value for each in looks])
            found[world] = rate(alarms), rate(fixed), np.array(falls)
        named = ("less accurate", name, "1,000 test rows, 29 looks")
        yield cries(named, runs, found["null"][0], found["null"][1], "rows as independent")
        best = oracle(
            furthest(found["null"][2], found["null"][2]), furthest(found["effect"][2], found["null"][2])
        )
        yield finds(named, runs, found["effect"][0], best)


def tested_on(draw: Draw, codes: Ints, icc: float, seed: int) -> reasons.Facts:
    """Facts of an evaluation with 90 % accuracy; 300 resamples instead of the product's 1,000. codes: number
    of each row's group (N,).
    """
    n, groups = len(codes), int(codes.max()) + 1
    right = (as_its_cluster(draw, codes, icc)() < 0.9).astype(np.int64)
    facts = reasons.Facts(enough_feedback=True, expected=float(right.mean()), tested=n)
    if groups == n:
        return facts
    none = np.zeros(n)
    rows = metrics.Scored(np.ones(n, dtype=np.int64), right, none, none, none, 2, 15)
    return replace(facts, groups=groups, between=bootstrap.bootstrap(rows, 300, seed, codes)["accuracy"])


def overruled(draw: Draw) -> Iterator[Row]:
    """Retraining where people override more than 5 %: they override exactly 5 %, or more, at 29 daily
    looks.
    """
    limit = reasons.OVERRIDES_WORTH
    for name, customers, icc in (
        ("independent", 0, 0.0),
        ("70 customers, ICC .02", 70, 0.02),
        ("70 customers, ICC .3", 70, 0.3),
    ):
        runs, found = draw.runs(2000), {}
        error = (limit * (1 - limit) / 1400 * (1 + (1400 / customers - 1) * icc if customers else 1)) ** 0.5
        for world, more in (("null", 0.0), ("effect", (REACH + 0.5) * error)):
            alarms, fixed, shares = [], [], []
            for _ in range(runs):
                looks = [sums(*each) for each in windows_of(draw, 42, customers, 100, limit + more, icc)]
                alarms.append(
                    any(reasons.overruled(reasons.Facts(overridden=each), NO_POLICY, NOW) for each in looks)
                )
                fixed.append(any(intervals.wilson(each.above, each.below)[0] > limit for each in looks))
                shares.append([each.value - limit for each in looks])
            found[world] = rate(alarms), rate(fixed), np.array(shares)
        named = ("people override", name, "1,400 predictions, 29 looks")
        yield cries(named, runs, found["null"][0], found["null"][1], "Wilson at each look")
        best = oracle(
            furthest(found["null"][2], found["null"][2]), furthest(found["effect"][2], found["null"][2])
        )
        yield finds(named, runs, found["effect"][0], best)


NO_POLICY, NOW = reasons.Policy(None, 0.0, 0, 0, 0), datetime(2026, 1, 1, tzinfo=UTC)


CASES: tuple[Case, ...] = (less_accurate, less_accurate_of_groups, overruled)
