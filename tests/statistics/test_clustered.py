"""Statistics of rows in clusters."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.clustered import Sums, sums
from lifecycle.runtime.statistics.intervals import wilson

BAD = np.array([0, 3, 1, 0, 5, 2, 0, 0, 1, 4])
ALL = np.array([4, 6, 2, 8, 5, 9, 3, 1, 7, 5])


def test_the_variance_is_that_of_a_regression_through_the_origin_with_robust_errors_of_clusters():
    """Of the quotient r = Σ above / Σ below: Σ (above − r · below)² / (Σ below)², times K / (K − 1), K = (Σ
    below)² / Σ below².
    """
    found = sums(BAD, ALL)

    assert (found.clusters, found.some, found.whole, found.above, found.below) == (10, 6, 1, 16, 50)
    assert found.value == 0.32
    equal = 50**2 / (ALL**2).sum()
    assert found.variance == pytest.approx(equal / (equal - 1) * ((BAD - 0.32 * ALL) ** 2).sum() / 50**2)
    assert found.within == pytest.approx((BAD * (ALL - BAD) / ALL).sum())
    assert found == replace(sums(BAD[:4], ALL[:4]) + sums(BAD[4:], ALL[4:]), within=found.within)


def test_values_one_a_cluster_have_students_interval():
    values = np.random.default_rng(1).normal(3, 2, 25)

    found = clustered.ratio(sums(values, np.ones(25)))

    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_rows_that_are_clusters_of_their_own_count_fully():
    found = sums(np.repeat([1, 0], [8, 42]), np.ones(50))

    assert clustered.effective(found) == 50
    interval = clustered.share(found)
    assert (interval.low, interval.high) == pytest.approx(wilson(8, 50))


def test_rows_that_are_alike_in_each_cluster_count_once_a_cluster():
    found = clustered.share(sums(np.repeat([20, 0], [8, 42]), np.full(50, 20)))

    assert (found.low, found.high) == pytest.approx(wilson(8, 50))


def test_of_rows_that_are_all_alike_each_cluster_counts_once():
    assert clustered.effective(sums(np.full(30, 4), np.full(30, 4))) == 30
    assert clustered.effective(sums(np.zeros(30), np.full(30, 4))) == 30
    assert clustered.effective(Sums()) == 0
    assert clustered.share(sums([4, 4, 4], [4, 4, 4])).low == pytest.approx(wilson(3, 3)[0])


def test_the_design_effect_and_how_alike_rows_are():
    """20 clusters of 5 rows of which all or none are above: a correlation of 1, five rows worth one."""
    whole = sums(np.repeat([5, 0], 10), np.full(20, 5))

    assert clustered.design_effect(whole) == pytest.approx(5 * 20 / 19)
    assert clustered.alike(whole) == 1.0
    assert (
        clustered.design_effect(sums([0, 0, 0], [4, 5, 6])),
        clustered.alike(sums([0, 0, 0], [4, 5, 6])),
    ) == (1.0, 0.0)
    assert (clustered.design_effect(Sums()), clustered.alike(Sums())) == (math.inf, 0.0)
    assert clustered.alike(sums(np.repeat([1, 0], [8, 42]), np.ones(50))) == 0.0


def test_the_correlation_of_a_beta_binomial_is_found_again():
    random = np.random.default_rng(1)
    count = 1 + random.poisson(20, 4_000)

    found = sums(random.binomial(count, random.beta(0.1 * 9, 0.9 * 9, 4_000)), count)

    assert clustered.alike(found) == pytest.approx(0.1, abs=0.015)  # 1 / (9 + 1)


def test_arms_of_rows_of_their_own_have_the_variance_of_agresti_and_coull():
    apart, variance = clustered.dealt(
        sums(np.repeat([1, 0], [8, 42]), np.ones(50)), sums(np.zeros(90), np.ones(90))
    )

    p, q = 10 / 54, 2 / 94
    effect = 50 / 49
    assert apart == pytest.approx(0.16)
    assert variance == pytest.approx(p * (1 - p) / 50 + q * (1 - q) / 90, rel=3 * (effect - 1))
    assert clustered.dealt(sums([1], [50]), sums([1, 2], [50, 60]))[1] == math.inf


def test_rows_of_both_arms_are_taken_as_equally_alike():
    """An arm without anything above doesn't show how alike its rows are; it was randomly assigned the same
    kind of clusters.
    """
    alike, none = sums(np.repeat([20, 0], [8, 42]), np.full(50, 20)), sums(np.zeros(50), np.full(50, 20))

    rows = 1_000 / clustered.design_effect(alike)
    p, q = (0.16 * rows + 2) / (rows + 4), 2 / (rows + 4)
    assert clustered.dealt(alike, none)[1] == pytest.approx((p * (1 - p) + q * (1 - q)) / rows)


@pytest.mark.parametrize("alike", [0.0, 0.02, 0.3, 0.8])
@pytest.mark.parametrize(("clusters", "size", "chance"), [(20, 50, 0.9), (50, 20, 0.98), (100, 10, 0.5)])
def test_the_interval_of_a_share_holds_however_alike_the_rows_of_a_cluster_are(clusters, size, chance, alike):
    """2,000 samples with an intraclass correlation of `alike`; Wilson's interval of independent rows holds in
    as few as 7 % of them.
    """
    random, held = np.random.default_rng(1), 0
    spread = (1 - alike) / alike if alike else 0.0
    for _ in range(2_000):
        own = (
            random.beta(chance * spread, (1 - chance) * spread, clusters)
            if alike
            else np.full(clusters, chance)
        )
        count = 1 + random.poisson(size - 1, clusters)
        found = clustered.share(sums(random.binomial(count, own), count))
        held += found.low <= chance <= found.high

    assert held / 2_000 >= 0.93


@pytest.mark.parametrize(("chance", "alike"), [(0.7, 0.02), (0.9, 0.3), (0.9, 0.8), (0.98, 0.3)])
@pytest.mark.parametrize("large", [[444] * 3, [270] * 5, [1000]], ids=["three", "five", "one"])
def test_the_interval_of_a_share_holds_where_a_few_of_a_hundred_clusters_have_most_rows(large, chance, alike):
    """1,000 samples of 2,000 rows. With the variance over clusters alone, five large ones that happened to be
    alike left a share of .9 in 44 of 100, since small clusters didn't show how alike rows are. The worst is a
    correlation of .8 where one has half of all.
    """
    random, held, spread = np.random.default_rng(1), 0, (1 - alike) / alike
    count = np.array(large + [round((2000 - sum(large)) / (100 - len(large)))] * (100 - len(large)))
    for _ in range(1_000):
        own = random.beta(chance * spread, (1 - chance) * spread, 100)
        found = clustered.share(sums(random.binomial(count, own), count))
        held += found.low <= chance <= found.high

    assert held / 1_000 >= (0.91 if (len(large), alike) == (1, 0.8) else 0.93)


def test_clusters_that_are_all_like_the_whole_count_as_rows():
    """No variance between them, and less than by chance within."""
    found = sums(np.full(40, 2), np.full(40, 4))

    assert (found.variance, clustered.design_effect(found), clustered.effective(found)) == (0.0, 1.0, 160)


def test_a_handful_of_rows_above_is_weak_evidence_of_alike_clusters():
    """2 of 220 rows, of which one cluster has 100: without FEW rows of a cluster would be taken as wholly
    alike.
    """
    found = sums(np.repeat([1, 0], [2, 119]), np.repeat([1, 100], [120, 1]))

    expected = 2 * 218 / 220**2 * 99
    assert clustered.design_effect(found) == pytest.approx(1 + (10_120 / 220 - 1) * (1 - 2 / (expected + 2)))
    assert clustered.design_effect(found) < 16


def test_clusters_of_about_one_size_have_the_design_effect_of_their_variance():
    found = sums(np.repeat([1, 2, 3], 20), np.repeat([4, 5, 6], 20))

    assert clustered.design_effect(found) == max(
        1.0, found.variance / (found.value * (1 - found.value)) * found.below
    )


def test_sums_without_variation_within_clusters_count_as_alike():
    found = sums(np.repeat([1, 2, 3, 20], [20, 20, 20, 1]), np.repeat([4, 40], [60, 1]))

    assert clustered.effective(found) > 100
    assert clustered.effective(replace(found, within=0.0)) == pytest.approx(found.equal)


# ── Skewed values ───────────────────────────────────────────────────────────
def test_of_symmetric_values_the_interval_for_skewed_ones_is_students():
    values = np.concatenate([np.arange(50.0), 100 - np.arange(50.0)])
    once = stats.ttest_1samp(values, 0).confidence_interval(0.95)

    found = clustered.skewed(values, np.ones(100))

    assert (found.low, found.value, found.high) == pytest.approx((once.low, 50.0, once.high), rel=1e-9)


def test_the_ends_of_the_interval_for_skewed_values_are_those_of_halls_transformation():
    values = np.random.default_rng(2).lognormal(0, 1, 120)
    found, apart = clustered.skewed(values, np.ones(120)), values - values.mean()

    error, gamma = values.std(ddof=1) / 120**0.5, (apart**3).sum() / (apart**2).sum() ** 1.5
    for end, sign in ((found.low, 1), (found.high, -1)):
        t = (values.mean() - end) / error
        assert t + gamma * t**2 / 3 + gamma**2 * t**3 / 27 + gamma / 6 == pytest.approx(
            sign * stats.t.ppf(0.975, 119), rel=1e-9
        )


def test_money_that_most_do_not_spend_is_covered_far_out_too():
    """A fifth spends a lognormal sum; 140 clusters. At z = 3.1, a chance of 0.1 % on each side, Student's t
    ends below it in 4 %.
    """
    chance, missed, student = np.random.default_rng(6), 0, 0
    for _ in range(1000):
        values = chance.lognormal(3, 1, 140) * (chance.random(140) < 0.2)
        truth = 0.2 * np.exp(3.5)
        missed += clustered.skewed(values, np.ones(140), 3.1).high < truth
        student += (
            values.mean() + stats.t.ppf(stats.norm.cdf(3.1), 139) * values.std(ddof=1) / 140**0.5 < truth
        )

    assert (missed <= 10, student >= 20) == (True, True)


def test_what_differs_by_rounding_alone_has_no_length():
    found = clustered.skewed([0.05 * 41, 0.1 + 0.2, 0.05], [41, 6, 1])

    assert found.low == found.high == pytest.approx(0.05)


def test_the_design_of_counts_compares_each_cluster_with_the_others():
    """As by deleting one cluster after the other (CR3): with few clusters the usual sum of squares is too
    small.
    """
    random = np.random.default_rng(4)
    codes = random.integers(0, 6, 120)
    bins = np.where(random.random(120) < 0.5, codes % 3, random.integers(0, 3, 120))

    found = clustered.design(bins, codes, 120)

    shares = np.bincount(bins) / 120
    moved = np.array(
        [np.bincount(bins[codes != at], minlength=3) / (codes != at).sum() - shares for at in range(6)]
    )
    effect = (moved**2 / shares).sum() / 2 * 120
    assert found.clusters == 6
    assert found.effect == pytest.approx(max(1.0, effect))
    assert effect > 1


SIZES = {
    "a third from one, Pareto": (
        lambda random: np.minimum(np.ceil(random.pareto(1.1, 300) + 0.01), 3000).astype(int)
    ),
    "one sends half": lambda random: np.r_[300, np.full(60, 5)],
    "of one size": lambda random: np.full(60, 10),
}


@pytest.mark.parametrize(
    ("sizes", "held", "before"),
    [("a third from one, Pareto", 0.89, 0.87), ("one sends half", 0.93, 0.82), ("of one size", 0.93, 1)],
)
def test_the_interval_of_a_share_holds_where_some_send_far_more_than_others(sizes, held, before):
    """Degrees of freedom by how many clusters there are, whatever their sizes, cover as in the last
    column.
    """
    random, found, counted = np.random.default_rng(5), 0, 0
    for _ in range(500):
        size = SIZES[sizes](random)
        right = sums(random.binomial(size, random.beta(0.9 * 7 / 3, 0.1 * 7 / 3, len(size))), size)
        interval = clustered.share(right)
        found += interval.low <= 0.9 <= interval.high
        few = max(2, min(right.some, right.clusters - right.whole, right.clusters - 1))
        variance = right.variance * (right.equal - 1) / right.equal * right.clusters / (right.clusters - 1)
        rows = (
            max(right.equal, 0.09 / variance * (1.96 / stats.t.ppf(0.975, few)) ** 2)
            if 0 < right.value < 1
            else right.equal
        )
        low, high = wilson(right.value * rows, rows)
        counted += low <= 0.9 <= high

    assert (found / 500 >= held, counted / 500 <= before) == (True, True)


def test_the_effective_number_of_rows_so_far_is_that_of_the_sums_so_far():
    random = np.random.default_rng(7)
    codes, above = random.integers(0, 12, 80), (random.random(80) < 0.8).astype(int)
    begun = random.integers(0, 3, 12)
    for below, known in (
        (np.ones(80, dtype=int), np.zeros(12, dtype=int)),
        (np.zeros(80, dtype=int), np.bincount(codes) + begun),
    ):
        found, least = clustered.effective_so_far(codes, above, below, known)

        for rows in range(1, 81):
            parts = [np.bincount(codes[:rows], weights=each[:rows], minlength=12) for each in (above, below)]
            wanted = clustered.sums(parts[0], parts[1] + known)
            assert found[rows - 1] == pytest.approx(clustered.effective(wanted))
            assert least[rows - 1] == pytest.approx(wanted.below**2 / wanted.squares[2])
