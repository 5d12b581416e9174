"""Accuracy without labels: isotonic regression against scikit-learn, NannyML's sums by hand, and a band that
holds.
"""

from dataclasses import asdict

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import f1_score

from lifecycle.runtime.statistics import clustered
from lifecycle.runtime.statistics.calibration import ece
from lifecycle.runtime.task_types.by_key.watched import watched_of
from lifecycle.runtime.task_types.single_label.measures import Predictions
from monitoring.drift import cbpe, reference
from monitoring.drift.measuring import accuracy, measured
from monitoring.traffic.counts import Counts


def overconfident(rows=4000, seed=1):
    """Confidences that promise more than they hold: right with probability confidence − 0.2."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 1.0, rows)
    return confidence, (random.uniform(size=rows) < confidence - 0.2).astype(float)


def test_isotonic_curve_is_scikit_learns():
    confidence, right = overconfident(300)
    confidence = np.round(confidence, 2)  # with ties
    weight = np.random.default_rng(1).integers(1, 4, 300).astype(float)
    known = IsotonicRegression(increasing=True, out_of_bounds="clip").fit(confidence, right, weight)
    asked = np.linspace(0, 1, 101)

    assert cbpe.isotonic(confidence, right, weight)(asked) == pytest.approx(known.predict(asked))


def test_a_calibration_makes_good_what_confidences_promised():
    confidence, right = overconfident()

    curve = cbpe.calibrated(confidence, right)

    assert ece(curve(confidence), right) < 0.05 < ece(confidence, right)
    assert curve(confidence).mean() == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("right", "at_half"),
    [("none", 0.0), ("all", 1.0), ("few", 0.5 * 0.05 / 0.55), ("most", 1 - 0.5 * 0.05 / 0.45)],
)
def test_too_few_rows_right_or_wrong_only_level_the_confidences(right, at_half):
    """Of a hundred from 0.1 to 1, mean 0.55: shrunk towards 0 where they promised more than held, else
    towards 1.
    """
    confidence = np.linspace(0.1, 1, 100)
    correct = {
        "none": np.zeros(100),
        "all": np.ones(100),
        "few": (np.arange(100) < 5) * 1.0,
        "most": (np.arange(100) >= 5) * 1.0,
    }[right]

    curve = cbpe.calibrated(confidence, correct)

    assert curve(np.array([0.5]))[0] == pytest.approx(at_half)
    assert curve(confidence).mean() == pytest.approx(correct.mean())


def test_a_resample_is_calibrated_as_if_its_rows_were_repeated():
    confidence, right = overconfident(200)
    weight = np.random.default_rng(2).integers(0, 3, 200)

    assert cbpe.calibrated(confidence, right, weight.astype(float)) == cbpe.calibrated(
        np.repeat(confidence, weight), np.repeat(right, weight)
    )


def test_a_factor_keeps_the_variance_of_every_sum():
    random = np.random.default_rng(3)
    resampled = random.normal(size=(100, 6)) * np.array([3, 2, 1, 1e-4, 1e-4, 0]) @ random.normal(size=(6, 6))

    found = cbpe.factor(resampled)

    assert len(found) == 3
    for each in random.normal(size=(5, 6)):
        assert cbpe.error(found, each) == pytest.approx((resampled @ each).std(ddof=1), rel=0.01)
    assert len(cbpe.factor(np.ones((100, 6)))) == 0


def test_what_is_kept_gives_the_error_of_the_mean_of_all_bins_as_well():
    """It varies a hundred times less than a bin of few rows: so much is kept that its error is right to a
    twentieth.
    """
    confidence, right = drawn(np.random.default_rng(5), 300)
    known = reference.of_accuracy(confidence, right)
    share = np.bincount((confidence * 50).astype(int).clip(0, 49), minlength=50) / 300
    random, fallen = np.random.default_rng(cbpe.SEED), []
    for _ in range(cbpe.RESAMPLES):
        weight = np.bincount(random.integers(300, size=300), minlength=300).astype(float)
        curve = cbpe.calibrated(confidence, right, weight)
        fallen.append(curve(confidence).mean() - np.average(curve(confidence), weights=weight))

    found = cbpe.error(np.array(known["errors"]), np.append(share, -1.0))

    assert found == pytest.approx(np.std(fallen, ddof=1), rel=0.05)


def test_expected_accuracy_by_hand():
    """Half the rows at 0.9, half at 0.7: 0.8. With two right and two wrong more 0.8 of 96 is 0.788, so
    sqrt(0.788 · 0.212 · 2 / 100) for the answers of senders with a design effect of 2; the reference moves
    both bins by 0.03: three roots of both squares to each side.
    """
    found = cbpe.accuracy(
        np.array([0.9, 0.7]), np.array([50.0, 50.0]), np.array([[0.03, 0.03]]), 96, effect=2.0
    )

    half = 3 * (0.788 * 0.212 * 2 / 100 + 0.03**2) ** 0.5
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.8 - half, min(1, 0.8 + half)))


def test_expected_macro_f1_by_hand():
    """Two rows of a (0.8, 0.6), one of b (0.7): TP 1.4, FP 0.6, FN 0.3 for a; TP 0.7, FP 0.3, FN 0.6 for
    b.
    """
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])

    found = cbpe.macro_f1(np.array([0, 0, 1]), probabilities)

    assert found == pytest.approx((2.8 / (2.8 + 0.9) + 1.4 / (1.4 + 0.9)) / 2)


def test_where_probabilities_are_certain_the_expected_f1_is_the_real_one():
    random = np.random.default_rng(4)
    truth, predicted = random.integers(0, 3, 200), random.integers(0, 3, 200)

    assert cbpe.macro_f1(predicted, np.eye(3)[truth]) == pytest.approx(
        f1_score(truth, predicted, average="macro")
    )
    assert cbpe.f1_of(truth, predicted, 3) == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_the_band_and_the_limit_know_how_few_rows_the_evaluation_had():
    """Seeded: 40 evaluations of 150 rows, each with a window of 200 and of 5,000 in which nothing changed.
    With the window's error alone the band was left by more than half of the large ones.
    """
    random, left, alarms = np.random.default_rng(9), 0, 0
    for _ in range(40):
        known = measured.Reference(150, {}, reference.of_accuracy(*drawn(random, 150)))
        for rows in (200, 5000):
            confidence, right = drawn(random, rows)
            bins, count = np.unique(np.minimum((confidence * 50).astype(int), 49), return_counts=True)
            counts = Counts(confidence={str(at): int(held) for at, held in zip(bins, count, strict=True)})
            band, found = (
                accuracy.expected_accuracy(known, counts),
                accuracy.measure_accuracy(known, counts),
            )
            left += not band.low <= right.mean() <= band.high
            alarms += found.value > found.critical

    assert left <= 2
    assert alarms <= 2


def test_the_band_and_the_limit_know_that_near_duplicates_of_the_evaluation_are_right_together():
    """Seeded: 40 evaluations of 100 texts with nine near duplicates each, which are all right or all wrong,
    and a window in which nothing changed. With 1,000 independent rows every fourth band was left.
    """
    random, left, alarms, clusters = (
        np.random.default_rng(22),
        {True: 0, False: 0},
        {True: 0, False: 0},
        np.repeat(np.arange(100), 10),
    )
    for _ in range(40):
        confidence, right = (np.repeat(each, 10) for each in drawn(random, 100))
        asked, real = drawn(random, 5000)
        bins = np.bincount(np.minimum((asked * 50).astype(int), 49), minlength=50)
        counts = Counts(confidence={str(at): int(held) for at, held in enumerate(bins)})
        for grouped in left:
            known = measured.Reference(
                1000, {}, reference.of_accuracy(confidence, right, clusters if grouped else None)
            )
            band, found = (
                accuracy.expected_accuracy(known, counts),
                accuracy.measure_accuracy(known, counts),
            )
            left[grouped] += not band.low <= real.mean() <= band.high
            alarms[grouped] += found.value > found.critical

    assert left[True] <= 2 < 6 <= left[False]
    assert alarms[True] <= 2


def calibrated(*rows, **more):
    """What is learned from predictions with one label each."""
    return reference.calibrate(watched_of("single_label").observed(Predictions(*rows, **more)))


def drawn(random, rows):
    """Confidences from 0.5 to 1 that promise 0.15 more than they hold, and which were right."""
    confidence = 0.5 + 0.5 * random.beta(4, 1.5, rows)
    return confidence, (random.uniform(size=rows) < confidence - 0.15).astype(float)


def test_expected_macro_f1_holds_what_later_turns_out():
    """Seeded: evaluations of 300 rows with four labels, windows of 400; calibrating label by label alone
    comes out low.
    """
    left = 0
    for seed in range(8):
        ids, truth, probabilities = answered(300, seed=seed)
        known = measured.Reference(300, {}, calibrated(("a", "b", "c", "d"), ids, truth, probabilities))
        _, truth, probabilities = answered(400, seed=seed + 100)
        best = probabilities.argmax(axis=1)
        scores = [[{"label": "abcd"[k], "score": row[k]} for k in range(4)] for row in probabilities]
        rows = [("abcd"[at], each) for at, each in zip(best, scores, strict=True)]
        band, real = accuracy.expected_f1(known, rows), f1_score(truth, best, average="macro")
        left += not band.low <= real <= band.high

    assert left == 0


def test_macro_f1_is_not_estimated_from_fewer_than_five_answers_a_label():
    known = measured.Reference(900, {}, {"labels": [str(at) for at in range(77)], "f1_error": 0.01})

    assert accuracy.expected_f1(known, [("1", [{"label": "1", "score": 1.0}])] * 384) is None


def test_probabilities_are_calibrated_label_by_label_and_sum_to_one():
    half = cbpe.Curve((0.0, 1.0), (0.0, 0.5))
    nothing, same = cbpe.Curve((0.0, 1.0), (0.0, 0.0)), cbpe.Curve((0.0, 1.0), (0.0, 1.0))
    row = np.array([[0.6, 0.4]])

    assert cbpe.renormalised([half, same], row) == pytest.approx(np.array([[0.3 / 0.7, 0.4 / 0.7]]))
    assert cbpe.renormalised([nothing, nothing], row) == pytest.approx(row)


def test_what_the_best_scores_leave_is_shared_by_the_other_labels():
    place = {"a": 0, "b": 1, "c": 2, "d": 3}

    row = cbpe.spread_out(
        [{"label": "b", "score": 0.7}, {"label": "gone", "score": 0.1}, {"label": "a", "score": 0.1}], place
    )

    assert row == pytest.approx([0.1, 0.7, 0.1, 0.1])


def test_realised_accuracy_has_a_wilson_interval_or_is_not_measured():
    assert accuracy.realised(Counts()) is None
    found = accuracy.realised(Counts(right=80, wrong=20))
    assert (found["value"], found["rows"], found["senders"]) == (0.8, 100, None)
    assert (round(found["low"], 4), round(found["high"], 4)) == (0.7112, 0.8666)


def test_customers_who_are_mostly_right_or_mostly_wrong_are_no_fall_of_the_realised_accuracy():
    """40 customers with 10 predictions each, right in 90 % in truth, intraclass correlation .3: as
    independent rows 8 % fell at 1 %.
    """
    chance, reference, wrong = (
        np.random.default_rng(19),
        measured.Reference(2000, {}, {"accuracy": 0.9, "groups": None}),
        {True: 0, False: 0},
    )
    for _ in range(400):
        rights = chance.binomial(10, chance.beta(0.9 * 7 / 3, 0.1 * 7 / 3, 40))
        sides = {
            f"{at}{sign}": int(n)
            for at, right in enumerate(rights)
            for sign, n in (("+", right), ("-", 10 - right))
        }
        for keyed in wrong:
            counts = Counts(
                answers=400,
                right=int(rights.sum()),
                wrong=400 - int(rights.sum()),
                by_sender=sides if keyed else {},
            )
            wrong[keyed] += accuracy.measure_realised(reference, counts).p < 0.01

    assert wrong[True] <= 400 * 0.01 + 4 < wrong[False]


def test_predictions_without_feedback_count_as_correct_in_the_realised_accuracy():
    """Of 200 predictions 40 are wrong and 120 have feedback: at least 80 % are correct, though 67 % of those
    with feedback are.
    """
    known = measured.Reference(2000, {}, {"accuracy": 0.9, "groups": None})
    some, every = (
        accuracy.measure_realised(known, Counts(answers=200, right=right, wrong=40)) for right in (80, 160)
    )

    critical = 2.3263478740 * (1960 * 240 / 2200**2 * (1 / 2000 + 1 / 200)) ** 0.5
    for found in (some, every):
        assert (found.value, found.critical, found.n, found.m) == pytest.approx((0.1, critical, 2000, 200))
    assert some.why == "By feedback on 120 of 200 predictions; the others count as correct."
    assert every.why == "By feedback on all 200 predictions."


def test_the_senders_of_those_with_feedback_count_for_all_predictions():
    """100 of 200 predictions have feedback, of 50 senders with two each, always alike: as if all 200 were of
    these 50, with four each.
    """
    sides = {f"{at}{'+' if at < 40 else '-'}": 2 for at in range(50)}

    found = accuracy.measure_realised(
        measured.Reference(2000, {}, {"accuracy": 0.9, "groups": None}),
        Counts(answers=200, right=80, wrong=20, by_sender=sides),
    )

    assert (found.value, found.m, found.senders) == (pytest.approx(0), 200, 50)
    assert found.design_effect == pytest.approx(1 + 199 / 99)


def test_people_who_report_every_wrong_prediction_and_most_others_make_no_fall_of_the_realised_accuracy():
    """Right in 90 % on 500 evaluated rows and 2,000 predictions; two thirds of the correct ones are reported:
    taken as like the rest it was a fall in 57 of 100.
    """
    chance, wrong = np.random.default_rng(19), 0
    for _ in range(200):
        correct = int(chance.binomial(2000, 0.9))
        counts = Counts(answers=2000, right=int(chance.binomial(correct, 0.66)), wrong=2000 - correct)
        assert accuracy.has_enough_feedback(counts)
        known = measured.Reference(500, {}, {"accuracy": chance.binomial(500, 0.9) / 500, "groups": None})
        wrong += accuracy.measure_realised(known, counts).p < 0.01

    assert wrong <= 4


def test_near_duplicates_of_the_evaluation_are_no_fall_of_the_realised_accuracy():
    """Right in 90 % in truth on both sides; the evaluation has 100 texts with four near duplicates each,
    intraclass correlation .8, the window 2,000 predictions with feedback: as 500 independent rows 9 % fell at
    1 %.
    """
    chance, wrong = np.random.default_rng(31), {True: 0, False: 0}
    for _ in range(1000):
        rights, right = (
            chance.binomial(5, chance.beta(0.9 / 4, 0.1 / 4, 100)),
            int(chance.binomial(2000, 0.9)),
        )
        groups = asdict(clustered.sums(rights, np.full(100, 5)))
        for grouped in wrong:
            known = measured.Reference(
                500, {}, {"accuracy": rights.sum() / 500, "groups": groups if grouped else None}
            )
            wrong[grouped] += (
                accuracy.measure_realised(known, Counts(answers=2000, right=right, wrong=2000 - right)).p
                < 0.01
            )

    assert wrong[True] <= 10 < 60 < wrong[False]


def test_an_evaluation_of_one_group_gives_no_expected_accuracy():
    confidence, right = overconfident(60)
    known = measured.Reference(60, {}, reference.of_accuracy(confidence, right, np.zeros(60, dtype=np.int64)))
    counts = Counts(confidence={"45": 100})

    assert accuracy.expected_accuracy(known, counts) is None
    found = accuracy.measure_accuracy(known, counts)
    assert (found.mark, found.why) == ("not_measured", accuracy.ONE_GROUP)


def answered(rows=900, classes=4, seed=3):
    """Answers of an evaluation whose probabilities lie near the truth more often than not."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), rows)
    truth = np.where(
        random.uniform(size=rows) < 0.6, probabilities.argmax(axis=1), random.integers(0, classes, rows)
    )
    return tuple(f"{at:064x}" for at in range(rows)), truth, probabilities


