"""The e-process: its values, its bound, and what it does to healthy and to bad canaries."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from monitoring.rollouts.rules import RATIOS, log_e, log_limit, tolerated_share


def directly(flags, share):
    """As the formula is written: a product for every ratio, then the mean."""
    total = 0.0
    for ratio in RATIOS:
        q, product = ratio * share / (ratio * share + 1 - share), 1.0
        for flag in flags:
            product *= q / share if flag else (1 - q) / (1 - share)
        total += product
    return total / len(RATIOS)


def test_twenty_ratios_from_1_2_to_20_on_a_log_scale():
    assert len(RATIOS) == 20
    assert (RATIOS[0], RATIOS[-1]) == (pytest.approx(1.2), pytest.approx(20))
    assert np.diff(np.log(RATIOS)) == pytest.approx(np.full(19, math.log(20 / 1.2) / 19))


@pytest.mark.parametrize("flags", [[], [1], [0], [1, 0, 0, 1, 0], [0, 0, 1, 1, 0], [1] * 6 + [0] * 30])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_it_equals_the_formula(flags, share):
    assert math.exp(log_e(sum(flags), len(flags) - sum(flags), share)) == pytest.approx(
        directly(flags, share), rel=1e-12
    )


def test_values_worked_out_by_hand():
    one = RATIOS * 0.05 / (RATIOS * 0.05 + 0.95)
    assert float(log_e(1, 0, 0.05)) == pytest.approx(math.log(np.mean(one / 0.05)))
    assert float(log_e(0, 0, 0.05)) == 0
    assert math.exp(log_e(1, 0, 0.5)) == pytest.approx(np.mean(2 * RATIOS / (1 + RATIOS)))


def test_large_counts_stay_finite_and_agree_with_scipy():
    biased = RATIOS * 0.05 / (RATIOS * 0.05 + 0.95)
    terms = [stats.binom.logpmf(3000, 50_000, q) - stats.binom.logpmf(3000, 50_000, 0.05) for q in biased]
    expected = logsumexp(terms) - math.log(20)

    assert float(log_e(3000, 47_000, 0.05)) == pytest.approx(expected, rel=1e-9)
    assert float(log_e(100_000, 0, 0.05)) > 100_000


def test_arrays_give_arrays():
    canary, stable = np.array([[0, 1], [2, 3]]), np.array([[5, 5], [5, 5]])

    found = log_e(canary, stable, 0.05)

    assert found.shape == (2, 2)
    assert found[1, 1] == pytest.approx(float(log_e(3, 5, 0.05)))


def test_the_tolerance_moves_the_share():
    assert tolerated_share(0.05) == 0.05
    assert tolerated_share(0.05, 1.5) == pytest.approx(0.075 / 1.025)
    assert float(log_e(8, 50, 0.05, 1.5)) == pytest.approx(float(log_e(8, 50, 0.075 / 1.025)))
    assert log_e(8, 50, 0.05, 1.5) < log_e(8, 50, 0.05)


@pytest.mark.parametrize(("share", "ratio"), [(0, 1), (1, 1), (0.5, 0.9)])
def test_senseless_shares_are_refused(share, ratio):
    with pytest.raises(ValueError):
        log_e(1, 1, share, ratio)


def test_the_mean_under_a_harmless_canary_is_one():
    """Exactly, over all outcomes of 30 failures."""
    canary = np.arange(31)
    weights = stats.binom.pmf(canary, 30, 0.05)

    assert float(weights @ np.exp(log_e(canary, 30 - canary, 0.05))) == pytest.approx(1, rel=1e-12)


def test_ville_holds_with_a_look_after_every_failure():
    flags = np.random.default_rng(7).random((4000, 300)) < 0.05
    canary, failures = flags.cumsum(axis=1), np.arange(1, 301)
    counts = np.arange(canary.max() + 1)[:, None]
    # once: most of the looks have counts that others have too
    each_pair = log_e(counts, np.maximum(failures - counts, 0), 0.05)
    ever = (each_pair[canary, failures - 1] >= log_limit(0.05)).any(axis=1)

    assert ever.mean() <= 0.05


def test_segments_with_different_shares_multiply_and_the_bound_still_holds():
    rng = np.random.default_rng(7)
    paths, total, ever = 3000, np.zeros(3000), np.zeros(3000, bool)
    for share in (0.05, 0.25, 0.5):
        canary = (rng.random((paths, 100)) < share).cumsum(axis=1)
        looks = total[:, None] + log_e(canary, np.arange(1, 101) - canary, share)
        ever |= (looks >= log_limit(0.05)).any(axis=1)
        total = looks[:, -1]

    assert ever.mean() <= 0.05


@pytest.mark.parametrize(
    ("stable", "canary", "ratio", "rolled_back", "windows"),
    [
        (0.005, 0.005, 1, (0.0, 0.05), None),
        (0.005, 0.05, 1, (1.0, 1.0), (2, 5)),
        (0.005, 0.5, 1, (1.0, 1.0), (1, 1)),
        (0.005, 0.01, 1, (0.8, 0.95), (60, 110)),
        (0.005, 0.01, 1.5, (0.1, 0.3), None),
    ],
)
def test_what_it_does_to_canaries_of_20_in_400_requests(stable, canary, ratio, rolled_back, windows):
    rng = np.random.default_rng(7)
    on_stable = rng.binomial(380, stable, (1000, 240)).cumsum(axis=1)
    on_canary = rng.binomial(20, canary, (1000, 240)).cumsum(axis=1)

    hit = log_e(on_canary, on_stable, 0.05, ratio) >= log_limit(0.05)

    assert rolled_back[0] <= hit.any(axis=1).mean() <= rolled_back[1]
    if windows:
        assert windows[0] <= np.median(hit.argmax(axis=1)[hit.any(axis=1)] + 1) <= windows[1]
