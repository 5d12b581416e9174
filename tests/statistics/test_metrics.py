from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)

from lifecycle.runtime.statistics import bootstrap, calibration, comparisons, macro_means, metrics
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.runtime.task_types.spans.measures import ScoredSpans


@pytest.fixture
def answers():
    random = np.random.default_rng(5)
    truth = random.integers(0, 6, 400)
    # label 6 never occurs in truth
    probabilities = calibration.softmax(random.normal(size=(400, 7)) + 2 * np.eye(7)[truth])
    return probabilities, truth


def test_scores_equal_those_of_scikit_learn(answers):
    probabilities, truth = answers
    predicted = probabilities.argmax(1)

    values = metrics.point_estimates(metrics.score_rows(probabilities, truth))

    assert values["accuracy"] == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    assert values["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-12)
    assert values["weighted_f1"] == pytest.approx(f1_score(truth, predicted, average="weighted"), abs=1e-12)
    assert values["macro_precision"] == pytest.approx(
        precision_score(truth, predicted, average="macro", zero_division=0), abs=1e-12
    )
    assert values["macro_recall"] == pytest.approx(
        recall_score(truth, predicted, average="macro", zero_division=0), abs=1e-12
    )
    assert values["log_loss"] == pytest.approx(log_loss(truth, probabilities, labels=range(7)), abs=1e-12)
    assert values["brier"] == pytest.approx(
        brier_score_loss(truth, probabilities, labels=list(range(7)), scale_by_half=False), abs=1e-12
    )


def test_a_golden_confusion_matrix_by_hand():
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.1, 0.7, 0.2]])
    truth = np.array([0, 1, 1, 1])

    found = single_label.ENTRY.report(
        Predictions(("a", "b", "c"), tuple("vwxy"), truth, probabilities), count=0
    )

    assert found["confusion"] == {"labels": ["a", "b", "c"], "counts": [[1, 0, 0], [1, 2, 0], [0, 0, 0]]}
    assert found["per_class"] == [
        {
            "label": "a",
            "support": 1,
            "predicted": 2,
            "precision": 0.5,
            "recall": 1.0,
            "f1": pytest.approx(2 / 3),
        },
        {
            "label": "b",
            "support": 3,
            "predicted": 2,
            "precision": 1.0,
            "recall": pytest.approx(2 / 3),
            "f1": pytest.approx(0.8),
        },
        {"label": "c", "support": 0, "predicted": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0},
    ]
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert found["intervals"] == {}


def test_each_bootstrap_sample_is_scored_as_if_its_rows_were_repeated(answers):
    probabilities, truth = answers
    rows = metrics.score_rows(probabilities, truth)
    (weights,) = bootstrap.resamples(len(truth), 3, seed=9)

    many = metrics.aggregate(rows, weights)

    for number in range(3):
        repeated = np.repeat(np.arange(len(truth)), weights[number].astype(int))
        alone = metrics.point_estimates(metrics.score_rows(probabilities[repeated], truth[repeated]))
        for name, value in alone.items():
            assert many[name][number] == pytest.approx(value, abs=1e-12), name


def test_the_bootstrap_is_seeded_and_holds_the_point_estimate(answers):
    rows = metrics.score_rows(*answers)

    one, again, other = (bootstrap.bootstrap(rows, 200, seed) for seed in (1, 1, 2))

    assert one == again
    assert one != other
    low, high = one["accuracy"]
    assert low < metrics.point_estimates(rows)["accuracy"] < high


def test_blocks_of_resamples_do_not_change_the_draws(monkeypatch):
    whole = np.concatenate(list(bootstrap.resamples(10, 7, seed=1)))

    assert whole.shape == (7, 10)
    assert (whole.sum(axis=1) == 10).all()


def test_ece_by_hand():
    confidence = np.array([0.95, 0.85, 0.65, 0.55])  # bins of a tenth: each alone
    correct = np.array([1, 1, 0, 1])

    assert calibration.ece(confidence, correct, 10) == pytest.approx((0.05 + 0.15 + 0.65 + 0.45) / 4)
    assert calibration.binned(confidence, correct, 10).largest_gap is None  # no bin holds twenty rows


