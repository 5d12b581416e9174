"""Fairness between groups of rows, against reference values."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from lifecycle.runtime.statistics import fairness
from lifecycle.runtime.statistics.intervals import Z95, newcombe

TRUTH = np.array([int(each) for each in "0120120120012210210021001221"])
PREDICTED = np.array([int(each) for each in "0120020110012211210020001220"])
CODES = np.array([0] * 10 + [1] * 11 + [2] * 7)
# fairlearn 0.15.0: demographic_parity_difference, equal_opportunity_difference, equalized_odds_difference of
# each label against the others
FAIRLEARN = [
    (0.2987012987012987, 0.25, 0.4),
    (0.2207792207792208, 0.6666666666666667, 0.6666666666666667),
    (0.16363636363636364, 0.33333333333333337, 0.33333333333333337),
]


def ends(z=Z95):
    """Of 56 of 70 less 48 of 80."""
    found = newcombe(56, 70, 48, 80, z)
    return found.low, found.high


@pytest.mark.parametrize("label", [0, 1, 2])
def test_differences_between_groups_are_those_of_fairlearn(label):
    found = fairness.gaps(fairness.rates(label == TRUTH, label == PREDICTED, CODES, 3))

    assert tuple(gap.value for gap in found.values()) == pytest.approx(FAIRLEARN[label], abs=1e-9)


def test_a_group_without_rows_of_the_label_has_no_true_positive_rate():
    rates = [fairness.Rates(8, 2, 1, 9), fairness.Rates(6, 4, 3, 7), fairness.Rates(0, 0, 5, 5)]

    assert [each.true_positive for each in rates] == [0.8, 0.6, None]
    parity, opportunity, odds = fairness.gaps(rates).values()
    assert (parity.value, opportunity.value, odds.value) == pytest.approx((0.05, 0.2, 0.4))
    assert [(gap.high, gap.low) for gap in (opportunity, odds)] == [(0, 1), (2, 0)]
    assert list(fairness.gaps(rates[2:]).values()) == [None] * 3


def test_the_interval_of_the_largest_difference_allows_for_all_pairs():
    """Among three groups it is the largest of three differences; odds look at two rates, so at six."""
    rates = [fairness.Rates(56, 14, 7, 63), fairness.Rates(48, 32, 8, 72), fairness.Rates(50, 25, 8, 67)]

    found = fairness.gaps(rates)

    z3, z6 = (NormalDist().inv_cdf(1 - 0.025 / pairs) for pairs in (3, 6))
    opportunity = found["equal_opportunity_difference"]
    assert opportunity == fairness.Gap(56 / 70 - 48 / 80, 0, 1, ends(z3), ends(z3)[1])
    assert found["equalized_odds_difference"].interval == ends(z6)
    two = fairness.gaps(rates[:2])["equal_opportunity_difference"]
    assert two.interval == pytest.approx(ends(), abs=1e-12)


def test_groups_that_are_treated_alike_are_still_two():
    parity = fairness.gaps(
        [fairness.Rates(0, 5, 0, 20), fairness.Rates(0, 4, 0, 30), fairness.Rates(0, 2, 0, 40)]
    )

    gap = parity["demographic_parity_difference"]
    assert (gap.value, gap.high, gap.low) == (0.0, 0, 1)


def test_near_duplicates_in_groups_treated_alike_rarely_show_a_difference():
    """100 samples, each group 60 texts with four near duplicates, which are right together: counted as rows a
    third show a difference.
    """
    random, together, significant = np.random.default_rng(1), np.arange(600) // 5, {True: 0, False: 0}
    for _ in range(100):
        held = np.repeat(random.random(120) < 0.5, 5)
        right = random.random(600) < np.repeat(random.beta(0.85 / 4, 0.15 / 4, 120), 5)
        for known in significant:
            rates = fairness.rates(
                held, held == right, np.repeat([0, 1], 300), 2, together if known else None
            )
            significant[known] += fairness.gaps(rates)["equal_opportunity_difference"].interval[0] > 0

    assert significant[True] <= 9 < 25 < significant[False]


def test_rows_that_are_clusters_of_their_own_have_the_interval_of_rows():
    sides = [
        fairness.gaps(fairness.rates(TRUTH == 0, PREDICTED == 0, CODES, 3, each))
        for each in (None, np.arange(len(CODES)))
    ]

    assert sides[0] == sides[1]


def test_the_highest_upper_end_is_that_of_any_pair_and_of_equalized_odds_of_both_rates():
    found = fairness.gaps(
        [
            fairness.Rates(hit=190, missed=10, false=40, passed=760),
            fairness.Rates(hit=190, missed=10, false=90, passed=710),
            fairness.Rates(hit=10, missed=1, false=1, passed=20),
        ]
    )

    opportunity, odds = found["equal_opportunity_difference"], found["equalized_odds_difference"]
    assert round(odds.interval[1], 3) == 0.118  # of the pair that differs most here
    assert odds.most >= opportunity.most >= opportunity.interval[1]
    assert all(each.most >= each.interval[1] for each in found.values())
