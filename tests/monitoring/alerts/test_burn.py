"""Burn rates, equal to what Google's workbook and Sloth publish, and what too little traffic does to them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring.alerts.rules import burn
from monitoring.alerts.rules.burn import Count
from monitoring.alerts.rules.state import Severity

T30, T28 = timedelta(days=30), timedelta(days=28)
MIN, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SLOW, QUICK = 10_000, 1_000


def counts(**given: Count) -> dict[timedelta, Count]:
    """Every window the same, unless it is named: h1=Count(…)."""
    named = {"m5": 5 * MIN, "m30": 30 * MIN, "h1": HOUR, "h2": 2 * HOUR, "h6": 6 * HOUR, "d1": DAY, "d3": 3 * DAY}
    rest = given.pop("rest", Count())
    return {window: given.get(name, rest) for name, window in named.items()}


# The Site Reliability Workbook, table 5-8; slok/sloth internal/alert/windows/google-30d.yaml and google-28d.yaml
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
@pytest.mark.parametrize(("bad", "rate", "days"), [(1, 1, 30), (2, 2, 15), (10, 10, 3), (1000, 1000, 43.2 / 60 / 24)])
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
        ({"rest": Count(80, QUICK), "m5": Count(0, 100), "m30": Count(0, 600)}, "ticket"),  # it is over: the short windows say so
        ({"rest": Count(1, QUICK), "m5": Count(50, 100), "m30": Count(50, 600)}, None),  # a burst, not yet a burn
        ({"rest": Count(6, QUICK)}, "ticket"),  # burn 1.2 over three days
        ({"rest": Count(5, QUICK)}, None),  # burn 1 is allowed
        ({"rest": Count(0, QUICK)}, None),
        ({}, None),
    ],
)
def test_rows_are_joined_by_or_and_a_page_hides_the_ticket(given, expected):
    given = {name: Count(each.bad * 20, each.total * 20) for name, each in given.items()}

    assert loudest(burn.read_rows(counts(**given), 0.995, T30)) == expected


@pytest.mark.parametrize(
    ("bad", "total", "sure"),
    [
        (1, 1, False),  # a single failure at night, whose bound is 0.21
        (2, 2, False),
        (3, 3, True),
        (2, 10, False),
        (4, 10, True),  # Wilson's lower bound is 0.168, over 14.4 · 0.005
        (5, 42, True),  # 5 bad, and ceil(3 / (0.005 · 14.4)) = 42 events
        (5, 41, False),  # one event less: the lower bound, 0.053, decides
        (4, 42, False),  # one failure less
        (3, 42, False),  # 0.071 is under 0.072
    ],
)
def test_few_events_are_judged_by_the_lower_wilson_bound(bad, total, sure):
    assert burn.total_needed(0.005, 14.4) == 42
    assert burn.is_sure(Count(bad, total), 0.005, 14.4) is sure


def test_what_is_over_by_the_plain_ratio_alone_is_called_few():
    reading = burn.read_row(burn.ROWS[0], counts(rest=Count(1, 1)), 0.995, T30)

    assert (reading.fires, reading.few) == (False, True)
    assert reading.long == pytest.approx(200)


def test_nothing_happened_is_no_measurement():
    reading = burn.read_row(burn.ROWS[0], counts(), 0.995, T30)

    assert (reading.long, reading.short, reading.fires, reading.few, reading.calm) == (None, None, False, False, True)


@pytest.mark.parametrize(
    ("target", "rows"),
    [(0.9, ["1\u00a0h / 5\u00a0min"]), (0.8, ["1\u00a0h / 5\u00a0min", "6\u00a0h / 30\u00a0min"]), (0.94, []), (0.999, [])],
)
def test_a_row_that_can_never_fire_is_known(target, rows):
    assert [row.name for row in burn.never_fires(target, T30)] == rows


@pytest.mark.parametrize(("bad", "calm"), [(72, False), (58, False), (57, True), (0, True)])
def test_an_alert_ends_below_eight_tenths_of_its_limit(bad, calm):
    """14.4 · 0.005 is 72 of 1,000; 0.8 of it 57.6."""
    reading = burn.read_row(burn.ROWS[0], counts(rest=Count(bad, 1000)), 0.995, T30)

    assert reading.calm is calm


def test_a_quiet_endpoint_that_fails_day_after_day_gets_a_ticket():
    """5 of 590 in three days: no row believes so few, and the Wilson bound is under the budget."""
    quiet = counts(d3=Count(5, 590), d1=Count(5, 200), h6=Count(1, 50), rest=Count(0, 10))
    assert loudest(burn.read_rows(quiet, 0.995, T30)) is None

    assert burn.is_sustained(quiet, 0.995, T30)
    assert not burn.is_sustained(quiet | {6 * HOUR: Count(0, 50)}, 0.995, T30)
    assert not burn.is_sustained(quiet | {DAY: Count(4, 200)}, 0.995, T30)
    assert not burn.is_sustained(quiet | {3 * DAY: Count(5, 1000)}, 0.995, T30)


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
