"""The paired tests, against scipy and published values."""

from __future__ import annotations

import pytest
from scipy import stats

from lifecycle.statistics.significance import holm, mcnemar, rows_needed


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [  # statsmodels/stats/tests/test_nonparametric.py, test_mcnemar_chisquare: R's mcnemar.test with correction
        (121, 59, 5.450095e-06), (70, 59, 0.3786151), (80, 59, 0.08981434), (59, 80, 0.08981434),
    ],
)  # fmt: skip
def test_many_changed_rows_give_the_p_of_r_and_statsmodels(fixed, broken, p):
    assert mcnemar(fixed, broken) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [(10, 10, 1.0), (2, 8, 2 * 56 / 2**10), (8, 2, 2 * 56 / 2**10), (0, 6, 2 / 2**6), (0, 0, 1.0), (0, 24, 2 / 2**24)],
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
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    # statsmodels 0.15.0: multipletests([0.01, 0.04, 0.03, 0.005, 0.2], method="holm")
    assert holm(dict(enumerate([0.01, 0.04, 0.03, 0.005, 0.2]))) == pytest.approx({0: 0.04, 1: 0.09, 2: 0.09, 3: 0.025, 4: 0.2})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert list(holm({"z": 0.2, "a": 0.1})) == ["z", "a"]
    assert holm({}) == {}


def test_the_rows_that_tell_a_difference_are_those_of_the_textbook():
    # a standard error of 1 over 100 rows and a difference of 1: 100 * (1.959964 + 0.841621)^2 = 784.89
    assert rows_needed(100, 1.0, -0.959964, 2.959964) == 785
    assert rows_needed(100, -0.5, -2.459964, 1.459964) == 3140
    assert rows_needed(100, 0.0, -1.0, 1.0) is None
    assert rows_needed(1000, 0.05, -0.001, 0.06) is None  # skewed: its width alone would say that 761 rows tell it
