"""Rollouts and shadows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.statistics.table import ALPHA, Case, Draw, Row, covers, cries, finds
from benchmarks.statistics.worlds import REACH, Z, alike_within, furthest, oracle, rate, world_of
from lifecycle.runtime.statistics import intervals
from lifecycle.runtime.statistics.clustered import sums
from monitoring.rollouts.rules import interval as rollouts


def widening(draw: Draw) -> Iterator[Row]:
    """The difference that widens a canary with a tenth of the returning customers; 60 looks, 12,000 requests,
    2 % fail.
    """
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
                found = rollouts.difference(
                    sums(bad[on], of[on]), sums(bad[~on], of[~on]), alpha=ALPHA, tau=0.01
                )
                if found is not None:
                    truth_in, widened = (
                        truth_in and found.low <= margin <= found.high,
                        widened or found.high < margin,
                    )
                    parts = [(float(bad[arm].sum()), float(of[arm].sum())) for arm in (on, ~on)]
                    apart = parts[0][0] / parts[0][1] - parts[1][0] / parts[1][1]
                    error = sum(b / n * (1 - b / n) / n for b, n in parts) ** 0.5
                    by_rows = by_rows or apart + Z * error < margin
            inside[run], falsely[run], peer[run] = truth_in, widened, by_rows
        named = (f"worse by the margin, ICC {icc:g}", f"{keys:,} keys, {looks} looks")
        yield covers(("canary less stable", *named), runs, inside.mean())
        yield cries(
            ("canary widened", *named), runs, falsely.mean(), peer.mean(), "z of requests at each look"
        )


def shadow_disagreement(draw: Draw) -> Iterator[Row]:
    """A plan's bound on a shadow that differs in exactly 10 % of predictions, or fewer; daily looks for two
    weeks.
    """
    most, days = 0.1, 14
    for customers, each, icc in ((200, 1, 0.0), (100, 5, 0.02), (100, 5, 0.3), (400, 5, 0.3)):
        runs, found, rows = draw.runs(1000), {}, days * each * customers
        error = (most * (1 - most) / rows * (1 + (days * each - 1) * icc)) ** 0.5
        for world, fewer in (("null", 0.0), ("effect", min((REACH + 0.3) * error, 0.08))):
            bounded, fixed, shares = [], [], []
            for _ in range(runs):
                asked = draw.random.poisson(each, (days, customers))
                differ = draw.random.binomial(
                    asked, alike_within(draw, (1, customers), most - fewer, icc)
                ).cumsum(axis=0)
                looks = [sums(of - bad, of) for of, bad in zip(asked.cumsum(axis=0), differ, strict=True)]
                bounds = [rollouts.disagreement(look, alpha=ALPHA) for look in looks]
                bounded.append(any(bound is not None and bound.high <= most for bound in bounds))
                fixed.append(
                    any(intervals.wilson(look.below - look.above, look.below)[1] <= most for look in looks)
                )
                shares.append([1 - look.value - most for look in looks])
            found[world] = rate(bounded), rate(fixed), np.array(shares)
        named = (
            "shadow disagreement bounded",
            world_of(icc),
            f"{rows:,} predictions of {customers} customers, {days} looks",
        )
        yield cries(named, runs, found["null"][0], found["null"][1], "Wilson of rows at each look")
        best = oracle(
            furthest(found["null"][2], found["null"][2]), furthest(found["effect"][2], found["null"][2])
        )
        yield finds(named, runs, found["effect"][0], best)


CASES: tuple[Case, ...] = (widening, shadow_disagreement)
