"""The loss attack, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from lifecycle.statistics.membership import attack, rate_at


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
def test_the_area_is_that_of_scikit_learn_and_lies_in_its_interval(seed, gap):
    members, others = losses(seed, 400, 400, gap)

    found = attack(members, others)

    truth = np.repeat([1, 0], 400)
    assert found["auc"] == pytest.approx(roc_auc_score(truth, -np.concatenate([members, others])), abs=1e-12)
    assert found["low"] < found["auc"] < found["high"]
    assert found == attack(members, others)
    assert found != attack(members, others, seed=2)


def test_the_interval_is_as_wide_as_theory_says_where_nothing_leaks():
    members, others = np.random.default_rng(4).normal(size=(2, 500))

    found = attack(members, others)

    error = np.sqrt((500 + 500 + 1) / (12 * 500 * 500))  # of the area under the null hypothesis (Hanley and McNeil 1982)
    assert (found["high"] - found["low"]) / (2 * 1.96) == pytest.approx(error, rel=0.1)
    assert abs(found["auc"] - 0.5) < 3 * error


def test_rates_are_those_of_the_curve_with_the_interval_of_clopper_and_pearson():
    members, others = losses(5, 1_500, 1_500, 0.05)

    one, thousandth = attack(members, others, count=10)["rates"]

    false, true, _ = roc_curve(np.repeat([1, 0], 1_500), -np.concatenate([members, others]), drop_intermediate=False)
    assert one["rate"] == pytest.approx(true[false <= 0.01].max(), abs=1e-15)
    exact = stats.binomtest(round(one["rate"] * 1_500), 1_500).proportion_ci(method="exact")
    assert (one["low"], one["high"]) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert thousandth == {"false_positives": 0.001, "needed": 10_000, "rate": None, "low": None, "high": None}


def test_all_and_none_found_have_intervals_too():
    scores = np.zeros(1_000)

    assert (rate_at(scores + 1, scores, 0.01, 1_000).rate, rate_at(scores + 1, scores, 0.01, 1_000).high) == (1.0, 1.0)
    assert (rate_at(scores, scores, 0.01, 1_000).rate, rate_at(scores, scores, 0.01, 1_000).low) == (0.0, 0.0)
    assert rate_at(scores + 1, scores[:999], 0.01, 1_000).rate is None


def test_one_side_alone_is_refused():
    with pytest.raises(ValueError, match="needs rows that were trained on, and rows that were not"):
        attack([], [0.1])
