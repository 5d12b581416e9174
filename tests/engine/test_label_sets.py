"""Scores of answers that are sets of labels, against scikit-learn and by hand."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from lifecycle.runtime.statistics import bootstrap, calibration, metrics
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types import predictions as files
from lifecycle.runtime.task_types.multi_label import measures as label_sets
from lifecycle.runtime.task_types.multi_label import predictions
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions

THRESHOLDS = (0.5, 0.3, 0.6, 0.5, 0.9)
NAMES = {
    *(
        "macro_f1",
        "micro_f1",
        "weighted_f1",
        "macro_precision",
        "macro_recall",
        "subset_accuracy",
        "hamming_loss",
        "lrap",
    ),
    *("log_loss", "brier", "ece"),
}


def report_of(probabilities, truth, labels, thresholds, *, count):
    """The report of rows that are called by their numbers."""
    ids = tuple(map(str, range(len(truth))))
    made = SetPredictions(
        tuple(labels),
        ids,
        np.asarray(truth, dtype=bool),
        np.asarray(probabilities, dtype=np.float64),
        tuple(thresholds),
    )
    return label_sets.ENTRY.report(made, count=count)


@pytest.fixture
def answers():
    """400 rows of 5 labels; some have none, some all; label 4 is never given. Probabilities are rounded, so
    that some are equal.
    """
    random = np.random.default_rng(5)
    truth = random.random((400, 5)) < (0.5, 0.3, 0.1, 0.05, 0.02)
    truth[:3] = True
    probabilities = calibration.sigmoid(random.normal(size=(400, 5)) + 2.0 * truth - 1.0).round(2) * 0.89
    return probabilities, truth


def test_scores_equal_those_of_scikit_learn(answers):
    probabilities, truth = answers
    given = probabilities >= np.array(THRESHOLDS)

    values = metrics.point_estimates(label_sets.score_sets(probabilities, truth, THRESHOLDS))

    wanted = {
        f"{average}_f1": sk.f1_score(truth, given, average=average, zero_division=0)
        for average in ("micro", "macro", "weighted")
    }
    wanted["macro_precision"] = sk.precision_score(truth, given, average="macro", zero_division=0)
    wanted["macro_recall"] = sk.recall_score(truth, given, average="macro", zero_division=0)
    wanted["subset_accuracy"] = sk.accuracy_score(truth, given)
    wanted["hamming_loss"] = sk.hamming_loss(truth, given)
    wanted["lrap"] = sk.label_ranking_average_precision_score(truth, probabilities)
    wanted["log_loss"] = np.mean([sk.log_loss(truth[:, at], probabilities[:, at]) for at in range(5)])
    wanted["brier"] = np.mean([sk.brier_score_loss(truth[:, at], probabilities[:, at]) for at in range(5)])
    wanted["ece"] = calibration.ece(probabilities.ravel(), truth.ravel())
    assert set(values) == set(wanted) == NAMES
    for name, value in wanted.items():
        assert values[name] == pytest.approx(value, abs=1e-9), name


def test_each_labels_scores_equal_those_of_scikit_learn(answers):
    probabilities, truth = answers
    given = probabilities >= np.array(THRESHOLDS)

    report = report_of(probabilities, truth, list("abcde"), THRESHOLDS, count=0)

    precision, recall, f1, support = sk.precision_recall_fscore_support(truth, given, zero_division=0)
    tables = sk.multilabel_confusion_matrix(truth, given)
    for at, each in enumerate(report["per_class"]):
        assert each["precision"] == pytest.approx(precision[at], abs=1e-9)
        assert each["recall"] == pytest.approx(recall[at], abs=1e-9)
        assert each["f1"] == pytest.approx(f1[at], abs=1e-9)
        assert each["support"] == support[at]
        assert each["average_precision"] == pytest.approx(
            sk.average_precision_score(truth[:, at], probabilities[:, at]), abs=1e-9
        )
        assert [[each["rest"], each["extra"]], [each["missed"], each["hits"]]] == tables[at].tolist()
    assert report["macro_ap"] == pytest.approx(
        sk.average_precision_score(truth, probabilities, average="macro"), abs=1e-9
    )


def test_a_label_without_rows_has_no_average_precision_and_counts_as_zero_in_macro_f1():
    truth = np.array([[True, False], [False, False]])
    probabilities = np.array([[0.9, 0.1], [0.2, 0.3]])

    report = report_of(probabilities, truth, ["a", "b"], (0.5, 0.5), count=0)

    assert [each["average_precision"] for each in report["per_class"]] == [1.0, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert report["macro_f1"] == sk.f1_score(truth, probabilities >= 0.5, average="macro") == 0.5
    assert (report["macro_ap"], report["micro_f1"]) == (1.0, 1.0)


def test_what_was_missed_and_what_was_given_instead_by_hand():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]], dtype=bool)
    given = np.array([[0, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=float)

    report = report_of(given, truth, ["a", "b", "c"], (0.5,) * 3, count=0)

    assert report["confusion"] == {"labels": ["a", "b", "c"], "counts": [[1, 1, 1], [0, 1, 0], [0, 0, 0]]}
    assert (report["wrong_rows"], report["labels_per_row"]) == (3, {"true": 1.0, "given": 1.25})
    assert report["subset_accuracy"] == 0.25
    assert report["hamming_loss"] == pytest.approx(5 / 12)
    first = {name: report["per_class"][0][name] for name in ("hits", "missed", "extra", "rest", "threshold")}
    assert first == {"hits": 1, "missed": 1, "extra": 1, "rest": 1, "threshold": 0.5}


def test_each_bootstrap_sample_is_scored_as_if_its_rows_were_repeated(answers):
    probabilities, truth = answers
    rows = label_sets.score_sets(probabilities, truth, THRESHOLDS)
    (weights,) = bootstrap.resamples(len(truth), 3, seed=9)

    many = rows.aggregate(weights)

    for number in range(3):
        again = np.repeat(np.arange(len(truth)), weights[number].astype(int))
        alone = metrics.point_estimates(label_sets.score_sets(probabilities[again], truth[again], THRESHOLDS))
        for name, value in alone.items():
            assert many[name][number] == pytest.approx(value, abs=1e-9), name


def test_intervals_hold_the_point_estimates(answers):
    report = report_of(*answers, list("abcde"), THRESHOLDS, count=200)

    for name in NAMES:
        assert (
            report["intervals"][name]["low"] <= report[name] <= report["intervals"][name]["high"]
            or name == "ece"
        )
    right = len(answers[1]) - report["wrong_rows"]
    assert tuple(report["intervals"]["subset_accuracy"].values()) == pytest.approx(
        wilson(right, len(answers[1]))
    )


def test_large_sets_are_ranked_in_blocks(answers, monkeypatch):
    whole = label_sets.ranking_precision_rows(*answers)
    monkeypatch.setattr(bootstrap, "BLOCK_CELLS", 250)

    assert (label_sets.ranking_precision_rows(*answers) == whole).all()


@pytest.mark.parametrize(
    ("scores", "truth", "wanted"),
    [
        ([0.9, 0.8, 0.3, 0.1], [1, 1, 0, 0], 0.55),
        ([0.9, 0.8, 0.3, 0.1], [1, 1, 1, 0], 0.2),
        # equal scores stand on one side: F1 0.8 with three, 0.67 with one
        ([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0], 0.45),
        ([0.2, 0.2], [1, 1], 0.1),
        ([0.0, 0.0], [1, 0], 0.0),
        ([0.9, 0.6, 0.4], [1, 0, 1], 0.2),
    ],
)
def test_the_threshold_of_the_best_f1(scores, truth, wanted):
    assert calibration.best_threshold(np.array(scores), np.array(truth, dtype=bool)) == pytest.approx(wanted)


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_chosen():
    scores, truth = np.array([0.9, 0.6, 0.55, 0.2, 0.1]), np.array([1, 0, 0, 0, 1], dtype=bool)

    # F1 is 2/3 with the first alone, and below with more
    assert calibration.best_threshold(scores, truth) == pytest.approx(0.75)
    assert calibration.best_threshold(
        np.array([0.9, 0.7, 0.4, 0.3]), np.array([1, 0, 0, 1], dtype=bool)
    ) == pytest.approx(0.8)
    assert calibration.best_threshold(
        np.array([0.8, 0.7, 0.6]), np.array([1, 0, 1], dtype=bool)
    ) == pytest.approx(0.3)


def test_no_threshold_gives_a_better_f1_than_the_chosen_one(answers):
    probabilities, truth = answers
    for at in range(4):
        chosen = calibration.best_threshold(probabilities[:, at], truth[:, at])
        # at every threshold that makes a difference
        precision, recall, _ = sk.precision_recall_curve(truth[:, at], probabilities[:, at])
        best = max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
        assert sk.f1_score(truth[:, at], probabilities[:, at] >= chosen) == pytest.approx(best, abs=1e-12)


def test_a_rare_label_keeps_a_half(answers):
    probabilities, truth = answers
    few = truth.copy()
    few[:, 0] = False
    few[:19, 0] = True

    assert calibration.choose_thresholds(probabilities, few)[0] == 0.5
    few[19, 0] = True
    assert calibration.choose_thresholds(probabilities, few)[0] == calibration.best_threshold(
        probabilities[:, 0], few[:, 0]
    )


def test_the_temperature_of_decisions_recovers_what_they_were_divided_by():
    random = np.random.default_rng(3)
    logits = random.normal(size=(6000, 3)) * 2
    truth = random.random((6000, 3)) < calibration.sigmoid(logits, 2.0)

    found = calibration.fit_temperature(
        logits, truth, decode=calibration.sigmoid, loss_rows=calibration.decision_loss_rows
    )

    assert found == pytest.approx(2.0, abs=0.15)


def test_a_sigmoid_stays_a_probability_where_exponentials_would_overflow():
    assert calibration.sigmoid(np.array([[-1000.0, 0.0, 1000.0]])).tolist() == [[0.0, 0.5, 1.0]]


# ── Predictions ─────────────────────────────────────────────────────────────
def of(labels, ids, truth, probabilities, thresholds=(0.5, 0.5)):
    return SetPredictions(labels, ids, np.array(truth, dtype=bool), np.array(probabilities), thresholds)


def test_sets_survive_parquet_exactly(tmp_path):
    import pyarrow.parquet as pq

    written = of(
        ("a", "b"),
        ("1", "2", "3"),
        [[1, 1], [0, 0], [0, 1]],
        [[0.9, 0.1], [0.6, 0.4], [0.2, 1 / 3]],
        (0.5, 1 / 3),
    )

    predictions.ENTRY.write(tmp_path / "p.parquet", written, "test")

    read = predictions.ENTRY.read(tmp_path / "p.parquet")
    assert (read.labels, read.ids, read.thresholds) == (written.labels, written.ids, written.thresholds)
    assert (read.truth == written.truth).all()
    assert (read.probabilities == written.probabilities).all()
    assert read.decided.tolist() == [[True, False], [True, True], [False, True]]
    table = pq.read_table(tmp_path / "p.parquet")
    assert table["labels"].to_pylist() == [["a", "b"], [], ["b"]]
    assert table["predicted"].to_pylist() == [["a"], ["a", "b"], ["b"]]


def test_one_label_is_read_without_the_others_and_equals_a_full_read(tmp_path, monkeypatch):
    random = np.random.default_rng(2)
    truth, shares = random.random((50, 3)) < 0.4, random.random((50, 3))
    written = of(("a", "b", "c"), tuple(f"{at:02d}" for at in range(50)), truth, shares, (0.5, 0.2, 0.9))
    predictions.ENTRY.write(tmp_path / "p.parquet", written, "test")
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 7)

    for at, label in enumerate(written.labels):
        found = predictions.ENTRY.scores(tmp_path / "p.parquet", label)
        assert (found.score == shares[:, at]).all()
        assert (found.positive == truth[:, at]).all()
        assert (found.called == (shares[:, at] >= written.thresholds[at])).all()
    wrong, sure = truth != written.decided, np.where(written.decided, shares, 1 - shares)
    plain = [max(sure[row][wrong[row]]) if wrong[row].any() else min(sure[row]) for row in range(50)]
    assert (
        predictions.read_sureness(
            tmp_path / "p.parquet", predictions.read_sets(tmp_path / "p.parquet")
        ).tolist()
        == plain
    )


def test_two_evaluations_of_sets_are_compared_on_the_items_they_share():
    one = of(("a", "b"), ("1", "2", "3"), [[1, 0], [0, 1], [1, 1]], [[0.9, 0.1], [0.6, 0.4], [0.9, 0.9]])
    two = of(
        ("b", "a"),
        ("2", "1", "4"),
        [[1, 0], [0, 1], [1, 1]],
        [[0.8, 0.2], [0.1, 0.9], [0.5, 0.5]],
        (0.5, 0.5),
    )

    found = label_sets.ENTRY.compare(one, two, count=20)

    assert (found["rows"], found["left_out"]) == (2, 2)
    assert set(found["metrics"]) == {*label_sets.METRICS.compared, "per_class"}
    assert found["metrics"]["subset_accuracy"]["difference"] == 0.5
    assert found["metrics"]["hamming_loss"]["difference"] == 0.5  # lower is better
    assert found["metrics"]["per_class"]["b"]["candidate"] == 1.0


@pytest.mark.parametrize(
    ("rows", "prevalence", "before"),
    [(200, (0.3, 0.01), 79), (500, (0.4, 0.3, 0.004), 83), (200, (0.02, 0.02, 0.01, 0.01), 85)],
    ids=["one rare of two", "one rare of three", "all rare"],
)
def test_the_interval_of_macro_f1_holds_where_a_label_has_two_rows_or_none(rows, prevalence, before):
    """100 splits, each label recalled and right in 80 %. From resampled rows alone the interval held in
    `before` of 100: a label without rows counts as 0 in the mean, and one with two right rows is unreliable.
    """
    random, prevalence, held = np.random.default_rng(1), np.array(prevalence), 0
    wrongly = prevalence * 0.2 / (1 - prevalence)
    for seed in range(100):
        truth = random.random((rows, len(prevalence))) < prevalence
        given = random.random(truth.shape) < np.where(truth, 0.8, wrongly)
        scored = label_sets.score_sets(np.where(given, 0.9, 0.1), truth, [0.5] * len(prevalence))
        low, high = bootstrap.bootstrap(scored, 100, seed)["macro_f1"]
        held += low <= 0.8 <= high

    assert held >= 93 > before
