"""Accuracy without labels: isotonic regression against scikit-learn, NannyML's sums by hand, and a band that holds."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import f1_score, roc_auc_score

from lifecycle.engine.predictions import Predictions
from lifecycle.statistics.calibration import ece
from monitoring.drift import cbpe, measuring, reference
from monitoring.traffic.counts import Counts


def overconfident(rows=4000, seed=1):
    """Confidences that promise more than they hold: right with probability confidence − 0.2."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 1.0, rows)
    return confidence, (random.uniform(size=rows) < confidence - 0.2).astype(float)


def test_isotonic_curve_is_scikit_learns():
    confidence, right = overconfident(300)
    confidence = np.round(confidence, 2)  # with ties
    known = IsotonicRegression(increasing=True, out_of_bounds="clip").fit(confidence, right)
    asked = np.linspace(0, 1, 101)

    assert cbpe.isotonic(confidence, right)(asked) == pytest.approx(known.predict(asked))


def test_calibration_is_kept_where_it_lowers_the_cross_validated_ece():
    confidence, right = overconfident()

    curve = cbpe.calibrated(confidence, right)

    assert curve is not cbpe.IDENTITY
    assert ece(curve(confidence), right) < 0.05 < ece(confidence, right)


@pytest.mark.parametrize("right", ["none", "all", "few", "perfect"])
def test_calibration_is_not_tried_where_it_cannot_help(right):
    confidence = np.linspace(0.1, 1, 100)
    said = {"none": np.zeros(100), "all": np.ones(100), "few": (np.arange(100) < 5) * 1.0, "perfect": (np.arange(100) >= 40) * 1.0}

    assert cbpe.calibrated(confidence, said[right]) is cbpe.IDENTITY


def test_separation_is_the_roc_curves_area():
    confidence, right = overconfident(200)

    assert cbpe.separation(confidence, right.astype(int)) == pytest.approx(roc_auc_score(right, confidence))


def test_expected_accuracy_by_hand():
    """Half the rows right with 0.9, half with 0.7: 0.8; three errors of 0.4 / sqrt(100) to each side."""
    found = cbpe.accuracy(np.array([0.9, 0.7]), np.array([50.0, 50.0]), 0.4)

    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.68, 0.92))


def test_expected_macro_f1_by_hand():
    """Two rows of a (0.8, 0.6), one of b (0.7): TP 1.4, FP 0.6, FN 0.3 for a; TP 0.7, FP 0.3, FN 0.6 for b."""
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])

    found = cbpe.macro_f1(np.array([0, 0, 1]), probabilities, 0.0)

    assert found.value == pytest.approx((2.8 / (2.8 + 0.9) + 1.4 / (1.4 + 0.9)) / 2)


def test_where_probabilities_are_certain_the_expected_f1_is_the_real_one():
    random = np.random.default_rng(4)
    truth, predicted = random.integers(0, 3, 200), random.integers(0, 3, 200)

    assert cbpe.macro_f1(predicted, np.eye(3)[truth], 0.0).value == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert cbpe.f1_of(truth, predicted, 3) == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_the_band_holds_what_later_turns_out():
    """Seeded, 200 windows of 500 rows with other confidences than the reference: the truth leaves the band of 3 errors at most twice."""
    confidence, right = overconfident()
    curve, spread = cbpe.calibrated(confidence, right), cbpe.spread_over(right)
    random = np.random.default_rng(9)
    outside = 0
    for _ in range(200):
        now = random.beta(5, 2, 500) / 2 + 0.5
        real = (random.uniform(size=500) < now - 0.2).mean()
        band = cbpe.accuracy(curve(now), np.ones(500), spread)
        outside += not band.low <= real <= band.high

    assert outside <= 2


def test_probabilities_are_calibrated_label_by_label_and_sum_to_one():
    half = cbpe.Curve((0.0, 1.0), (0.0, 0.5))
    nothing = cbpe.Curve((0.0, 1.0), (0.0, 0.0))
    row = np.array([[0.6, 0.4]])

    assert cbpe.renormalised([half, cbpe.IDENTITY], row) == pytest.approx(np.array([[0.3 / 0.7, 0.4 / 0.7]]))
    assert cbpe.renormalised([nothing, nothing], row) == pytest.approx(row)


def test_what_the_best_scores_leave_is_shared_by_the_other_labels():
    place = {"a": 0, "b": 1, "c": 2, "d": 3}

    row = cbpe.spread_out([{"label": "b", "score": 0.7}, {"label": "gone", "score": 0.1}, {"label": "a", "score": 0.1}], place)

    assert row == pytest.approx([0.1, 0.7, 0.1, 0.1])


def test_realised_accuracy_has_a_wilson_interval_or_is_not_measured():
    assert cbpe.realised(0, 0) is None
    found = cbpe.realised(80, 20)
    assert (found["value"], found["rows"]) == (0.8, 100)
    assert (round(found["low"], 4), round(found["high"], 4)) == (0.7112, 0.8666)


def answered(rows=900, classes=4, seed=3):
    """Answers of an evaluation whose probabilities lie near the truth more often than not."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), rows)
    truth = np.where(random.uniform(size=rows) < 0.6, probabilities.argmax(axis=1), random.integers(0, classes, rows))
    return tuple(f"{at:064x}" for at in range(rows)), truth, probabilities


def test_a_calibration_is_the_same_to_the_last_bit_in_whatever_order_the_rows_come():
    ids, truth, probabilities = answered()
    labels = ("a", "b", "c", "d")
    made = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(ids)) if seed else np.arange(len(ids))
        made.append(reference.calibrate(Predictions(labels, tuple(ids[at] for at in order), truth[order], probabilities[order])))

    assert made[0]["isotonic"] is True
    assert made == [made[0]] * 4


def test_estimates_are_the_same_to_the_last_bit_in_whatever_order_the_rows_come():
    _, _, probabilities = answered(901)
    predicted, weight = probabilities.argmax(axis=1), np.random.default_rng(5).uniform(1, 9, 901)
    found = set()
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(901)
        found.add(
            (
                cbpe.accuracy(probabilities.max(axis=1)[order], weight[order], 0.4),
                cbpe.macro_f1(predicted[order], probabilities[order], 0.3),
            )
        )

    assert len(found) == 1


def test_a_window_is_expected_the_same_in_whatever_order_its_bins_are_counted():
    calibration = {"expected": [0.1 + at / 70 for at in range(50)], "spread": 0.4}
    bins = {str(at): at * 37 % 101 + 1 for at in range(50)}
    turned = dict(sorted(bins.items(), key=lambda pair: pair[1]))

    asked = [measuring.expected_accuracy(measuring.Reference(900, {}, calibration), Counts(confidence=each)) for each in (bins, turned)]

    assert asked[0] == asked[1]
