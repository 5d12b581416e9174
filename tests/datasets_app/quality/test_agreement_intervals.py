"""Coefficients of many items in little memory, and how sure they are."""

import random

import numpy as np
import pytest

from datasets_app.quality import agreement
from datasets_app.quality.agreement import Tally
from datasets_app.quality.agreement.intervals import bootstrap
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.by_key.types import type_of


def units(seed, items, people=2, labels="abc"):
    chance = random.Random(seed)
    found = []
    for _ in range(items):
        likely = chance.choice(labels)
        found.append(
            [(who, likely if chance.random() < 0.7 else chance.choice(labels)) for who in range(people)]
        )
    return found


ONE_LABEL = type_of("single_label").answers.coefficients


def tally_of(given, names=ONE_LABEL, **options):
    tally = Tally(names, **options)
    for unit in given:
        tally.add(unit)
    return {each.name: each for each in tally.coefficients()}


@pytest.mark.parametrize(("items", "people"), [(30, 2), (600, 3), (2_000, 2)])
def test_a_tally_equals_the_whole_table(items, people):
    given = units(items, items, people)

    found = tally_of(given, order="abc")

    assert found["percent"].value == pytest.approx(agreement.percent(given))
    assert found["alpha"].value == pytest.approx(agreement.krippendorff_alpha(given))
    assert found["alpha_ordinal"].value == pytest.approx(agreement.krippendorff_alpha(given, order="abc"))
    assert found["fleiss"].value == pytest.approx(agreement.fleiss_kappa(agreement.counts(given)))
    assert {each.n for each in found.values()} == {items}
    assert all(each.low < each.value < each.high for each in found.values())


def test_a_tally_of_sets_equals_the_whole_table():
    given = [
        [(who, frozenset(label)) for who, label in unit]
        for unit in units(3, 50, 3, labels=("a", "ab", "abc", "c"))
    ]

    found = tally_of(given, names=["percent", "alpha_masi"])

    assert found["alpha_masi"].value == pytest.approx(agreement.krippendorff_alpha(given, agreement.masi))
    assert found["percent"].value == pytest.approx(agreement.percent(given))
    assert list(found) == ["percent", "alpha_masi"]


def test_a_tally_of_spans_equals_the_whole_table():
    chance = random.Random(5)
    given = [
        [(who, frozenset((chance.choice((0, 1)), 5, "PER") for _ in range(1))) for who in "ab"]
        for _ in range(40)
    ]

    found = tally_of(given, names=["percent", "span_f1", "span_f1_overlap"])

    assert found["span_f1"].value == pytest.approx(agreement.span_f1(given))
    assert (found["span_f1_overlap"].value, list(found)) == (1.0, ["percent", "span_f1", "span_f1_overlap"])


def test_the_same_answers_give_the_same_interval_and_others_another():
    one, again, other = (tally_of(units(seed, 100))["alpha"] for seed in (1, 1, 2))

    assert one == again
    assert (one.low, one.high) != (other.low, other.high)


def test_below_twenty_items_every_coefficient_has_too_few():
    found = tally_of(units(1, 19), order="abc")

    assert {(each.value, each.low, each.why) for each in found.values()} == {
        (None, None, "Too few: 19 of 20 items.")
    }


def test_one_label_throughout_is_not_defined_rather_than_perfect():
    found = tally_of([[(1, "a"), (2, "a")]] * 20)

    assert found["percent"].value == 1
    assert (found["alpha"].value, found["fleiss"].value) == (None, None)
    assert found["alpha"].why == "Undefined: all annotations are equal."


def test_items_on_which_all_agree_leave_room_for_some_on_which_people_differ():
    """30 of 30 equal: Wilson's interval; the bootstrap gives [1, 1], as in 3 of 4 such queues where people
    differ on 1 %.
    """
    found = tally_of([[(1, "ab"[at % 2]), (2, "ab"[at % 2])] for at in range(30)], order="abc")

    assert (found["percent"].low, found["percent"].high) == pytest.approx(wilson(30, 30))
    assert {
        (found[name].value, found[name].low, found[name].high)
        for name in ("alpha", "fleiss", "alpha_ordinal")
    } == {(1.0, None, None)}
    assert found["alpha"].why == "Interval not measured: too few items differ."
    assert agreement.cohen_interval({("a", "a"): 15, ("b", "b"): 15}) is None


def test_of_many_items_on_which_all_agree_every_one_counts():
    found = tally_of([[(1, "ab"[at % 2]), (2, "ab"[at % 2])] for at in range(2_000)])["percent"]

    assert found.low == pytest.approx(wilson(2_000, 2_000)[0])


def test_equal_pairs_of_people_who_nearly_always_agree_are_covered_in_95_of_100():
    """120 queues of 100 items answered by three, one in fifty of them disputed; the bootstrap covered 87 of
    100.
    """
    chance, held = np.random.default_rng(6), 0
    for _ in range(120):
        apart = int(chance.binomial(100, 0.02))
        tally = Tally(ONE_LABEL)
        for at in range(100):
            tally.add([(1, "a"), (2, "a"), (3, "b" if at < apart else "a")])
        found = tally.share("percent")
        held += found.low <= 1 - 0.02 * 2 / 3 <= found.high

    assert held >= 0.93 * 120


def test_unequal_numbers_of_annotations_leave_fleiss_undefined_with_a_reason():
    found = tally_of([*units(1, 20, 2), *units(2, 20, 3)])["fleiss"]

    assert (found.value, found.why) == (None, "Undefined: items have 2 to 3 annotations.")


def test_an_interval_holds_the_true_figure_about_95_times_of_100():
    """Percent agreement of two who agree on 80 %: 200 samples of 150 items."""
    chance = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        equal = (chance.random(150) < 0.8).astype(float)
        found = bootstrap(
            np.stack([equal, np.ones(150)], axis=1), lambda sums: sums[:, 0] / sums[:, 1], draws=400
        )
        held += found.low <= 0.8 <= found.high

    assert 182 <= held <= 198


def test_groups_of_items_give_nearly_the_interval_of_single_items():
    """600 items fall into 512 groups; a bootstrap over each of the 600 differs by chance alone."""
    given = units(11, 600)
    equal = np.array([float(unit[0][1] == unit[1][1]) for unit in given])

    single = bootstrap(np.stack([equal, np.ones(600)], axis=1), lambda sums: sums[:, 0] / sums[:, 1])
    grouped = tally_of(given)["percent"]

    assert (grouped.low, grouped.high) == pytest.approx(single, abs=0.01)


def test_the_interval_of_cohens_kappa_narrows_with_the_items():
    cells = {("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15}

    few = agreement.cohen_interval(cells)
    many = agreement.cohen_interval({cell: 100 * count for cell, count in cells.items()})

    assert few.low < many.low < 0.4 < many.high < few.high
    assert (many.high - many.low) == pytest.approx((few.high - few.low) / 10, rel=0.15)


def test_two_people_with_one_constant_label_have_no_interval():
    assert agreement.cohen_interval({("y", "y"): 30}) is None
    assert agreement.cohen_interval({}) is None
