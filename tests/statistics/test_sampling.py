"""Acceptance sampling: how often lots pass."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from lifecycle.runtime.statistics import sampling


@pytest.mark.parametrize(
    ("size", "most", "in_95", "in_10"),
    [
        (50, 1, 0.712, 7.56),
        (50, 2, 1.66, 10.3),
        (200, 5, 1.31, 4.59),
        (500, 10, 1.24, 3.06),
        (125, 0, 0.0410, 1.83),
    ],
)
def test_qualities_are_those_of_the_tables_of_iso_2859_1(size, most, in_95, in_10):
    """Percent wrong at which 95 and 10 % of lots are accepted, single sampling (tables X)."""
    assert 100 * sampling.quality(0.95, size, most) == pytest.approx(in_95, rel=0.005)
    assert 100 * sampling.quality(0.10, size, most) == pytest.approx(in_10, rel=0.005)


def test_a_sample_is_accepted_with_the_binomial_chance():
    assert sampling.chance(0.04, 50, 2) == pytest.approx(scipy.stats.binom.cdf(1, 50, 0.04))
    assert sampling.chance(0.04, 50, 2) == pytest.approx(0.40, abs=0.005)


def test_three_further_samples_hardly_raise_the_chance_that_a_bad_lot_passes():
    """Judged separately, three samples of 50 accepted a lot 4 % wrong in 79 %."""
    assert 1 - (1 - sampling.chance(0.04, 50, 2)) ** 3 == pytest.approx(0.78, abs=0.01)
    assert sampling.chance(0.04, 50, 2, more=3) == pytest.approx(0.455, abs=0.005)
    assert sampling.chance(0.08, 50, 2, more=3) == pytest.approx(0.085, abs=0.002)
    assert sampling.chance(0.04, 50, 0, more=3) == pytest.approx(sampling.chance(0.04, 50, 0))


@pytest.mark.parametrize(("size", "tolerated", "share"), [(50, 2, 0.04), (20, 5, 0.08), (200, 2, 0.02)])
def test_the_chance_is_what_happens_to_simulated_lots(size, tolerated, share):
    random, accepted = np.random.default_rng(17), 0
    for _ in range(4_000):
        judged = wrong = 0
        for found in random.binomial(size, share, 4).tolist():
            if found <= sampling.allowed(size, tolerated, judged=judged, wrong=wrong):
                accepted += 1
                break
            judged, wrong = judged + size, wrong + found

    assert accepted / 4_000 == pytest.approx(sampling.chance(share, size, tolerated, more=3), abs=0.025)


def test_after_a_rejected_sample_all_that_was_judged_has_to_hold():
    assert sampling.allowed(50, 2) == 1
    assert sampling.allowed(50, 2, judged=50, wrong=2) == 0
    assert sampling.allowed(50, 2, judged=50, wrong=3) == -1
    assert sampling.allowed(50, 2, judged=500, wrong=0) == 1  # what was right before makes up for nothing now
    assert sampling.quality(0.95, 50, -1) is sampling.quality(0.95, 0, 0) is None
    assert sampling.chance(0.01, 50, 2, judged=50, wrong=3) == 0
