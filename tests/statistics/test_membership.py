"""The loss attack, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from lifecycle.runtime.statistics.membership import attack, auc_interval, rate_at


def losses(seed: int, members: int, others: int, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses rounded so that many are equal; those of members are smaller by the gap."""
    random = np.random.default_rng(seed)
    return random.exponential(1, members).round(2), (random.exponential(1, others) + gap).round(2)


def test_losses_counted_by_hand():
    # −1 beats −2 and −3, ties with −1; −2 ties with −2, beats −3, loses to −1: (2.5 + 1.5) of 6 pairs
    assert attack([1.0, 2.0], [1.0, 2.0, 3.0])["auc"] == pytest.approx(4 / 6, abs=1e-15)
    assert attack([0.1, 0.2], [0.3, 0.4])["auc"] == 1.0
    assert attack([0.5] * 9, [0.5] * 9)["auc"] == 0.5


@pytest.mark.parametrize(("seed", "gap"), [(1, 0.0), (2, 0.4), (3, 2.0)])
def test_the_area_is_that_of_scikit_learn_and_within_its_interval(seed, gap):
    members, others = losses(seed, 400, 400, gap)

    found = attack(members, others)

    truth = np.repeat([1, 0], 400)
    assert found["auc"] == pytest.approx(roc_auc_score(truth, -np.concatenate([members, others])), abs=1e-12)
    assert found["low"] < found["auc"] < found["high"]
    assert found == attack(members, others)


def test_the_interval_is_as_wide_as_in_theory_where_nothing_leaks():
    members, others = np.random.default_rng(4).normal(size=(2, 500))

    found = attack(members, others)

    # of the area under the null hypothesis (Hanley and McNeil 1982)
    error = np.sqrt((500 + 500 + 1) / (12 * 500 * 500))
    assert (found["high"] - found["low"]) / (2 * 1.96) == pytest.approx(error, rel=0.1)
    assert abs(found["auc"] - 0.5) < 3 * error


def test_the_ends_are_the_areas_that_are_just_as_far_away_as_their_own_errors_allow():
    """Newcombe (2006), part 2, method 5: n* = (m + n) / 2, with the variance of Hanley and McNeil for
    exponential scores.
    """
    for end in auc_interval(0.8, 40, 60):
        variance = end * (1 - end) * (1 + 49 * ((1 - end) / (2 - end) + end / (1 + end))) / (40 * 60)
        assert abs(0.8 - end) / np.sqrt(variance) == pytest.approx(1.959964, abs=1e-4)
    low, high = auc_interval(1.0, 20, 20)
    assert (round(low, 2), high) == (0.9, pytest.approx(1.0))
    assert auc_interval(0.0, 20, 20) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("true", [0.5, 0.6, 0.95])
def test_the_interval_holds_with_50_rows_a_side(true):
    """Exponential losses with scales in the ratio of true to 1 − true."""
    random, held = np.random.default_rng(1), 0
    for _ in range(1_000):
        found = attack(random.exponential((1 - true) / true, 50), random.exponential(1, 50))
        held += found["low"] <= true <= found["high"]

    assert held / 1_000 >= 0.93


def test_rates_are_those_of_the_curve_with_the_interval_of_clopper_and_pearson():
    members, others = losses(5, 1_500, 1_500, 0.05)

    one, thousandth = attack(members, others)["rates"]

    false, true, _ = roc_curve(
        np.repeat([1, 0], 1_500), -np.concatenate([members, others]), drop_intermediate=False
    )
    assert one["rate"] == pytest.approx(true[false <= 0.01].max(), abs=1e-15)
    exact = stats.binomtest(round(one["rate"] * 1_500), 1_500).proportion_ci(method="exact")
    assert (one["low"], one["high"]) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert thousandth == {"false_positives": 0.001, "needed": 10_000, "rate": None, "low": None, "high": None}


def test_all_and_none_found_have_intervals_too():
    scores = np.zeros(1_000)

    assert (rate_at(scores + 1, scores, 0.01, 1_000).rate, rate_at(scores + 1, scores, 0.01, 1_000).high) == (
        1.0,
        1.0,
    )
    assert (rate_at(scores, scores, 0.01, 1_000).rate, rate_at(scores, scores, 0.01, 1_000).low) == (0.0, 0.0)
    assert rate_at(scores + 1, scores[:999], 0.01, 1_000).rate is None


def test_one_side_alone_is_refused():
    with pytest.raises(ValueError, match="needs rows that were trained on, and rows that were not"):
        attack([], [0.1])


def test_near_duplicates_widen_the_interval_to_what_it_holds():
    """Two sides of 20 groups of five, of which four in five have the group's loss; no leak. As independent
    rows 31 of 100 miss.
    """
    random, inside = np.random.default_rng(19), {True: 0, False: 0}
    codes = np.repeat(np.arange(20), 5)
    for _ in range(200):
        sides = [
            np.where(
                random.random(100) < 0.8, random.exponential(size=20)[codes], random.exponential(size=100)
            )
            for _ in range(2)
        ]
        for known in inside:
            found = attack(*sides, codes, codes) if known else attack(*sides)
            inside[known] += found["low"] <= 0.5 <= found["high"]

    assert inside[True] >= 200 * 0.92 > inside[False]


def test_rows_that_are_a_cluster_each_are_independent():
    random = np.random.default_rng(3)
    members, others = random.exponential(size=40), random.exponential(size=60) + 0.2

    alone, clusters = attack(members, others), attack(members, others, list(range(40)), list(range(60)))

    assert clusters == alone


def test_twins_that_are_all_identified_count_as_their_clusters():
    codes = [at // 5 for at in range(50)]

    twins, ten = attack([0.1] * 50, [0.9] * 50, codes, codes), attack([0.1] * 10, [0.9] * 10)

    assert twins["auc"] == ten["auc"] == 1
    assert twins["low"] == pytest.approx(ten["low"], abs=0.08)
    assert attack([0.1] * 50, [0.9] * 50)["low"] > twins["low"]