def test_a_calibration_is_the_same_to_the_last_bit_in_whatever_order_the_rows_come():
    ids, truth, probabilities = answered()
    labels = ("a", "b", "c", "d")
    groups = np.arange(len(ids)) // 3
    for clusters in (None, groups):
        made = []
        for seed in range(4):
            order = np.random.default_rng(seed).permutation(len(ids)) if seed else np.arange(len(ids))
            rows = tuple(ids[at] for at in order), truth[order], probabilities[order]
            made.append(calibrated(labels, *rows, clusters=None if clusters is None else clusters[order]))

        assert made == [made[0]] * 4
    assert made[0]["groups"]["clusters"] == 300


def test_a_calibration_is_the_same_to_the_last_bit_where_each_row_is_a_group_of_its_own():
    rows = ("a", "b", "c", "d"), *answered(300)

    assert calibrated(*rows, clusters=np.arange(300)) == calibrated(*rows)


def test_whole_groups_move_an_expected_macro_f1_further_and_that_of_a_window_as_before():
    ids, truth, probabilities = answered(100)
    rows = (
        ("a", "b", "c", "d"),
        tuple(f"{at:064x}" for at in range(500)),
        np.repeat(truth, 5),
        np.repeat(probabilities, 5, axis=0),
    )

    grouped = calibrated(*rows, clusters=np.repeat(np.arange(100), 5))
    alone = calibrated(*rows)

    assert grouped["f1_error"] > 1.5 * alone["f1_error"]
    assert grouped["f1_spread"] == alone["f1_spread"]


def test_estimates_are_the_same_to_the_last_bit_in_whatever_order_the_rows_come():
    _, _, probabilities = answered(901)
    predicted, weight = probabilities.argmax(axis=1), np.random.default_rng(5).uniform(1, 9, 901)
    found = set()
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(901)
        found.add(cbpe.macro_f1(predicted[order], probabilities[order], weight[order]))

    assert len(found) == 1


def test_a_window_is_expected_the_same_in_whatever_order_its_bins_are_counted():
    calibration = {
        "expected": [0.1 + at / 70 for at in range(50)],
        "errors": [[0.001 * at for at in range(51)]],
        "groups": None,
    }
    bins = {str(at): at * 37 % 101 + 1 for at in range(50)}
    turned = dict(sorted(bins.items(), key=lambda pair: pair[1]))

    asked = [
        accuracy.expected_accuracy(measured.Reference(900, {}, calibration), Counts(confidence=each))
        for each in (bins, turned)
    ]

    assert asked[0] == asked[1]