def test_the_largest_gap_leaves_small_bins_out_and_may_be_below_the_ece():
    confidence = np.array([0.95] * 20 + [0.55] * 10)
    correct = np.array([1] * 20 + [0] * 10)

    assert calibration.binned(confidence, correct, 10).largest_gap == pytest.approx(0.05)
    assert calibration.ece(confidence, correct, 10) == pytest.approx((20 * 0.05 + 10 * 0.55) / 30)


def test_bins_are_closed_on_the_right():
    assert calibration.bin_of(np.array([0.0, 0.2, 0.2000001, 1.0]), 5).tolist() == [0, 0, 1, 4]


def test_debiased_ece_is_smaller_and_exact_where_nothing_is_random():
    random = np.random.default_rng(1)
    confidence = random.uniform(0.3, 1.0, 2000)
    correct = (random.uniform(size=2000) < confidence).astype(float)

    assert calibration.binned(confidence, correct).debiased() < calibration.ece(confidence, correct)
    assert calibration.binned(np.full(10, 0.9), np.ones(10)).debiased() == pytest.approx(0.1)


def test_reliability_counts_every_row_once():
    bins = calibration.reliability(np.array([0.1, 0.5, 0.5, 1.0]), np.array([0, 1, 0, 1]), 4)

    assert [each["count"] for each in bins] == [1, 2, 0, 1]
    assert bins[1]["confidence"] == 0.5
    assert bins[1]["accuracy"] == 0.5
    assert bins[2]["accuracy"] is None


def test_temperature_recovers_the_one_that_made_the_labels():
    random = np.random.default_rng(2)
    logits = random.normal(size=(20_000, 5)) * 3
    truth = np.array([random.choice(5, p=row) for row in calibration.softmax(logits, 2.0)])

    assert calibration.fit_temperature(logits, truth) == pytest.approx(2.0, abs=0.05)


def test_a_temperature_is_not_extreme_where_all_rows_are_right():
    """With targets of 1 it was 0.05, which makes an answer of 70 % one of 100 %. Platt's targets leave one
    row in N + 2.
    """
    logits = np.array([[1.0, 0.0, 0.0]] * 30 + [[0.0, 1.0, 0.5]] * 30)
    truth = np.repeat([0, 1], 30)

    found = calibration.fit_temperature(logits, truth)

    assert calibration.softmax(logits, found).max(axis=1).mean() == pytest.approx(61 / 62, abs=0.01)
    assert found > 0.1


@pytest.mark.parametrize("logits", [np.zeros((0, 3)), np.full((40, 3), 2.0)])
def test_a_temperature_stays_1_where_it_changes_nothing(logits):
    assert calibration.fit_temperature(logits, np.zeros(len(logits), dtype=np.int64)) == 1.0


@pytest.mark.parametrize("rows", [100, 300])
def test_the_interval_of_a_calibration_error_holds_where_a_model_is_perfectly_calibrated_and_where_it_is_not(
    rows,
):
    """Percentiles of resampled rows always exclude the 0 of a perfectly calibrated model. true: ECE of a
    million rows.
    """
    random, held = np.random.default_rng(1), np.zeros(2)
    for _ in range(120):
        confidence = random.beta(6, 1, rows)
        for at, (chance, true) in enumerate(((confidence, 0.0), (confidence**1.6, 0.0677))):
            scored = metrics.score_rows(
                np.stack([confidence, 1 - confidence], axis=1), (random.random(rows) >= chance).astype(int)
            )
            low, high = bootstrap.bootstrap(
                replace(scored, confidence=confidence, predicted=np.zeros(rows, int)), 200
            )["ece_debiased"]
            held[at] += low <= true <= high

    assert (held / 120 >= 0.93).all()


def test_where_all_rows_are_right_the_interval_of_a_share_is_wilsons_and_has_a_length():
    scored = metrics.score_rows(np.eye(3)[np.arange(30) % 3], np.arange(30) % 3)

    found = bootstrap.bootstrap(scored, 200)

    assert found["accuracy"] == pytest.approx(wilson(30, 30))
    assert found["macro_f1"][0] < 0.95
    assert found["macro_f1"][1] == 1.0


