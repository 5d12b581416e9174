"""Pure rules about people and pace."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from datasets_app.quality.measure import Given, Measure, Worker, always_accepts, forecast, median
from datasets_app.quality.queries.quality import letter
from datasets_app.queues import rules
from lifecycle.runtime.statistics import sequences
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.task_types.by_key.types import type_of

ONE_LABEL = type_of("single_label")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [[0.4], [3, 4, 5], [1, 2, 3, 4, 1000], [2.5] * 7 + [60]])
def test_the_median_is_true_to_one_percent(seconds):
    worker = Worker()
    for each in seconds:
        worker.add(Given(1, 1, 0, each, NOW), None, recent=False)

    assert median(worker.times) == pytest.approx(sorted(seconds)[(len(seconds) - 1) // 2], rel=0.01)


def test_answers_without_a_time_have_no_median():
    worker = Worker()
    worker.add(Given(1, 1, 0, 0.0, NOW), None, recent=False)

    assert median(worker.times) is median(Counter()) is None


@pytest.mark.parametrize(
    ("shown", "accepted", "wrong_shown", "wrong_taken", "warned"),
    [
        (49, 49, 0, 0, False),  # too few
        (50, 49, 0, 0, True),  # 98 %
        (100, 97, 0, 0, False),
        (100, 99, 4, 0, True),  # four wrong ones are too few
        (100, 99, 10, 5, False),  # half of the wrong ones were seen
        (100, 99, 10, 9, True),
    ],
)
def test_accepting_every_pre_label_is_detected_by_the_rule(shown, accepted, wrong_shown, wrong_taken, warned):
    found = {"shown": shown, "accepted": accepted, "wrong_shown": wrong_shown, "wrong_taken": wrong_taken}

    assert always_accepts(found) is warned


@pytest.mark.parametrize(
    ("given", "per_day", "days"),
    [
        ({"left": 100, "week": 70, "first_at": NOW - timedelta(days=30)}, 10, 10),
        ({"left": 100, "week": 40, "first_at": NOW - timedelta(days=4)}, 10, 10),  # since the first answer
        # two hours are no pace: a day at least
        ({"left": 100, "week": 50, "first_at": NOW - timedelta(hours=2)}, 50, 2),
        ({"left": 0, "week": 50, "first_at": NOW - timedelta(days=3)}, None, 0),
    ],
)
def test_the_forecast_goes_on_at_the_pace_of_the_last_week(given, per_day, days):
    found = forecast(state="open", as_of=NOW, **given)

    assert (found.per_day, found.days) == (pytest.approx(per_day) if per_day else None, pytest.approx(days))


@pytest.mark.parametrize(
    ("state", "week", "why"), [("paused", 70, "paused"), ("open", 0, "no annotations in the 7 days")]
)
def test_an_unknown_forecast_has_a_reason(state, week, why):
    found = forecast(left=100, state=state, week=week, first_at=NOW - timedelta(days=30), as_of=NOW)

    assert found.days is None
    assert why in found.why


def test_days_without_annotations_are_included():
    measure = Measure(NOW, ONE_LABEL, range(2))
    measure.add([Given(1, 1, 0, 1.0, NOW - timedelta(days=3)), Given(1, 2, 0, 1.0, NOW)])

    assert measure.figures()["days"] == [
        ["2026-11-17", 1],
        ["2026-11-18", 0],
        ["2026-11-19", 0],
        ["2026-11-20", 1],
    ]
    assert measure.figures()["week"] == 2


def test_sets_of_labels_are_measured_without_a_confusion():
    measure = Measure(NOW, type_of("multi_label"))
    apart = []
    for item in range(20):
        sets = (frozenset("ab"), frozenset("a") if item % 2 else frozenset("ab"))
        apart += measure.add([Given(item, user, each, 1.0, NOW) for user, each in enumerate(sets)])

    found = measure.figures()

    assert [each["name"] for each in found["coefficients"]] == ["percent", "alpha_masi"]
    assert (found["confusion"], found["pairs"]) == ([], [[0, 1, 20, 10, None, None, None]])
    assert [(each.item, each.first, each.second) for each in apart] == [
        (item, None, None) for item in range(1, 20, 2)
    ]


def test_only_pairs_of_those_with_most_answers_are_kept(monkeypatch):
    monkeypatch.setattr("datasets_app.quality.measure.MOST_PEOPLE", 2)
    measure = Measure(NOW, ONE_LABEL, range(2))
    for item, users in enumerate([(1, 2), (1, 3), (1, 2)]):
        measure.add([Given(item, user, 0, 1.0, NOW) for user in users])

    assert [row[:4] for row in measure.figures()["pairs"]] == [[1, 2, 2, 2]]


def test_who_is_likely_right_is_estimated_from_the_answers_alone():
    chance, measure = random.Random(5), Measure(NOW, ONE_LABEL, range(3))
    shares = {1: 0.95, 2: 0.9, 3: 0.85, 4: 0.4}
    for item in range(600):
        truth = chance.randrange(3)
        labels_by_user = {
            user: truth if chance.random() < share else chance.choice([at for at in range(3) if at != truth])
            for user, share in shares.items()
        }
        measure.add([Given(item, user, value, 1.0, NOW) for user, value in labels_by_user.items()])

    found = measure.figures()["people"]

    assert {user: found[str(user)]["estimated_accuracy"] for user in shares} == pytest.approx(
        shares, abs=0.05
    )


def test_two_people_cannot_be_distinguished():
    measure = Measure(NOW, ONE_LABEL, range(2))
    for item in range(40):
        measure.add([Given(item, user, (item + user) % 2, 1.0, NOW) for user in (1, 2)])

    people = measure.figures()["people"].values()
    assert {(each["estimated_accuracy"], each["estimated_accuracy_interval"]) for each in people} == {
        (None, None)
    }
    assert {each["estimated_accuracy_why"][:12] for each in people} == {"Not measured"}


def shared_answers(seed, shares, items, *, labels=3):
    """A measure of people of these shares of right answers, each of whom answered all items."""
    chance, measure = random.Random(seed), Measure(NOW, ONE_LABEL, range(labels))
    for item in range(items):
        truth = chance.randrange(labels)
        wrong = [at for at in range(labels) if at != truth]
        labels_by_user = {
            user: truth if chance.random() < share else chance.choice(wrong) for user, share in shares.items()
        }
        measure.add([Given(item, user, value, 1.0, NOW) for user, value in labels_by_user.items()])
    return measure.figures()["people"]


def test_the_interval_of_who_is_likely_right_holds_the_truth_in_95_of_100():
    """20 queues of 30 items."""
    shares, held = {1: 0.9, 2: 0.75, 3: 0.65}, 0
    for seed in range(20):
        people = shared_answers(seed, shares, 30)
        for user, share in shares.items():
            low, high = people[str(user)]["estimated_accuracy_interval"]
            held += low <= share <= high

    assert held >= 56  # of 60


def test_accuracy_is_not_estimated_from_fewer_annotations_than_confusion_cells():
    few = shared_answers(1, {1: 0.9, 2: 0.9, 3: 0.9}, 25)["1"]

    assert (few["estimated_accuracy"], few["estimated_accuracy_why"]) == (
        None,
        "Not enough data: fewer than 26 annotations of shared items.",
    )


def test_everybody_right_throughout_has_an_interval_all_the_same():
    sure = shared_answers(1, {1: 1.0, 2: 1.0, 3: 1.0}, 40)["1"]

    assert sure["estimated_accuracy"] == pytest.approx(1, abs=0.002)
    assert sure["estimated_accuracy_interval"][0] < 0.92


def test_the_same_answers_give_the_same_interval():
    assert shared_answers(3, {1: 0.9, 2: 0.8, 3: 0.7}, 40) == shared_answers(3, {1: 0.9, 2: 0.8, 3: 0.7}, 40)


def test_of_many_items_an_even_share_is_kept_for_the_consensus(monkeypatch):
    monkeypatch.setattr("datasets_app.quality.measure.CONSENSUS_ITEMS", 10)
    measure = Measure(NOW, ONE_LABEL, range(2))
    for item in range(100):
        measure.add([Given(item, user, 0, 1.0, NOW) for user in (1, 2)])

    assert [answers[0].item for answers in measure.sample] == list(range(0, 100, 8))


def test_of_people_exactly_at_the_minimum_at_most_five_of_a_hundred_are_ever_below_it():
    """2,000 people, each looked at after each of 200 answers: Wilson's interval put 17 of 100 below, this one
    1. At half of it: at once.
    """
    share, most, least_right = 0.9, 200, [0]
    for done in range(1, most + 1):  # fewest correct annotations at which an annotator isn't below
        right = least_right[-1]
        while (found := rules.gold_accuracy(right, done)) and found.high < share:
            right += 1
        least_right.append(right)
    chance = np.random.default_rng(16)
    at_minimum, at_half = (
        np.cumsum(chance.random((2_000, most)) < chances, axis=1) < least_right[1:]
        for chances in (share, share / 2)
    )

    assert at_minimum.any(axis=1).mean() <= 0.05
    assert np.percentile(at_half.argmax(axis=1) + 1, 90) == rules.GOLD_FEWEST == 20


def test_gold_accuracy_of_a_label_is_clustered_by_item():
    """Eight people answer 10 items, of which they get two wrong: as 80 answers [.70, .88] at one look."""
    one_each = [[1, 1, 18], [0, 1, 4]]
    assert rules.gold_of_class(one_each) == (22, 18, rules.gold_accuracy(18, 22))
    done, right, share = rules.gold_of_class([[8, 8, 8], [0, 8, 2]])
    assert (done, right, share) == (80, 64, Interval(0.8, *sequences.share(8, 10)))
    assert rules.gold_of_class([[1, 1, 19]]) == (19, 19, None)


def test_gold_accuracy_is_not_measured_below_twenty_annotations():
    assert rules.gold_accuracy(19, 19) is None
    assert rules.gold_accuracy(20, 20) == Interval(1.0, *sequences.share(20, 20))


def test_letters_go_on_behind_z():
    assert [letter(at) for at in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]
