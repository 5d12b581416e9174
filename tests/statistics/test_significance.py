"""The paired tests, against scipy and published values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lifecycle.runtime.statistics.significance import at_least, holm, mcnemar, mcnemar_clustered, rows_needed


@pytest.mark.parametrize(
    ("bad", "total", "share"), [(0, 0, 0.5), (0, 9, 0.1), (1, 1, 0.072), (3, 3, 0.072), (19, 100, 0.072)]
)
def test_the_chance_of_so_many_or_more_is_that_of_scipys_binomial_test(bad, total, share):
    wanted = stats.binomtest(bad, total, share, alternative="greater").pvalue if total else 1.0

    assert at_least(bad, total, share) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    # statsmodels/stats/tests/test_nonparametric.py, test_mcnemar_chisquare: R's mcnemar.test with correction
    [
        (121, 59, 5.450095e-06),
        (70, 59, 0.3786151),
        (80, 59, 0.08981434),
        (59, 80, 0.08981434),
    ],
)
def test_many_changed_rows_give_the_p_of_r_and_statsmodels(fixed, broken, p):
    assert mcnemar(fixed, broken) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [
        (10, 10, 1.0),
        (2, 8, 2 * 56 / 2**10),
        (8, 2, 2 * 56 / 2**10),
        (0, 6, 2 / 2**6),
        (0, 0, 1.0),
        (0, 24, 2 / 2**24),
    ],
)
def test_few_changed_rows_give_the_binomial_tail_counted_by_hand(fixed, broken, p):
    assert mcnemar(fixed, broken) == pytest.approx(p, abs=1e-15)


def test_every_small_count_is_computed_as_statsmodels_computes_it():
    for fixed in range(30):
        for broken in range(30):
            rows = fixed + broken
            if rows < 25:  # contingency_tables.mcnemar(exact=True)
                wanted = min(1.0, 2 * stats.binom.cdf(min(fixed, broken), rows, 0.5))
            else:  # exact=False, correction=True
                wanted = stats.chi2.sf((abs(fixed - broken) - 1) ** 2 / rows, 1)
            assert mcnemar(fixed, broken) == pytest.approx(wanted, abs=1e-9), (fixed, broken)


def test_holm_multiplies_by_what_is_left_and_never_falls():
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    # statsmodels 0.15.0: multipletests([0.01, 0.04, 0.03, 0.005, 0.2], method="holm")
    assert holm(dict(enumerate([0.01, 0.04, 0.03, 0.005, 0.2]))) == pytest.approx(
        {0: 0.04, 1: 0.09, 2: 0.09, 3: 0.025, 4: 0.2}
    )
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert list(holm({"z": 0.2, "a": 0.1})) == ["z", "a"]
    assert holm({}) == {}


def test_the_rows_needed_for_a_difference_are_those_of_the_textbook():
    # a standard error of 1 over 100 rows and a difference of 1: 100 * (1.959964 + 0.841621)^2 = 784.89
    assert rows_needed(100, 1.0, -0.959964, 2.959964) == 785
    assert rows_needed(100, -0.5, -2.459964, 1.459964) == 3140
    assert rows_needed(100, 0.0, -1.0, 1.0) is None
    # skewed: by its width alone 761 rows would be enough
    assert rows_needed(1000, 0.05, -0.001, 0.06) is None


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (3, 3), (2, 8), (0, 24), (121, 59), (70, 59)])
def test_where_each_row_is_a_cluster_the_test_of_clusters_is_mcnemars(fixed, broken):
    assert mcnemar_clustered([1] * fixed + [-1] * broken + [0] * 7) == pytest.approx(
        mcnemar(fixed, broken), rel=1e-12
    )


def test_few_clusters_are_turned_in_all_ways():
    """Of the 16 sums of ±3 ±2 ±1 ±1 those as far from 0 as 3 + 2 + 1 − 1 = 5 are 5, 5, 7 and their
    opposites.
    """
    assert mcnemar_clustered([3, 2, 1, -1]) == 6 / 16


def test_a_cluster_of_rows_that_turn_together_is_one_event():
    assert mcnemar_clustered([5] * 6) == 2 / 2**6
    assert mcnemar_clustered([5] * 20 + [-5] * 20) == 1.0
    assert mcnemar(30, 0) < 1e-6


def test_rows_in_clusters_of_five_that_turn_alike_give_a_false_alarm_in_at_most_5_percent():
    """200 clusters, of which a quarter turn as a whole, each way as likely; McNemar's test of the rows cries
    in about 30 %.
    """
    random = np.random.default_rng(1)
    alarms = np.zeros(2)
    for _ in range(2_000):
        turned = random.choice([-5, 0, 0, 0, 0, 0, 0, 5], 200)
        alarms += (
            mcnemar_clustered(turned) < 0.05,
            mcnemar(5 * int((turned > 0).sum()), 5 * int((turned < 0).sum())) < 0.05,
        )

    assert alarms[0] / 2_000 <= 0.05
    assert alarms[1] / 2_000 > 0.25
