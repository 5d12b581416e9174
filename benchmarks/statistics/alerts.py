"""Alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from benchmarks.statistics.table import Case, Draw, Row, cries, finds
from monitoring.alerts.rules import burn


def months(
    draw: Draw, runs: int, an_hour: float, budgets: float, target: float, together: int
) -> Iterator[tuple[bool, bool]]:
    """Whether the product, and the table alone, alerts in a month. together: requests that fail at once,
    equally often on average.
    """
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
                    each: burn.Count(
                        int(bads[end] - bads[max(0, end - long)]),
                        int(totals[end] - totals[max(0, end - long)]),
                    )
                    for each, long in spans
                }
                found = burn.read_rows(seen, target, month)
                ours, plain = (
                    any(each.fires for each in found),
                    plain or any(each.fires or each.few for each in found),
                )
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
        yield cries(
            ("burn rate alert", world, f"{an_hour} an hour, {100 * target:g} %"),
            runs,
            ours,
            plain,
            "the table alone",
        )
    for an_hour, target in ((5, 0.995), (20, 0.995), (100, 0.999)):
        runs = draw.runs(100)
        ours, plain = np.mean(list(months(draw, runs, an_hour, 5, target, 1)), axis=0)
        yield finds(
            ("burn rate alert", "5 × the budget", f"{an_hour} an hour, {100 * target:g} %"), runs, ours, plain
        )


CASES: tuple[Case, ...] = (burn_rate,)