def test_texts_without_spans_do_not_count_for_their_f1():
    """12 of 300 texts have a span, and each is found."""
    held, none = (np.arange(300) < 12).astype(float)[:, None], np.zeros((300, 15))
    rows = ScoredSpans(held, held, held, np.ones(300), np.ones(300), none, none, none)

    found = bootstrap.bootstrap(rows, 200)

    assert {name: found[name] for name in ("micro_f1", "micro_precision", "micro_recall")} == dict.fromkeys(
        ("micro_f1", "micro_precision", "micro_recall"), pytest.approx(wilson(12, 12))
    )
    assert found["exact_texts"] == pytest.approx(wilson(300, 300))


def test_where_no_row_is_right_the_interval_of_macro_f1_is_short_too():
    truth = np.arange(60) % 3

    low, high = bootstrap.bootstrap(metrics.score_rows(np.eye(3)[(truth + 1) % 3], truth), 200)["macro_f1"]

    assert low == 0.0
    assert high < 0.15


def test_the_interval_of_an_accuracy_is_wilsons_as_scipy_has_it():
    truth = np.zeros(200, dtype=np.int64)
    scored = metrics.score_rows(np.eye(2)[np.repeat([0, 1], [170, 30])], truth)

    assert bootstrap.bootstrap(scored, 20)["accuracy"] == pytest.approx(
        tuple(binomtest(170, 200).proportion_ci(method="wilson"))
    )


