"""Coefficients of agreement, against published examples."""

import pytest

from datasets_app.quality import agreement

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units,
# missing values.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# Fleiss (1971): ten subjects, fourteen raters, five categories.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def units_of(table):
    return [
        [(who, row[at]) for who, row in enumerate(table) if row[at] is not None]
        for at in range(len(table[0]))
    ]


def test_krippendorffs_own_example():
    assert agreement.krippendorff_alpha(units_of(KRIPPENDORFF)) == pytest.approx(0.743, abs=0.0005)


def test_fleiss_own_example():
    assert agreement.fleiss_kappa([dict(enumerate(row)) for row in FLEISS]) == pytest.approx(
        0.210, abs=0.0005
    )


def test_cohens_kappa_of_fifty_proposals():
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15

    assert agreement.cohen_kappa(pairs) == pytest.approx(0.4)


def test_below_twenty_items_there_are_no_coefficients():
    units = [[("a", "x"), ("b", "x")]] * 19

    assert agreement.summarise(units) == agreement.Agreement(19, None, None, None, None)


def test_one_label_throughout_defines_no_coefficient():
    found = agreement.summarise([[("a", "x"), ("b", "x")]] * 20)

    assert (found.percent, found.value, found.fleiss, found.cohen) == (1.0, None, None, None)


def test_unequal_numbers_of_answers_leave_fleiss_undefined():
    units = [[("a", "x"), ("b", "y")]] * 10 + [[("a", "x"), ("b", "x"), ("c", "y")]] * 10

    assert agreement.summarise(units).fleiss is None
    assert agreement.summarise(units).value is not None


def test_more_different_sets_than_can_be_compared_are_not_kept(monkeypatch):
    monkeypatch.setattr("datasets_app.quality.agreement.tally.MOST_SETS", 30)
    tally = agreement.Tally(["percent", "alpha_masi"])
    for n in range(100):
        tally.add([("a", frozenset({n})), ("b", frozenset({-1}))])

    assert len(tally.values) == 31
    assert tally.coefficients()[1].why == "Not measured: more than 30 different sets of labels."
    assert (tally.items, tally.coefficients()[0].value) == (100, 0.0)
