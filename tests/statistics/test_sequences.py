"""Confidence sequences: intervals checked at every look."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import betaln, logsumexp

from lifecycle.runtime.statistics import sequences
from lifecycle.runtime.statistics.intervals import wilson


def test_the_ends_of_a_share_are_where_the_mixture_of_likelihood_ratios_reaches_its_limit():
    low, high = sequences.share(18, 20)

    for end in (low, high):
        against = 18 * math.log(end) + 2 * math.log(1 - end)
        assert betaln(18.5, 2.5) - betaln(0.5, 0.5) - against == pytest.approx(math.log(20), abs=1e-6)
    assert (round(low, 4), round(high, 4)) == (0.5913, 0.9963)


def test_a_share_of_nothing_may_be_any_and_one_of_all_ends_at_one():
    assert sequences.share(0, 0) == (0.0, 1.0)
    assert sequences.share(40, 40)[1] == 1.0
    assert sequences.share(0, 40)[0] == 0.0
    assert sequences.share(40, 40)[0] == pytest.approx(1 - sequences.share(0, 40)[1])


@pytest.mark.parametrize("chance", [0.7, 0.9, 0.98])
def test_a_share_that_is_looked_at_all_along_200_trials_is_missed_at_any_look_in_at_most_5_percent(chance):
    """The interval for one look is missed at some look in more than a fifth."""
    looks = np.arange(1, 201, 5)
    so_far = np.cumsum(np.random.default_rng(1).random((1_000, 200)) < chance, axis=1)[:, looks - 1]
    missed = np.zeros((2, *so_far.shape), dtype=bool)
    for at, n in enumerate(looks):
        for s in np.unique(so_far[:, at]):  # each interval once, of the few that are seen
            for which, (low, high) in enumerate((sequences.share(s, n), wilson(s, n))):
                missed[which, so_far[:, at] == s, at] = not low <= chance <= high

    always, once = missed.any(axis=2).mean(axis=1)
    assert always <= 0.05
    assert once > 0.2


def test_the_half_width_is_that_of_a_mixture_of_normal_likelihood_ratios():
    """At the end of the interval, the mixture over N(0, τ²) of likelihood ratios against no difference is
    1/α.
    """
    half = sequences.half_width(0.0004, 0.05, 0.05)

    effects = np.linspace(-1, 1, 200_001)
    ratios = (half * effects - effects**2 / 2) / 0.0004
    mixed = logsumexp(ratios - effects**2 / (2 * 0.05**2)) + math.log(
        (effects[1] - effects[0]) / math.sqrt(2 * math.pi * 0.05**2)
    )
    assert mixed == pytest.approx(math.log(20), abs=1e-6)
    assert math.isinf(sequences.half_width(0.0, 0.05))


def test_a_skewed_mean_looked_at_after_each_cluster_from_the_hundredth_is_missed_in_at_most_5_percent():
    random = np.random.default_rng(1)
    counts = np.arange(100, 1_001)
    tau = sequences.tau_for(1.0, 300)
    missed = 0
    for _ in range(500):
        values = random.exponential(1.0, 1_000)
        means = np.cumsum(values)[99:] / counts
        variances = (np.cumsum(values**2)[99:] / counts - means**2) / (counts - 1)
        missed += any(
            abs(m - 1) > sequences.half_width(v, tau) for m, v in zip(means, variances, strict=True)
        )

    assert missed / 500 <= 0.05


def test_the_tau_for_a_number_of_clusters_is_near_the_best_there():
    tau = sequences.tau_for(4.0, 250)

    best = min(sequences.half_width(4.0 / 250, tau * factor) for factor in np.geomspace(0.1, 10, 400))
    assert sequences.half_width(4.0 / 250, tau) <= 1.002 * best


def test_as_a_quantile_the_sequence_has_the_width_that_it_has_as_an_interval():
    for count in (20, 200, 5000):
        variance = 0.09 / count
        wanted = sequences.half_width(variance, sequences.tau_for(0.09, sequences.BEST_AT))
        assert sequences.quantile(count) * variance**0.5 == pytest.approx(wanted, rel=1e-12)
    assert sequences.quantile(0) == math.inf
