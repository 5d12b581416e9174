"""The always-valid interval: its formula, its coverage over many looks, and when there is none."""

import math

import numpy as np
import pytest

from monitoring.rollouts.rules import difference
from monitoring.rollouts.rules.interval import half_width


def test_the_bounds_are_those_of_the_formula():
    found = difference((8, 95), (2000, 38_000), alpha=0.05, tau=0.01)

    first, second = 10 / 2004, 97 / 38_004
    variance = first * (1 - first) / 2000 + second * (1 - second) / 38_000
    half = math.sqrt(variance * (variance + 1e-4) / 1e-4 * (2 * math.log(20) + math.log((variance + 1e-4) / variance)))
    assert found.difference == pytest.approx(8 / 2000 - 95 / 38_000)
    assert (found.low, found.high) == (pytest.approx(found.difference - half), pytest.approx(found.difference + half))


def test_its_end_is_where_the_likelihood_ratio_reaches_one_over_alpha():
    """The interval holds every difference that the mixture test of §mSPRT does not reject."""
    variance, tau, alpha = 2.5e-6, 0.01, 0.05
    at = half_width(variance, alpha, tau)

    ratio = math.sqrt(variance / (variance + tau**2)) * math.exp(tau**2 * at**2 / (2 * variance * (variance + tau**2)))

    assert ratio == pytest.approx(1 / alpha)


@pytest.mark.parametrize("of", [(99, 10_000), (10_000, 99), (0, 0)])
def test_under_a_hundred_of_either_arm_there_is_none(of):
    assert difference((0, 0), of) is None
    assert difference((0, 0), (100, 100)) is not None


def test_an_arm_without_failures_has_a_width():
    found = difference((0, 2), (100, 1900))

    assert found.difference == pytest.approx(-2 / 1900)
    assert found.high > 0.03


def test_bounds_stay_within_what_a_difference_of_shares_can_be():
    found = difference((100, 0), (100, 100))

    assert found.high == 1
    assert found.low > 0.5


@pytest.mark.parametrize(("stable", "canary"), [(0.005, 0.005), (0.02, 0.02), (0.005, 0.01)])
def test_the_truth_is_inside_at_all_looks_together(stable, canary):
    rng = np.random.default_rng(7)
    on_stable = rng.binomial(380, stable, (400, 240)).cumsum(axis=1)
    on_canary = rng.binomial(20, canary, (400, 240)).cumsum(axis=1)
    missed = 0
    for path in range(400):
        looks = (difference((on_canary[path, at], on_stable[path, at]), (20 * (at + 1), 380 * (at + 1))) for at in range(4, 240, 4))
        missed += any(not found.low <= canary - stable <= found.high for found in looks)

    assert missed / 400 <= 0.05
