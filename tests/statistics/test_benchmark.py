"""The cases of `benchmarks.statistics` run and tell shares; what they come to is the benchmark's own to say."""

from __future__ import annotations

import pytest

from benchmarks.statistics.comparisons import holm
from benchmarks.statistics.rooms import CASES
from benchmarks.statistics.table import ALARMS, COVERAGE, ERRORS, POWER, Row, played


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_case_gives_rows_of_shares(case):
    rows = list(played(case, 0.0005, seed=19))

    assert rows
    for row in rows:
        known = [each for each in (row.ours, row.bar, row.peer) if each is not None]
        assert all(0 <= each <= 1 for each in known), row
        assert (row.kind in (COVERAGE, ALARMS, POWER), row.runs >= 4, (row.peer is None) == (not row.usual)) == (True, True, True), row


@pytest.mark.parametrize(
    ("kind", "ours", "bar", "met", "met_quick"),
    [
        (COVERAGE, 0.93, 0.93, True, True),
        (COVERAGE, 0.92, 0.93, False, True),
        (COVERAGE, 0.90, 0.93, False, False),
        (ALARMS, 0.063, 0.05, True, True),
        (ALARMS, 0.065, 0.05, False, False),
        (POWER, 0.70, 0.71, False, True),
    ],
)
def test_a_bar_is_met_by_its_kind(kind, ours, bar, met, met_quick):
    """Of 1,000 runs two standard errors are 1.6 points of 93 %, 1.4 of 5 % and 2.9 of 71 %."""
    row = Row("what", "world", "size", kind, 1000, ours, bar)

    assert (row.met(), row.met(ERRORS)) == (met, met_quick)


def test_a_case_gives_the_same_whatever_else_ran():
    one, two = (list(played(holm, 0.01, seed=19)) for _ in range(2))

    assert one == two
