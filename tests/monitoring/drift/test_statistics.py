"""PSI, its threshold and its bins, against scipy, against figures worked by hand, and on data in which
nothing changed.
"""

import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from lifecycle.runtime.statistics import clustered
from monitoring.drift import statistics
from monitoring.drift.measuring.measured import Reference
from monitoring.drift.statistics import Bins


def bins(reference, current, names=None):
    return Bins(tuple(names or "abcdefghij"[: len(reference)]), tuple(reference), tuple(current))


def test_psi_by_hand():
    """(60, 40) against (40, 60): shares (60.5/101, 40.5/101); PSI = 2 · (20/101) · ln(60.5/40.5) =
    0.158948.
    """
    found = statistics.shift(bins([60, 40], [40, 60]), 0.01)

    assert found.value == pytest.approx(2 * (20 / 101) * math.log(60.5 / 40.5))
    assert round(found.value, 4) == 0.1589


def test_threshold_and_p_are_those_of_the_chi_square_distribution():
    found = statistics.shift(bins([100, 200, 300, 400], [30, 20, 30, 20]), 0.01)

    scale = 1 / 1000 + 1 / 100
    assert found.critical == pytest.approx(scale * stats.chi2.ppf(0.99, 3))
    assert found.p == pytest.approx(stats.chi2.sf(found.value / scale, 3))
    assert (found.n, found.m) == (1000, 100)


def test_psi_is_both_directions_of_kl_and_js_is_the_distance_in_base_two():
    reference, current = [50, 30, 20], [10, 60, 30]
    found = statistics.shift(bins(reference, current), 0.01)
    r, c = ((np.array(each) + 0.5) / (100 + 1.5) for each in (reference, current))

    assert found.kl_current == pytest.approx(stats.entropy(c, r))
    assert found.kl_reference == pytest.approx(stats.entropy(r, c))
    assert found.value == pytest.approx(stats.entropy(c, r) + stats.entropy(r, c))
    assert found.value == pytest.approx(((c - r) * np.log(c / r)).sum())
    assert found.js == pytest.approx(jensenshannon(r, c, base=2))


def test_psi_without_smoothing_is_evidentlys_formula_where_no_bin_is_empty():
    """Evidently: sum of (current − reference) · ln(current / reference) over plain shares. Ours comes close
    as rows grow.
    """
    r, c = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    many = 10_000_000

    found = statistics.shift(bins((r * many).astype(int).tolist(), (c * many).astype(int).tolist()), 0.01)

    assert found.value == pytest.approx(((c - r) * np.log(c / r)).sum(), abs=1e-6)


def test_js_distance_runs_from_nought_to_one():
    same, other = np.array([0.5, 0.5]), np.array([1.0, 0.0])

    assert statistics.js_distance(same, same) == 0
    assert statistics.js_distance(other, other[::-1]) == pytest.approx(1)


def test_an_empty_side_is_not_measured_and_one_bin_has_nothing_to_differ_in():
    assert statistics.shift(bins([10, 10], [0, 0]), 0.01) is None
    assert statistics.shift(bins([0, 0], [5, 5]), 0.01) is None

    alone = statistics.shift(bins([10, 0], [5, 0]), 0.01)
    assert (alone.value, alone.critical, alone.p, alone.js) == (0, 0, 1, 0)


def test_a_bin_that_is_empty_on_both_sides_changes_nothing():
    assert statistics.shift(bins([10, 20, 0], [20, 10, 0]), 0.01) == statistics.shift(
        bins([10, 20], [20, 10]), 0.01
    )


def test_one_wild_value_does_not_hide_a_shift():
    """With equal-width bins over both samples one outlier empties all bins but one; ours come from the
    reference's quantiles.
    """
    reference = dict.fromkeys(range(20), 100)
    shifted = dict.fromkeys(range(10, 20), 100)
    edges = statistics.quantile_edges(reference)
    names = [str(at) for at in range(len(edges) + 1)]

    without, with_one = (
        statistics.shift(statistics.numeric_bins(reference, now, names, edges), 0.01).value
        for now in (shifted, shifted | {10**6: 1})
    )

    assert with_one == pytest.approx(without, rel=0.01)
    assert without > 2.5


@pytest.mark.parametrize(
    ("reference", "edges"),
    [
        ({0: 10, 1: 10, 2: 10, 3: 10}, [0, 1, 2]),  # fewer values than bins: each its own
        (dict.fromkeys(range(100), 1), [9, 19, 29, 39, 49, 59, 69, 79, 89]),
        ({0: 90, 7: 5, 9: 5}, [0]),  # nine quantiles on one value are one edge
        ({49: 40}, [48, 49]),  # a single value: below, at, above
        ({3: 1, 49: 99}, [48, 49]),
        ({}, []),
    ],
)
def test_edges_are_the_references_quantiles_each_once(reference, edges):
    assert statistics.quantile_edges(reference) == edges


