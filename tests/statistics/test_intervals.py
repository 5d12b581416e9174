"""Intervals of shares and of differences, as published."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.statistics.intervals import (
    Z95,
    Interval,
    low_if_worse,
    newcombe,
    rows_for_margin,
    wilson,
)


def test_wilson_interval_of_eight_out_of_ten():
    assert wilson(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_as_published(first, second, low, high):
    found = newcombe(*first, *second)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.value == first[0] / first[1] - second[0] / second[1]


@pytest.mark.parametrize("rows", [100, 188, 189, 300, 1_000])
@pytest.mark.parametrize("fixed", [0.0, 0.01, 0.04])
def test_one_that_is_worse_by_the_margin_passes_for_one_that_is_not_in_hardly_more_than_2_in_100(rows, fixed):
    """By the interval alone 13 in 100 do where 100 rows are broken in 2 % and fixed in none: where no row
    turned it has no length.
    """
    margin, chances = 0.02, (fixed, fixed + 0.02, 1 - 2 * fixed - 0.02)
    counts = np.random.default_rng(14).multinomial(rows, chances, 4_000)
    pairs, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    passed = [
        low_if_worse(of(*(int(each) for each in pair), rows), margin, rows) >= -margin for pair in pairs
    ]

    assert np.dot(passed, times) / 4_000 <= 0.03


@pytest.mark.parametrize(
    ("fixed", "broken", "rows", "margin", "low"),
    [
        (14, 14, 500, 0.03, -0.0227757),
        (5, 3, 200, 0.02, -0.0212383),
        (3, 0, 200, 0.02, -0.0106673),
        (0, 4, 200, 0.02, -0.0394027),
    ],
)
def test_the_error_is_that_under_the_margin_by_the_largest_likelihood(fixed, broken, rows, margin, low):
    """As found by searching for the shares that make the counts likeliest while their difference is
    −margin.
    """
    assert low_if_worse(of(fixed, broken, rows), margin, rows) == pytest.approx(low, abs=1e-6)


def test_the_fewest_rows_for_a_margin_are_known():
    assert [rows_for_margin(margin) for margin in (0.01, 0.02, 0.05)] == [381, 189, 73]
    assert [low_if_worse(of(0, 0, rows), 0.02, rows) >= -0.02 for rows in (188, 189)] == [False, True]


def of(fixed, broken, rows):
    """The paired difference of so many rows; its interval by the normal distribution."""
    value, turned = (fixed - broken) / rows, (fixed + broken) / rows
    half = Z95 * ((turned - value**2) / rows) ** 0.5
    return Interval(value, value - half, value + half)
