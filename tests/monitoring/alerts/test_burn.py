"""Burn rates, equal to what Google's workbook and Sloth publish, and fired only beyond chance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from monitoring.alerts.rules import burn
from monitoring.alerts.rules.burn import Count
from monitoring.alerts.rules.state import Severity

T30, T28 = timedelta(days=30), timedelta(days=28)
MIN, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SLOW, QUICK = 10_000, 1_000


def counts(**given: Count) -> dict[timedelta, Count]:
    """Every window the same, unless it is named: h1=Count(…)."""
    named = {
        "m5": 5 * MIN,
        "m30": 30 * MIN,
        "h1": HOUR,
        "h2": 2 * HOUR,
        "h6": 6 * HOUR,
        "d1": DAY,
        "d3": 3 * DAY,
    }
    rest = given.pop("rest", Count())
    return {window: given.get(name, rest) for name, window in named.items()}


# The Site Reliability Workbook, table 5-8; slok/sloth internal/alert/windows/google-30d.yaml and
# google-28d.yaml
def loudest(readings):
    """The severity of the rows that fire: a page before a ticket."""
    firing = {reading.row.severity for reading in readings if reading.fires}
    return next((severity for severity in ("page", "ticket") if severity in firing), None)


@pytest.mark.parametrize(
    ("row", "severity", "long", "short", "of_30_days", "of_28_days"),
    [
        (0, "page", HOUR, 5 * MIN, 14.4, 13.44),
        (1, "page", 6 * HOUR, 30 * MIN, 6.0, 5.6),
        (2, "ticket", DAY, 2 * HOUR, 3.0, 2.8),
        (3, "ticket", 3 * DAY, 6 * HOUR, 1.0, 0.9333333),
    ],
)
def test_the_table_is_the_published_one(row, severity, long, short, of_30_days, of_28_days):
    found = burn.ROWS[row]

    assert (found.severity, found.long, found.short) == (severity, long, short)
    assert found.burn(T30) == pytest.approx(of_30_days)
    assert found.burn(T28) == pytest.approx(of_28_days)


# SRE workbook, table 5-2: error rate, burn rate and time to exhaustion for a 99.9 % objective over 30 days
@pytest.mark.parametrize(
    ("bad", "rate", "days"), [(1, 1, 30), (2, 2, 15), (10, 10, 3), (1000, 1000, 43.2 / 60 / 24)]
)
def test_burn_rate_and_time_to_exhaustion_of_the_workbook(bad, rate, days):
    measured = Count(bad, 1000)

    assert burn.burn_rate(measured, 0.001) == pytest.approx(rate)
    left = burn.budget_of(Count(0, 1000), measured, 0.999, T30)
    assert left.days_left == pytest.approx(days)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rest": Count(20, QUICK)}, "ticket"),  # burn 4 of 99.5 %: the day's row
        ({"rest": Count(80, QUICK)}, "page"),  # burn 16 everywhere
        # it is over: the short windows say so
        ({"rest": Count(80, QUICK), "m5": Count(0, 100), "m30": Count(0, 600)}, "ticket"),
        # a burst, not yet a burn
        ({"rest": Count(1, QUICK), "m5": Count(50, 100), "m30": Count(50, 600)}, None),
        ({"rest": Count(6, QUICK)}, "ticket"),  # burn 1.2 over three days
        ({"rest": Count(5, QUICK)}, None),  # burn 1 is allowed
        ({"rest": Count(0, QUICK)}, None),
        ({}, None),
    ],
)
def test_rows_are_joined_by_or_and_a_page_hides_the_ticket(given, expected):
    given = {name: Count(each.bad * 100, each.total * 100) for name, each in given.items()}

    assert loudest(burn.read_rows(counts(**given), 0.995, T30)) == expected


@pytest.mark.parametrize(
    ("bad", "total", "sure"),
    [
        (0, 0, False),
        (1, 1, False),  # a single failure at night
        (3, 3, False),  # 0.072 ** 3 is 0.00037
        (4, 4, True),
        (5, 10, False),
        (6, 10, True),
        (18, 100, False),
        (19, 100, True),
        (102, 1000, False),
        (103, 1000, True),
    ],
)
def test_a_window_is_over_its_limit_only_beyond_chance(bad, total, sure):
    assert burn.is_sure(Count(bad, total), 14.4 * 0.005) is sure


def months(rate: int, budgets: float, *, target: float, number: int) -> Iterator[list[Severity | None]]:
    """Months of an endpoint whose requests fail independently, so many times too often: what the table comes
    to at each new bad event. rate: requests an hour.
    """
    chance, minutes = np.random.default_rng(15), int(T30 / MIN)
    for _ in range(number):
        total = chance.poisson(rate / 60, minutes)
        bad = chance.binomial(total, budgets * (1 - target))
        bads, totals = (np.concatenate([[0], np.cumsum(each)]).tolist() for each in (bad, total))

        def seen(end: int, length: timedelta, bads: list[int] = bads, totals: list[int] = totals) -> Count:
            begin = max(0, end - int(length / MIN))
            return Count(bads[end] - bads[begin], totals[end] - totals[begin])

        ends = [int(at) + 1 for at in np.flatnonzero(bad) if at >= 3 * DAY / MIN]
        yield [
            loudest(burn.read_rows({each: seen(end, each) for each in burn.WINDOWS}, target, T30))
            for end in ends
        ]


@pytest.mark.parametrize(
    ("rate", "budgets", "target"), [(20, 0.5, 0.995), (100, 1, 0.995), (20, 1, 0.999), (100, 0.5, 0.999)]
)
def test_within_the_budget_hardly_a_month_has_an_alert_however_little_the_traffic(rate, budgets, target):
    alarmed = [any(found) for found in months(rate, budgets, target=target, number=25)]

    assert sum(alarmed) <= 3  # 5 % of 25, and three times the standard error of simulation


def test_five_times_the_budget_gets_its_ticket_at_little_traffic_too():
    assert all(Severity.TICKET in found for found in months(20, 5, target=0.995, number=5))


def test_what_is_over_by_the_plain_ratio_alone_is_called_few():
    reading = burn.read_row(burn.ROWS[0], counts(rest=Count(1, 1)), 0.995, T30)

    assert (reading.fires, reading.few) == (False, True)
    assert reading.long == pytest.approx(200)


def test_nothing_happened_is_no_measurement():
    reading = burn.read_row(burn.ROWS[0], counts(), 0.995, T30)

    assert (reading.long, reading.short, reading.fires, reading.few, reading.calm) == (
        None,
        None,
        False,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        (0.9, ["1\u00a0h / 5\u00a0min"]),
        (0.8, ["1\u00a0h / 5\u00a0min", "6\u00a0h / 30\u00a0min"]),
        (0.94, []),
        (0.999, []),
    ],
)
def test_a_row_that_can_never_fire_is_known(target, rows):
    assert [row.name for row in burn.never_fires(target, T30)] == rows


@pytest.mark.parametrize(("bad", "calm"), [(72, False), (58, False), (57, True), (0, True)])
def test_an_alert_ends_below_eight_tenths_of_its_limit(bad, calm):
    """14.4 · 0.005 is 72 of 1,000; 0.8 of it 57.6."""
    reading = burn.read_row(burn.ROWS[0], counts(rest=Count(bad, 1000)), 0.995, T30)

    assert reading.calm is calm


@pytest.mark.parametrize(
    ("spent", "day", "left", "days"),
    [
        (Count(0, 100_000), Count(0, 3_000), 1.0, None),
        (Count(250, 100_000), Count(15, 3_000), 0.5, 15.0),  # half is left and burns at 1
        (Count(250, 100_000), Count(30, 3_000), 0.5, 7.5),
        (Count(500, 100_000), Count(0, 3_000), 0.0, 0.0),
        (Count(1_000, 100_000), Count(15, 3_000), -1.0, 0.0),
    ],
)
def test_budget_left_and_days_at_this_rate(spent, day, left, days):
    found = burn.budget_of(spent, day, 0.995, T30)

    assert found.allowed == pytest.approx(500)
    assert found.left == pytest.approx(left)
    assert found.days_left == (None if days is None else pytest.approx(days))


def test_a_budget_of_nothing_is_not_measured():
    found = burn.budget_of(Count(), Count(), 0.995, T30)

    assert (found.left, found.burn, found.days_left) == (None, None, None)


def test_the_worst_row_is_the_one_that_fires():
    readings = burn.read_rows(counts(rest=Count(20, 1000)), 0.995, T30)

    assert burn.worst(readings).row.severity == Severity.TICKET
    assert burn.worst(readings).limit == pytest.approx(1)