def test_edges_are_numpys_inverted_quantiles():
    values = np.random.default_rng(3).poisson(30, 5000)
    reference = {
        int(value): int(count) for value, count in zip(*np.unique(values, return_counts=True), strict=True)
    }

    wanted = np.unique(np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf"))

    assert statistics.quantile_edges(reference) == wanted.tolist()


def test_outer_bins_are_open_and_what_is_missing_is_its_own_bin():
    found = statistics.numeric_bins({1: 5, 2: 5}, {-4: 1, 2: 1, 900: 2}, ["low", "high"], [1], missing=(0, 3))

    assert found == Bins(("low", "high", statistics.MISSING), (5, 5, 0), (1, 3, 3))


def test_categories_beyond_the_most_frequent_ones_are_one_bin():
    reference = {"a": 5, "b": 4, "c": 3, "d": 3, "never": 0}

    found = statistics.categorical_bins(reference, {"a": 1, "d": 2, "new": 7}, top=3, missing=(0, 1))

    assert found == Bins(
        ("a", "b", "c", statistics.OTHER, statistics.MISSING), (5, 4, 3, 3, 0), (1, 0, 0, 9, 1)
    )


def test_a_label_named_other_is_not_the_bin_of_all_others():
    found = statistics.categorical_bins(
        {"other": 5, "missing": 4, "rare": 1}, {"other": 1, "missing": 2, "new": 3}, top=2, missing=(0, 7)
    )

    assert found == Bins(
        ("other", "missing", statistics.OTHER, statistics.MISSING), (5, 4, 1, 0), (1, 2, 3, 7)
    )
    assert len(set(found.names)) == 4


def test_benjamini_hochberg_is_scipys():
    p = [0.01, 0.8, 0.003, 0.02, 0.02, 1.0]

    assert statistics.adjusted(p) == pytest.approx(stats.false_discovery_control(p).tolist())
    assert statistics.adjusted([]) == []


def test_moving_mean_and_control_limit_by_hand():
    assert statistics.ewma([1.0, 2.0, 0.0], 0.2) == pytest.approx([1.0, 1.2, 0.96])
    assert statistics.ewma([1.0], 0.2, 0.0) == [0.2]
    # median 3, MAD 1, s = 1.4826; 3 · 1.4826 · sqrt(0.2 / 1.8) = 1.4826
    assert statistics.control_limit([1, 2, 3, 4, 5], 0.2) == pytest.approx(3 + 1.4826)


@pytest.mark.parametrize("rows", [50, 200, 1000])
def test_data_without_drift_raises_at_most_two_alarms_in_a_hundred_windows(rows):
    """Seeded, 400 windows; ten labels of unequal frequency."""
    random = np.random.default_rng(7)
    shares = np.arange(1, 11) / 55
    reference = random.multinomial(3000, shares)

    alarms = sum(
        found.value > found.critical
        for now in random.multinomial(rows, shares, size=400)
        if (found := statistics.shift(bins(reference.tolist(), now.tolist()), 0.01))
    )

    assert alarms <= 8


def answers_of(random, customers, rows=1000):
    """Of a window in which each of the customers has a mix of its own around that of the evaluation:
    (customer, label) of each row.
    """
    shares = np.arange(1, 11) / 55
    mixes, who = random.dirichlet(10 * shares, size=customers), random.integers(customers, size=rows)
    return who, (random.random(rows)[:, None] > mixes[who].cumsum(axis=1)).sum(axis=1).clip(0, 9)


@pytest.mark.parametrize("customers", [20, 50])
def test_few_customers_who_ask_again_and_again_raise_no_more_alarms_than_many(customers):
    """Seeded, 200 windows in which nothing changed. As independent rows they were beyond 1 % in 39 % (50
    customers) and 85 % (20).
    """
    random, shares, alarms, before = np.random.default_rng(7), np.arange(1, 11) / 55, 0, 0
    for _ in range(200):
        reference, (who, label) = random.multinomial(3000, shares), answers_of(random, customers)
        both = bins(reference.tolist(), np.bincount(label, minlength=10).tolist())
        alarms += statistics.shift(both, 0.01, clustered.design(label, who, 1000)).p <= 0.01
        before += statistics.shift(both, 0.01).p <= 0.01

    assert alarms <= 6
    assert before >= 60


def test_near_duplicates_of_the_reference_raise_no_more_alarms_than_chance_does():
    """Seeded, 400 windows of 1,000 answers in which nothing changed, against 1,000 rows in 100 groups of one
    label each, of 1 to 19 rows. As independent rows they were beyond 1 % in three quarters.
    """
    random, shares, alarms, before = np.random.default_rng(7), np.arange(1, 11) / 55, 0, 0
    for _ in range(400):
        sizes = random.integers(1, 20, 100)
        label = np.repeat(random.choice(10, 100, p=shares), sizes)
        both = bins(np.bincount(label, minlength=10).tolist(), random.multinomial(1000, shares).tolist())
        groups = clustered.sums(np.zeros(100), sizes)
        known = Reference(len(label), {}, {"groups": asdict(groups)})
        alarms += statistics.shift(both, 0.01, None, known.each).p <= 0.01
        before += statistics.shift(both, 0.01).p <= 0.01

    assert alarms <= 8
    assert before >= 200


def test_rows_of_a_reference_that_are_groups_of_their_own_count_fully():
    assert Reference(60, {}, {"groups": None}).each == 1.0
    assert Reference(
        60, {}, {"groups": asdict(clustered.sums(np.zeros(20), np.full(20, 3)))}
    ).each == pytest.approx(1 / 3)


def test_a_shift_is_seen_through_few_customers():
    """Seeded: a quarter of the answers of 50 customers become one label."""
    random, seen = np.random.default_rng(8), 0
    for _ in range(50):
        reference, (who, label) = random.multinomial(3000, np.arange(1, 11) / 55), answers_of(random, 50)
        label = np.where(random.random(1000) < 0.25, 0, label)
        found = statistics.shift(
            bins(reference.tolist(), np.bincount(label, minlength=10).tolist()),
            0.01,
            clustered.design(label, who, 1000),
        )
        seen += found.p <= 0.01

    assert seen >= 48
