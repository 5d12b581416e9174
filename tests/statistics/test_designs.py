"""Design effects of shares: by hand, of simulated clusters, and from a sample of the rows."""

import numpy as np
import pytest
from scipy import stats

from lifecycle.runtime.statistics import clustered

ROWS = 4000


def alike(random, clusters=40, rows=ROWS):
    """Rows of clusters each of which has a mix of its own: (bin, cluster)."""
    mixes, who = random.dirichlet(np.full(4, 5.0), size=clusters), random.integers(clusters, size=rows)
    return (random.random(rows)[:, None] > mixes[who].cumsum(axis=1)).sum(axis=1).clip(0, 3), who


def test_rows_that_are_all_alike_count_as_one_for_each_cluster():
    """Ten clusters of 100 equal rows: each counts as one row, so 100 times the variance, and (G/(G − 1))²
    since each is compared with the nine others.
    """
    found = clustered.design(np.repeat(np.arange(10) % 2, 100), np.repeat(np.arange(10), 100), 1000)

    assert (found.clusters, found.uneven) == (10, pytest.approx(0))
    assert found.effect == pytest.approx(100 * (10 / 9) ** 2)


def test_rows_of_their_own_have_no_effect():
    bins = np.random.default_rng(1).integers(0, 6, 5000)

    found = clustered.design(bins, np.arange(5000), 5000)

    assert found.effect == pytest.approx(1, abs=0.001)
    assert found.uneven == pytest.approx(0, abs=0.001)


def test_one_cluster_or_one_bin_gives_no_design():
    assert clustered.design([0, 1, 0], [7, 7, 7], 3) is None
    assert clustered.design([1, 1, 1], [1, 2, 3], 3) is None
    assert clustered.design([], [], 0) is None


def test_of_two_bins_the_effect_is_that_of_a_share_and_a_bit_more_for_few_clusters():
    bins, who = alike(np.random.default_rng(2))
    hit = (bins == 0).astype(float)
    variance = clustered.sums(clustered.per_cluster(hit, who), np.bincount(who)).variance
    of_share = variance / (hit.mean() * (1 - hit.mean()) / ROWS)

    assert of_share < clustered.design(bins == 0, who, ROWS).effect < of_share * (40 / 39) ** 2
    assert clustered.effect_of_mean(hit, who, ROWS) == pytest.approx(of_share)


def test_a_sample_of_the_rows_gives_the_effect_of_all():
    random = np.random.default_rng(3)
    bins, who = alike(random, clusters=60, rows=40_000)
    taken = random.permutation(40_000)[:4000]

    whole, part = clustered.design(bins, who, 40_000), clustered.design(bins[taken], who[taken], 40_000)

    assert whole.effect > 20
    assert part.effect == pytest.approx(whole.effect, rel=0.15)
    mean_of_all, mean_of_part = (
        clustered.effect_of_mean(bins, who, 40_000),
        clustered.effect_of_mean(bins[taken], who[taken], 40_000),
    )
    assert mean_of_part == pytest.approx(mean_of_all, rel=0.2)


def test_without_a_design_chance_is_the_chi_square_and_with_one_that_does_nothing_nearly_so():
    plain = clustered.by_chance(3, 1000, 100, None)
    same = clustered.by_chance(3, 1000, 100, clustered.Design(100_000, 1.0, 0.0))

    assert plain.critical(0.01) == pytest.approx((1 / 1000 + 1 / 100) * stats.chi2.ppf(0.99, 3))
    assert plain.p(plain.critical(0.01)) == pytest.approx(0.01)
    assert same.critical(0.01) == pytest.approx(plain.critical(0.01), rel=1e-3)
    assert same.p(same.critical(0.01)) == pytest.approx(0.01)


def test_uneven_effects_and_few_clusters_raise_the_limit_and_the_reference_dampens_both():
    even, uneven = clustered.Design(20, 5.0, 0.0), clustered.Design(20, 5.0, 1.0)
    limits = [
        clustered.by_chance(9, n, 1000, found).critical(0.01)
        for n in (10**9, 1000)
        for found in (even, uneven)
    ]

    assert limits[0] == pytest.approx(5 / 1000 * 9 * stats.f.ppf(0.99, 9, 9 * 19), rel=1e-5)
    assert limits[1] == pytest.approx(5 / 1000 * 2 * 4.5 * stats.f.ppf(0.99, 4.5, 4.5 * 19), rel=1e-5)
    assert limits[3] / limits[2] < limits[1] / limits[0]
