"""Permutation tests of two models on the same rows: of scores, and of labels among many."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.runtime.statistics import comparisons
from lifecycle.runtime.statistics.metrics import Scored


def answers(random, rows, classes, turned, lost=0.0):
    """Two models that are right in 85 %; of each row the one is wrong where the other is right in `turned`.
    lost: of the rows of label 0, the share that the second no longer gives it.
    """
    truth = random.integers(0, classes, rows)
    wrong = (truth + 1) % classes
    both = np.where(random.random(rows) < 0.85, truth, wrong)
    is_turned, first = random.random(rows) < turned, random.random(rows) < 0.5
    one, two = (np.where(is_turned, np.where(first == side, truth, wrong), both) for side in (True, False))
    two = np.where((truth == 0) & (random.random(rows) < lost), wrong, two)
    return tuple(scored(truth, each, classes) for each in (one, two))


def scored(truth, predicted, classes):
    none = np.zeros(len(truth))
    return Scored(truth, predicted, none, none, none, classes, 15)


def found_labels(random, rows, classes, turned, lost=0.0, seed=1):
    """Verdicts by the interval alone, and by the interval and p."""
    one, two = answers(random, rows, classes, turned, lost)
    labels = [str(at) for at in range(classes)]
    found = comparisons.paired_per_class(one, two, labels, 200, seed)
    judged = comparisons.judged(found, comparisons.swapped_per_class(one, two, labels, count=200, seed=seed))
    return [
        {label: each["verdict"] for label, each in some.items() if each["verdict"] != "unclear"}
        for some in (found, judged)
    ]


def test_labels_of_two_equal_models_rarely_differ():
    """40 pairs, 200 rows of 20 labels, a fifth of which turned: by the interval alone a label was significant
    in two of five.
    """
    random = np.random.default_rng(3)
    found = [found_labels(random, 200, 20, 0.2, seed=seed) for seed in range(40)]

    alone, together = (sum(bool(each[at]) for each in found) for at in (0, 1))
    assert (alone >= 16, together <= 3) == (True, True)


def test_a_lost_label_is_found_among_others():
    random = np.random.default_rng(4)

    # the second is given in its place
    assert found_labels(random, 400, 10, 0.05, lost=0.8)[1] == {"0": "worse", "1": "worse"}


def test_labels_without_rows_have_no_p():
    random = np.random.default_rng(5)
    one, two = answers(random, 60, 3, 0.2)
    one, two = (scored(each.truth, each.predicted, 4) for each in (one, two))

    assert list(comparisons.swapped_per_class(one, two, ["a", "b", "c", "d"], count=50, seed=1)) == [
        "a",
        "b",
        "c",
    ]


def test_a_verdict_needs_the_interval_and_p_adjusted_for_all_comparisons():
    entry = {"difference": 0.1, "low": 0.02, "high": 0.18}

    found = comparisons.judged(
        {"a": entry, "b": entry, "c": entry | {"low": -0.01}}, {"a": 0.01, "b": 0.03, "c": 0.01}
    )

    assert [(each["p_holm"], each["verdict"]) for each in found.values()] == [
        (pytest.approx(0.03), "better"),
        (pytest.approx(0.03), "better"),
        (pytest.approx(0.03), "unclear"),
    ]
    assert comparisons.judged({"a": entry, "b": entry}, {"a": 0.03, "b": 0.04})["a"]["verdict"] == "unclear"


def test_near_duplicates_that_turn_together_are_one_event():
    """Six rows fixed of 60, none broken: significant as rows, but not as one group of six."""
    truth = np.arange(60) % 2
    one, two = scored(truth, np.where(np.arange(60) < 6, 1 - truth, truth), 2), scored(truth, truth, 2)
    together = np.maximum(np.arange(60) - 5, 0)

    rows, grouped = (
        comparisons.swapped(one, two, ["macro_f1"], count=999, seed=1, clusters=each)["macro_f1"]
        for each in (None, together)
    )

    assert (rows < 0.05, grouped) == (True, 1.0)
