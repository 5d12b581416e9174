"""Intervals of shares and of differences, as published."""

from __future__ import annotations

import pytest

from lifecycle.statistics.intervals import newcombe, wilson


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
