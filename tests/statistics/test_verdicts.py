"""Verdicts on differences."""

from __future__ import annotations

import pytest

from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.statistics.verdicts import WORDS, Verdict, verdict


@pytest.mark.parametrize(
    ("low", "high", "asked", "expected"),
    [
        (0.01, 0.03, {}, "better"),
        (-0.03, -0.01, {}, "worse"),
        (0.0, 0.03, {}, "unclear"),
        (-0.01, 0.03, {}, "unclear"),
        (0.01, 0.03, {"up": False}, "worse"),
        (-0.03, -0.01, {"up": False}, "better"),
        (0.01, 0.03, {"matters": 0.01}, "unclear"),
        (0.011, 0.03, {"matters": 0.01}, "better"),
        (-0.03, -0.011, {"matters": 0.01}, "worse"),
        (0.01, 0.03, {"p": 0.05}, "unclear"),
        (0.01, 0.03, {"p": 0.049}, "better"),
    ],
)
def test_a_difference_needs_the_interval_p_and_a_relevant_size(low, high, asked, expected):
    assert verdict(Interval((low + high) / 2, low, high), **asked) == expected


def test_each_verdict_has_its_words():
    assert set(WORDS) == set(Verdict)
    assert Verdict.UNCLEAR.words == "no clear difference"
