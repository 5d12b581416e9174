"""The cases of `benchmarks.statistics` run and return shares; the benchmark itself judges their values."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.statistics.comparisons import holm
from benchmarks.statistics.rooms import CASES
from benchmarks.statistics.table import ALARMS, COVERAGE, ERRORS, POWER, Draw, Row, played
from benchmarks.statistics.worlds import PARETO, THIRD, TWO_THIRDS, as_its_cluster, sizes, weight_of


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_case_gives_rows_of_shares(case):
    rows = list(played(case, 0.0005, seed=19))

    assert rows
    for row in rows:
        known = [each for each in (row.ours, row.bar, row.peer) if each is not None]
        assert all(0 <= each <= 1 for each in known), row
        assert (
            row.kind in (COVERAGE, ALARMS, POWER),
            row.runs >= 4,
            (row.peer is None) == (not row.usual),
        ) == (True, True, True), row


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


@pytest.mark.parametrize(
    ("shape", "largest"),
    [("", [30, 30, 30, 30]), (THIRD, [1000, 20, 20, 20]), (TWO_THIRDS, [667, 667, 667, 10])],
)
def test_clusters_have_the_sizes_of_their_shape(shape, largest):
    found = sizes(
        Draw(np.random.default_rng(1)),
        shape,
        101 if shape == THIRD else 103 if shape == TWO_THIRDS else 100,
        3000,
    )[0]

    assert (found[:4].tolist(), abs(int(found.sum()) - 3000) <= 1) == (largest, True)


def test_pareto_sizes_are_drawn_anew_and_are_uneven():
    found = sizes(Draw(np.random.default_rng(1)), PARETO, 100, 3000, runs=50)

    assert (found.shape, int(found.min())) == ((50, 100), 1)
    assert np.median(found.max(axis=1)) > 300


def test_rows_of_a_cluster_are_as_alike_as_requested():
    codes = np.repeat(np.arange(20_000), 2)
    luck = as_its_cluster(Draw(np.random.default_rng(1)), codes, 0.3)

    one, two = luck(), luck()

    assert np.corrcoef(one[::2], one[1::2])[0, 1] == pytest.approx(0.3, abs=0.02)
    assert np.corrcoef(one, two)[0, 1] == pytest.approx(0.0, abs=0.02)
    assert weight_of(np.array([0, 0, 0, 1])) == 2.5
