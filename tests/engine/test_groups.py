"""Scores of groups of rows, and fairness between them, against reference values."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.metrics import f1_score

from lifecycle.engine import groups, metrics

TRUTH = np.array([int(each) for each in "0120120120012210210021001221"])
PREDICTED = np.array([int(each) for each in "0120020110012211210020001220"])
CODES = np.array([0] * 10 + [1] * 11 + [2] * 7)
# fairlearn 0.15.0: demographic_parity_difference, equal_opportunity_difference, equalized_odds_difference of each label against the others
FAIRLEARN = [
    (0.2987012987012987, 0.25, 0.4),
    (0.2207792207792208, 0.6666666666666667, 0.6666666666666667),
    (0.16363636363636364, 0.33333333333333337, 0.33333333333333337),
]


@pytest.mark.parametrize("label", [0, 1, 2])
def test_differences_between_groups_are_those_of_fairlearn(label):
    found = groups.gaps(groups.rates(TRUTH, PREDICTED, CODES, 3, label))

    assert tuple(gap.value for gap in found.values()) == pytest.approx(FAIRLEARN[label], abs=1e-9)


def test_a_group_without_rows_of_the_label_has_no_true_positive_rate():
    rates = [groups.Rates(8, 2, 1, 9), groups.Rates(6, 4, 3, 7), groups.Rates(0, 0, 5, 5)]

    assert [each.true_positive for each in rates] == [0.8, 0.6, None]
    parity, opportunity, odds = groups.gaps(rates).values()
    assert (parity.value, opportunity.value, odds.value) == pytest.approx((0.05, 0.2, 0.4))
    assert [(gap.high, gap.low) for gap in (opportunity, odds)] == [(0, 1), (2, 0)]
    assert list(groups.gaps(rates[2:]).values()) == [None] * 3


def test_the_interval_of_the_largest_difference_allows_for_all_pairs():
    """Among three groups it is the largest of three differences; odds look at two rates, so at six."""
    rates = [groups.Rates(56, 14, 7, 63), groups.Rates(48, 32, 8, 72), groups.Rates(50, 25, 8, 67)]

    found = groups.gaps(rates)

    z3, z6 = (NormalDist().inv_cdf(1 - 0.025 / pairs) for pairs in (3, 6))
    assert found["equal_opportunity_difference"] == groups.Gap(56 / 70 - 48 / 80, 0, 1, groups.newcombe(56, 70, 48, 80, z3))
    assert found["equalized_odds_difference"].interval == groups.newcombe(56, 70, 48, 80, z6)
    two = groups.gaps(rates[:2])["equal_opportunity_difference"]
    assert two.interval == pytest.approx(groups.newcombe(56, 70, 48, 80), abs=1e-12)


def test_the_interval_of_a_difference_is_newcombes():
    """Newcombe 1998, table II, example (a): 56 of 70 against 48 of 80."""
    assert groups.newcombe(56, 70, 48, 80) == pytest.approx((0.05243147240236498, 0.33387265403690614), abs=1e-12)


@pytest.mark.parametrize(("hits", "count", "other_hits", "other_count"), [(56, 70, 48, 80), (3, 20, 90, 100), (15, 30, 50, 100)])
def test_p_is_that_of_the_chi_squared_test(hits, count, other_hits, other_count):
    table = [[hits, count - hits], [other_hits, other_count - other_hits]]

    assert groups.p_of_difference(hits, count, other_hits, other_count) == pytest.approx(chi2_contingency(table, correction=False).pvalue)
    assert groups.p_of_difference(20, 20, 30, 30) == 1.0


def test_scores_of_groups_are_those_of_scikit_learn_with_intervals_around_them():
    random = np.random.default_rng(5)
    truth, codes = random.integers(0, 4, 900), random.integers(0, 3, 900)
    predicted = np.where(random.random(900) < np.array([0.9, 0.9, 0.5])[codes], truth, (truth + 1) % 4)

    found = groups.scores(truth, predicted, codes, 3, classes=4)

    for number, score in enumerate(found):
        mine, rest = codes == number, codes != number
        accuracy = (truth == predicted)[mine].mean()
        assert score.rows == mine.sum()
        assert score.accuracy == pytest.approx(accuracy)
        assert score.macro_f1 == pytest.approx(f1_score(truth[mine], predicted[mine], average="macro"))
        assert score.difference == pytest.approx(accuracy - (truth == predicted)[rest].mean())
        assert score.macro_f1_interval[0] < score.macro_f1 < score.macro_f1_interval[1]
    assert [score.verdict for score in found] == ["better", "better", "worse"]


def test_the_interval_of_macro_f1_is_that_of_resampled_rows():
    """Drawing counts of cells and drawing rows are the same; both draws differ by chance alone."""
    random = np.random.default_rng(6)
    truth = random.integers(0, 3, 400)
    predicted = np.where(random.random(400) < 0.8, truth, random.integers(0, 3, 400))

    _, drawn = groups.macro_f1_of(truth, predicted, 3)

    by_rows = metrics.bootstrap(metrics.score_rows(np.eye(3)[predicted], truth))["macro_f1"]
    assert drawn == pytest.approx(by_rows, abs=0.006)


def test_nothing_is_said_of_fewer_than_20_rows_nor_of_a_rest_that_is_not_there():
    truth = np.arange(39) % 2
    codes = np.array([0] * 20 + [1] * 19)

    enough, few = groups.scores(truth, truth, codes, 2, classes=2)
    (alone,) = groups.scores(truth, truth, codes * 0, 1, classes=2)

    assert (enough.verdict, few.verdict, few) == ("unclear", "too few", groups.Score(19))
    assert (alone.accuracy, alone.difference, alone.p, alone.verdict) == (1.0, None, None, "")