@pytest.mark.parametrize(
    ("classes", "rows", "right"), [(3, 30, 0.95), (3, 100, 0.9), (20, 200, 0.9), (77, 800, 0.7)]
)
def test_the_interval_of_macro_f1_holds_where_classes_have_few_rows(classes, rows, right):
    """Percentiles over resampled rows hold in 57 to 86 % of such samples."""
    random = np.random.default_rng(1)
    table = np.full((classes, classes), (1 - right) / (classes - 1))
    np.fill_diagonal(table, right)
    table *= random.dirichlet(np.full(classes, 4.0))[:, None]
    every = metrics.ByClass(np.diag(table)[None], table.sum(axis=1)[None], table.sum(axis=0)[None])
    true, held, none = float(every.f1.mean()), 0, np.zeros(rows)
    samples = 200 if classes == 3 else 60
    for _ in range(samples):
        cells = random.choice(classes**2, rows, p=table.ravel())
        scored = metrics.Scored(cells // classes, cells % classes, none, none, none, classes, 15)
        low, high = bootstrap.bootstrap(scored, 200)["macro_f1"]
        held += low <= true <= high

    assert held / samples >= 0.9  # of thousands 0.95


def test_of_two_perfectly_calibrated_models_none_is_called_better_calibrated():
    assert "ece" not in metrics.COMPARED


def paired(truth, *probabilities, count, labels=None):
    """The second against the first."""
    one, two = (metrics.score_rows(each, truth) for each in probabilities)
    return comparisons.paired_rows(
        one, two, metrics.COMPARED, labels=labels, count=count, seed=1, lower={"log_loss", "brier"}
    )


def test_a_better_model_is_right_of_zero_in_every_metric(answers):
    probabilities, truth = answers
    better = calibration.softmax(np.log(probabilities) + 2 * np.eye(7)[truth])

    forward = paired(truth, probabilities, better, count=200)
    back = paired(truth, better, probabilities, count=200)

    for name in ("accuracy", "macro_f1", "log_loss", "brier"):
        assert forward[name]["verdict"] == "better"
        assert forward[name]["low"] > 0
        assert back[name]["verdict"] == "worse"
        assert back[name]["difference"] == -forward[name]["difference"]


def test_a_model_compared_with_itself_is_unclear(answers):
    probabilities, truth = answers

    found = paired(truth, probabilities, probabilities, count=100, labels=list("abcdefg"))

    assert found["accuracy"]["difference"] == found["accuracy"]["low"] == found["accuracy"]["high"] == 0.0
    assert {each["verdict"] for name, each in found.items() if name != "per_class"} == {"unclear"}
    assert set(found["per_class"]) == set("abcdef")


def test_a_change_is_the_candidate_minus_the_baseline_whichever_way_is_better():
    found = {
        "baseline": 0.30,
        "candidate": 0.25,
        "difference": 0.05,
        "low": 0.01,
        "high": 0.09,
        "verdict": "better",
    }

    loss, accuracy = (comparisons.as_change(found, lower_is_better=lower) for lower in (True, False))

    assert (loss["difference"], loss["low"], loss["high"], loss["better"], loss["verdict"]) == (
        -0.05,
        -0.09,
        -0.01,
        "down",
        "better",
    )
    assert accuracy == found | {"better": "up"}
    assert comparisons.as_change(found | {"difference": None}, lower_is_better=True)["difference"] is None
    unknown = comparisons.as_change(found | {"low": None, "high": None}, lower_is_better=True)
    assert (unknown["difference"], unknown["low"], unknown["high"]) == (-0.05, None, None)


def test_the_accuracy_of_a_bin_is_computed_by_clusters():
    """Ten rows of 0.9, two groups of five, of which one is right: as one right of two."""
    confidence, right = np.full(10, 0.9), np.repeat([1.0, 0.0], 5)

    alone, together = (
        calibration.reliability(confidence, right, 2, each)[1] for each in (None, np.repeat([0, 1], 5))
    )

    assert (alone["low"], alone["high"]) == pytest.approx(wilson(5, 10))
    assert (together["count"], together["accuracy"]) == (10, 0.5)
    assert (together["low"], together["high"]) == pytest.approx(wilson(1, 2))


def test_the_interval_of_macro_f1_holds_where_most_labels_are_rare():
    """100 splits of 300 rows of 40 labels, the n-th 1/n as frequent as the first, right in 85 %: from
    resampled rows alone it was 87.
    """
    random, held, shares = np.random.default_rng(1), 0, 1 / np.arange(1, 41)
    shares /= shares.sum()

    def drawn(rows):
        truth, other = random.choice(40, rows, p=shares), random.choice(40, rows, p=shares)
        return truth, np.where(
            random.random(rows) < 0.85, truth, np.where(other == truth, (truth + 1) % 40, other)
        )

    def scored(truth, given):
        none = np.zeros(len(truth))
        return metrics.Scored(truth, given, none, none, none, 40, 15)

    known = metrics.point_estimates(scored(*drawn(200_000)))["macro_f1"]
    for seed in range(100):
        low, high = bootstrap.bootstrap(scored(*drawn(300)), 100, seed)["macro_f1"]
        held += low <= known <= high

    assert held >= 93


def test_a_macro_mean_is_as_wide_as_its_labels_by_hand():
    """Two labels, 8 and 2 right of 10 each, none wrongly given: recall .8 and .2, halves of Wilson's
    intervals to each side.
    """
    whole = metrics.ByClass(*(np.array([each], dtype=float) for each in ([8, 2, 0], [10, 10, 0], [8, 2, 0])))
    ends = [wilson(8, 10), wilson(2, 10)]

    found = macro_means.by_label({"macro_recall": 0.5}, whole)["macro_recall"]

    less, more = (
        np.hypot(*halves) / 2
        for halves in ((0.8 - ends[0][0], 0.2 - ends[1][0]), (ends[0][1] - 0.8, ends[1][1] - 0.2))
    )
    assert found == pytest.approx((0.5 - less, 0.5 + more))
    zero = macro_means.by_label({"macro_recall": 1 / 3}, whole)["macro_recall"]
    assert zero == pytest.approx((1 / 3 - 2 * less / 3, 1 / 3 + 2 * more / 3 + 1 / 3))


def test_near_duplicates_make_a_perfectly_calibrated_model_no_worse_calibrated():
    """60 texts with nine near duplicates each, right together: as independent rows the debiased value was
    above .10 in three of five splits, as groups it is in as many as of 60 rows.
    """
    random, above, together = np.random.default_rng(1), {True: 0, False: 0}, np.arange(600) // 10
    for _ in range(100):
        sure = random.uniform(0.5, 1, 60)[together]
        right = random.random(60)[together] < sure
        answers = np.stack([sure, 1 - sure], axis=1)
        for known in above:
            found = bootstrap.summary(
                metrics.score_rows(answers, 1 - right), count=0, seed=1, clusters=together if known else None
            )
            above[known] += found["ece_debiased"] > 0.1

    assert above[True] <= 35 < 55 < above[False]
