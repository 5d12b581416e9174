"""Operating points: the curve, the choice of a threshold, and its cost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom
from sklearn.metrics import precision_recall_curve

from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.statistics.operating import choices, curves, outcomes
from lifecycle.runtime.statistics.operating.choices import Costs
from lifecycle.runtime.statistics.operating.curves import NEVER, UNSCORED
from lifecycle.runtime.statistics.operating.outcomes import Outcome

SCORES = np.array([0.1, 0.2, 0.2, 0.4, 0.6, 0.6, 0.8, 0.9])
POSITIVE = np.array([0, 0, 1, 0, 1, 0, 1, 1], dtype=bool)


def estimated(scores, positive, by, target):
    """The threshold for a target where so few rows promise none; None where none reaches it."""
    found = choices.choose(curves.curve(scores, positive), by, target)
    assert found is None or (found.is_met, found.promised) == (True, False)
    return found and found.threshold


@pytest.fixture
def rows():
    random = np.random.default_rng(3)
    positive = random.random(300) < 0.4
    return np.round(np.clip(random.normal(0.4 + 0.25 * positive, 0.2), 0, 1), 2), positive


def test_the_curve_is_that_of_scikit_learn(rows):
    for scores, positive in [(SCORES, POSITIVE), rows]:
        precision, recall, thresholds = precision_recall_curve(positive, scores)

        found = curves.curve(scores, positive)

        assert found.thresholds.tolist() == thresholds.tolist()
        assert found.precision == pytest.approx(precision[:-1], abs=1e-12)
        assert found.recall == pytest.approx(recall[:-1], abs=1e-12)


def test_the_lowest_threshold_with_the_precision_is_chosen():
    assert [estimated(SCORES, POSITIVE, "precision", target) for target in (0.5, 0.6, 0.75, 0.76)] == [
        0.1,
        0.4,
        0.6,
        0.8,
    ]
    assert estimated(SCORES, SCORES < 0.9, "precision", 0.99) is None


def test_the_most_precise_threshold_with_the_recall_or_the_share_is_chosen():
    assert [estimated(SCORES, POSITIVE, "recall", target) for target in (0.5, 0.6, 1.0)] == [0.8, 0.6, 0.2]
    of_share = [
        choices.choose(curves.curve(SCORES, POSITIVE), "coverage", target) for target in (0.1, 0.5, 1.0)
    ]
    assert of_share == [(0.6, True, True), (0.2, True, True), (0.1, True, False)]


# ── What is promised ────────────────────────────────────────────────────────
def ranked(truth):
    """The curve of rows whose scores fall evenly from 1 on; truth: from the highest score down."""
    return curves.curve(np.linspace(1, 0.01, len(truth)), np.array(truth, dtype=bool))


def test_a_precision_of_9_tenths_takes_29_rows_all_of_them_right_and_one_of_1_is_never_promised():
    assert [int(choices.promised(ranked([1] * rows), "precision", 0.9).sum()) for rows in (28, 29, 40)] == [
        0,
        1,
        12,
    ]
    assert not choices.promised(ranked([1] * 29 + [0]), "precision", 0.95).any()
    assert not choices.promised(ranked([1] * 5000), "precision", 1.0).any()


@pytest.mark.parametrize("by", ["recall", "coverage"])
def test_recall_and_the_share_that_is_called_are_promised_up_to_the_order_statistic_of_wilks(by):
    found = ranked([1] * 100)

    sure = choices.promised(found, by, 0.9)

    fewest = int(binom.ppf(0.95, 100, 0.9)) + 1  # of 100 rows that are to be called
    assert (found.called[sure].min(), int(sure.sum())) == (fewest, 101 - fewest)


def test_a_promised_threshold_is_preferred_to_one_that_only_these_rows_reach():
    truth = [1] * 60 + [0] * 6 + [1] * 34

    found = ranked(truth)
    choice = choices.choose(found, "precision", 0.9)

    assert choice.promised
    assert choices.reached(found, "precision", 0.9).all()
    assert found.called[found.thresholds == choice.threshold] == [62]


def test_an_error_among_the_surest_rows_ends_one_beginning_and_not_the_others():
    sure = choices.promised(ranked([0, 0, 0] + [1] * 597), "precision", 0.9)

    called = np.arange(600, 0, -1)[sure]
    assert (called.min(), called.max()) == (97, 600)


@pytest.mark.parametrize(("centre", "spread"), [(-2, 2), (0, 2), (2, 1.5), (2.2, 0.6)])
def test_the_target_is_reached_in_95_of_100_where_the_lowest_threshold_that_passes_reaches_it_in_half(
    centre, spread
):
    random = np.random.default_rng(19)
    # chances that are also the scores: a calibrated model
    truth = np.sort(expit(random.normal(centre, spread, 200_000)))[::-1]
    right = np.cumsum(truth) / np.arange(1, len(truth) + 1)
    least = truth[np.flatnonzero(right >= 0.9)[-1]]
    share = truth[np.flatnonzero(np.cumsum(truth) >= 0.9 * truth.sum())[0]]  # the highest with a recall of .9
    kept = {"precision": [], "recall": []}
    point = {"precision": [], "recall": []}
    for rows in (200, 1000):
        for _ in range(200):
            scores = expit(random.normal(centre, spread, rows))
            found = curves.curve(scores, random.random(rows) < scores)
            for by, holds in (("precision", lambda at: at >= least), ("recall", lambda at: at <= share)):
                sure = found.thresholds[choices.promised(found, by, 0.9)]
                kept[by].append(
                    all(holds(each) for each in (sure.min(initial=1), sure.max(initial=0)) if len(sure))
                )
                lowest = found.thresholds[choices.reached(found, by, 0.9)]
                point[by] += [holds(lowest[0] if by == "precision" else lowest[-1])] if len(lowest) else []

    assert all(np.mean(each) >= 0.95 for each in kept.values()), {
        by: np.mean(each) for by, each in kept.items()
    }
    assert all(0.25 < np.mean(each) < 0.75 for each in point.values()), {
        by: np.mean(each) for by, each in point.items()
    }


@pytest.mark.parametrize("alike", [1.0, 0.5])
def test_texts_repeated_five_times_promise_no_more_than_holds(alike):
    """Where each of five has the text's answer by this chance, and else one of its own. As independent rows
    12 to 18 of 100 splits promise what does not hold.
    """
    random, kept = np.random.default_rng(19), {"precision": [], "recall": [], "as rows": []}
    truth = np.sort(expit(random.normal(2, 1.5, 200_000)))[::-1]
    least = truth[np.flatnonzero(np.cumsum(truth) / np.arange(1, len(truth) + 1) >= 0.9)[-1]]
    share = truth[np.flatnonzero(np.cumsum(truth) >= 0.9 * truth.sum())[0]]
    codes = np.repeat(np.arange(200), 5)
    for _ in range(150):
        scores = expit(random.normal(2, 1.5, 200))[codes]
        own, same = random.random(1000) < scores, (random.random(200) < scores[::5])[codes]
        positive = np.where(random.random(1000) < alike, same, own)
        found, rows = curves.curve(scores, positive, codes), curves.curve(scores, positive)
        for name, each, by in (
            ("precision", found, "precision"),
            ("recall", found, "recall"),
            ("as rows", rows, "precision"),
        ):
            sure = each.thresholds[choices.promised(each, by, 0.9)]
            kept[name].append(not len(sure) or (sure[0] >= least if by == "precision" else sure[-1] <= share))

    assert min(np.mean(kept["precision"]), np.mean(kept["recall"])) >= 0.95 > np.mean(kept["as rows"]), {
        name: np.mean(each) for name, each in kept.items()
    }


def test_texts_repeated_five_times_promise_the_same_as_once():
    random = np.random.default_rng(4)
    scores = random.random(400)
    positive = random.random(400) < 0.5 + scores / 2
    once = curves.curve(scores, positive)
    five = curves.curve(np.repeat(scores, 5), np.repeat(positive, 5), np.repeat(np.arange(400), 5))

    for by, target in (("precision", 0.7), ("recall", 0.8), ("coverage", 0.3)):
        sure = choices.promised(once, by, target)
        assert 0 < sure.sum() < 400
        assert choices.promised(five, by, target).tolist() == sure.tolist()


def test_rows_that_are_a_cluster_each_are_independent():
    found = curves.curve(SCORES, POSITIVE, np.arange(len(SCORES)))

    assert found.worth is None


@pytest.mark.parametrize("person", [None, 0.0, 0.1, 0.3, 5.0])
@pytest.mark.parametrize(("false", "missed"), [(1, 1), (1, 5), (10, 1), (0, 1)])
def test_the_cheapest_thresholds_are_those_of_trying_all(rows, false, missed, person):
    scores, positive = rows
    costs = Costs(false, missed, person)
    places = [*np.unique(scores), NEVER]

    low, high = choices.cheapest(curves.curve(scores, positive), costs)

    def total(low, high):
        some = outcomes.outcome(scores, positive, low, high)
        return false * some.false + missed * some.missed + (person or 0) * some.person

    pairs = (
        itertools.combinations_with_replacement(places, 2)
        if person is not None
        else zip(places, places, strict=True)
    )
    assert low <= high
    assert total(low, high) == pytest.approx(min(total(*pair) for pair in pairs))
    assert person is not None or low == high


def test_handing_over_pays_below_the_confidence_where_errors_cost_more():
    found = curves.curve(SCORES, POSITIVE)

    # three of the eight are wrong below 0.5, one of two at 0.6; a wrong answer costs 1
    assert choices.cheapest_confidence(found, Costs(1, person=0.4)) == 0.8
    assert choices.cheapest_confidence(found, Costs(1, person=0.6)) == 0.6
    assert choices.cheapest_confidence(found, Costs(1, person=2.0)) == 0.1
    assert choices.cheapest_confidence(found, Costs(1, person=0.0)) == 0.8


def test_what_a_choice_does_is_counted_with_intervals():
    found = outcomes.outcome(SCORES, POSITIVE, 0.2, 0.6)

    assert found == Outcome(hit=3, false=1, missed=0, passed=1, person=3, positives=4)
    assert found.share("precision") == (0.75, *wilson(3, 4))
    assert found.share("recall") == (0.75, *wilson(3, 4))
    assert found.share("person") == (0.375, *wilson(3, 8))
    assert outcomes.outcome(SCORES, POSITIVE, NEVER, NEVER).share("precision") == (None, 0.0, 1.0)


def test_the_cost_is_per_1000_rows():
    found = Outcome(hit=500, false=100, missed=50, passed=250, person=100, positives=600)

    mean, low, high = found.cost(Costs(2, 10, 0.5))

    assert mean == pytest.approx(1000 * (2 * 100 + 10 * 50 + 0.5 * 100) / 1000)
    spread = np.sqrt((4 * 100 + 100 * 50 + 0.25 * 100) / 1000 - 0.75**2)
    assert (low, high) == pytest.approx(
        (750 - 1.96 * 1000 * spread / 1000**0.5, 750 + 1.96 * 1000 * spread / 1000**0.5), rel=0.05
    )


# ── Positive rows without a score, as true spans that were not found ────────
SPANS = np.array([0.9, 0.8, 0.6, 0.7, UNSCORED, UNSCORED, UNSCORED])
RIGHT = np.array([0, 0, 0, 1, 1, 1, 1], dtype=bool)


def test_no_recall_is_reached_where_no_row_is_positive():
    assert estimated(np.array([0.2, 0.9]), np.array([False, False]), "recall", 0.5) is None


def test_rows_without_a_score_are_missed_at_every_threshold():
    found = curves.curve(SPANS, RIGHT)

    assert (found.thresholds.tolist(), found.called.tolist(), found.hits.tolist()) == (
        [0.6, 0.7, 0.8, 0.9],
        [4, 3, 2, 1],
        [1, 1, 0, 0],
    )
    assert (found.positives, found.rows) == (4, 4)
    assert found.recall.tolist() == [0.25, 0.25, 0, 0]
    assert found.coverage.tolist() == [1, 0.75, 0.5, 0.25]
    assert [estimated(SPANS, RIGHT, "recall", target) for target in (0.25, 0.26)] == [0.7, None]
    assert estimated(SPANS, RIGHT, "precision", 1 / 3) == 0.7


def test_the_curve_with_rows_without_a_score_is_that_of_scikit_learn_above_them(rows):
    scores, positive = rows
    unscored = positive & (np.arange(len(scores)) % 3 == 0)

    precision, recall, thresholds = precision_recall_curve(positive, np.where(unscored, -1.0, scores))
    found = curves.curve(np.where(unscored, UNSCORED, scores), positive)

    assert found.thresholds.tolist() == thresholds[1:].tolist()
    assert found.precision == pytest.approx(precision[1:-1], abs=1e-12)
    assert found.recall == pytest.approx(recall[1:-1], abs=1e-12)


def test_what_has_no_score_is_neither_kept_nor_handed_over():
    costs = Costs(1, 3, 0.1)

    low, high = choices.cheapest(curves.curve(SPANS, RIGHT), costs)
    found = outcomes.outcome(SPANS, RIGHT, low, high)

    assert (low, high) == (0.7, NEVER)
    assert found == Outcome(hit=0, false=0, missed=3, passed=1, person=3, positives=4, unscored=3)
    assert found.share("person") == (0.75, *wilson(3, 4))
    assert found.share("called") == (0, *wilson(0, 4))
    assert found.cost(costs)[0] == pytest.approx(1000 * (3 * 3 + 3 * 0.1) / 7)
    assert choices.cheapest(curves.curve(SPANS, RIGHT), Costs(1, 3)) == (0.7, 0.7)
    assert choices.cheapest(curves.curve(SPANS, RIGHT), Costs(1, 1)) == (NEVER, NEVER)


def test_without_any_score_nothing_can_be_chosen_and_without_a_row_nothing_costs():
    some, none = curves.curve(SPANS[4:], RIGHT[4:]), curves.curve(SPANS[:0], RIGHT[:0])

    for found in (some, none):
        assert [choices.choose(found, by, 0.1) for by in ("precision", "recall", "coverage")] == [None] * 3
        assert choices.cheapest(found, Costs(1, 1, 1)) == (NEVER, NEVER)
    assert outcomes.outcome(SPANS[:0], RIGHT[:0], 0, 0).cost(Costs(1, 1))[0] is None
    assert outcomes.outcome(SPANS[4:], RIGHT[4:], NEVER, NEVER).share("person") == (None, 0.0, 1.0)


def test_the_cost_of_a_few_rows_is_covered_where_dear_ones_are_rare():
    """1 % false calls at 5, half a percent missed at 20: of 100 rows resampled ones hold the true cost in 58
    of 100.
    """
    random, inside = np.random.default_rng(19), 0
    for hit, false, missed, passed in random.multinomial(100, [0.3, 0.01, 0.005, 0.685], size=300).tolist():
        _, low, high = Outcome(hit, false, missed, passed, 0, hit + missed).cost(Costs(5, 20))
        inside += low <= 150 <= high

    assert inside >= 300 * 0.93


def test_unobserved_kinds_may_cost_something_and_the_interval_covers_the_cost():
    mean, low, high = Outcome(hit=15, false=0, missed=0, passed=15, person=0, positives=15).cost(Costs(5, 20))

    assert (mean, low) == (0, 0)
    assert high > 500


@pytest.mark.parametrize(
    ("clusters", "size", "alike", "false", "missed"),
    [(40, 5, 0.8, 0.1, 0.05), (100, 10, 0.8, 0.01, 0.005), (200, 5, 0.3, 0.1, 0.02)],
)
def test_cost_and_precision_of_near_duplicates_are_covered(clusters, size, alike, false, missed):
    """200 samples; as independent rows 37 to 81 of 100 hold the truth."""
    random, chances = np.random.default_rng(2), [0.3, false, missed, 0.7 - false - missed]
    together, held = np.arange(clusters * size) // size, {"cost": 0, "precision": 0}
    for _ in range(200):
        own, fresh = (
            np.repeat(random.choice(4, clusters, p=chances), size),
            random.choice(4, clusters * size, p=chances),
        )
        kind = np.where(np.repeat(random.random(clusters) < alike, size), own, fresh)
        found = outcomes.outcome_of((kind == 0) | (kind == 2), kind < 2, clusters=together)
        (_, low, high), (_, least, most) = found.cost(Costs(5, 20)), found.share("precision")
        held["cost"] += low <= 1000 * (5 * false + 20 * missed) <= high
        held["precision"] += least <= 0.3 / (0.3 + false) <= most

    assert min(held.values()) >= 200 * 0.93


def test_near_duplicates_that_all_cost_the_same_count_once():
    one, rows = (
        outcomes.outcome_of(*np.ones((2, each), dtype=bool), clusters=together)
        for each, together in ((5, None), (20, np.arange(20) // 4))
    )

    assert one.cost(Costs(5, 20)) == rows.cost(Costs(5, 20))
    assert one.share("precision") == rows.share("precision") == (1.0, *wilson(5, 5))
    assert rows.counts == {
        "hit": 20,
        "false": 0,
        "missed": 0,
        "passed": 0,
        "person": 0,
        "positives": 20,
        "unscored": 0,
    }


def test_what_has_no_score_is_left_out_by_cluster_too():
    low, high = choices.cheapest(curves.curve(SPANS, RIGHT), Costs(1, 3, 0.1))

    alone, together = (
        outcomes.outcome(SPANS, RIGHT, low, high, each) for each in (None, np.array([0, 1, 2, 3, 3, 3, 3]))
    )

    assert alone == together
    assert together.share("person")[0] == alone.share("person")[0] == 0.75
    assert together.share("person") == alone.share("person")
    assert together.share("recall") == (0.0, *wilson(0, 1))
