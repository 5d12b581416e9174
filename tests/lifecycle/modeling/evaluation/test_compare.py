"""Comparing two evaluations on the same items, in words and numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.special import softmax

from lifecycle.modeling.evaluation import compare, queries, rules
from lifecycle.modeling.evaluation.task_types.rows import turned_by_label
from lifecycle.modeling.evaluation.task_types.single_label.rows import ENTRY as ROWS
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics.comparisons import paired_rows
from lifecycle.runtime.statistics.metrics import COMPARED, score_rows
from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.ui.templatetags.lifecycle import in_groups
from tests.support.snapshots import freeze
from tests.support.training import labeled_dataset, make_evaluation, make_run, make_snapshot

CHANGED = [
    rules.Change("1", "a", "b", "a", "fixed"),
    rules.Change("2", "a", "a", "b", "broken"),
    rules.Change("3", "a", "b", "c", "other"),
    rules.Change("4", "c", "b", "c", "fixed"),
]


def report(difference=0.019, low=0.006, high=0.032, verdict="better", fixed=68, broken=28, needed=None):
    """The parts of a report that its summary needs."""
    p = compare.significance.mcnemar(fixed, broken)
    return {
        "rows": 1000,
        "rows_needed": needed,
        "changes": {"fixed": fixed, "broken": broken, "other": 3, "p": p},
        "metrics": {"macro_f1": {"difference": difference, "low": low, "high": high, "verdict": verdict}},
    }


def words(**values) -> tuple[str, str]:
    found = compare.summary(ROWS, report(**values), "Run 1", "Run 2")
    return found["fact"].replace("\u00a0", " "), found["text"].replace("\u00a0", " ")


def test_the_better_one_is_named_with_its_interval_and_what_changed():
    assert words() == (
        "Run 2 is better: +1.9 points macro-F1 (95 % 0.6 to 3.2).",
        "Of 96 items that only one model gets right, Run 2 fixed 68 and broke 28; p = 0.000069.",
    )


def test_without_a_significant_difference_the_rows_needed_are_named():
    assert words(
        difference=0.004, low=-0.012, high=0.02, verdict="unclear", fixed=3, broken=2, needed=31_372
    ) == (
        "No clear difference between Run 1 and Run 2: +0.4 points macro-F1 (95 % −1.2 to 2.0).",
        (
            "Of 5 items that only one model gets right, Run 2 fixed 3 and broke 2; p = 1.0. "
            "Detecting a difference this size needs about 31,000 rows; this test set has 1,000."
        ),
    )


def test_a_worse_model_and_two_equal_ones_are_described():
    assert words(difference=-0.3, low=-0.4, high=-0.2, verdict="worse", fixed=0, broken=200) == (
        "Run 2 is worse: −30.0 points macro-F1 (95 % −40.0 to −20.0).",
        "Of 200 items that only one model gets right, Run 2 fixed 0 and broke 200; p < 0.00001.",
    )
    assert (
        words(difference=0.0, low=0.0, high=0.0, verdict="unclear", fixed=0, broken=0)[1]
        == "Both models are correct on the same items."
    )


def test_a_metric_has_a_verdict_only_if_significant_among_all_metrics():
    """The interval of each metric excludes 0."""
    rows = {
        "accuracy": (0.02, 0.001, 0.039, 0.5),
        "macro_f1": (0.03, 0.001, 0.059, 0.04),
        "brier": (0.05, 0.03, 0.07, 0.001),
        "log_loss": (None, None, None, 1.0),
    }
    metrics = {
        name: dict(zip(("difference", "low", "high", "p"), each, strict=True)) | {"verdict": "better"}
        for name, each in rows.items()
    }
    changes = {"p": 0.03}  # McNemar's, which is that of accuracy

    found = compare.judged(
        {"rows": 500, "rows_needed": None, "metrics": metrics, "changes": changes}, "macro_f1"
    )

    assert {name: each["verdict"] for name, each in found["metrics"].items()} == {
        "accuracy": "unclear",
        "macro_f1": "unclear",
        "brier": "better",
        "log_loss": "not_measured",
    }
    assert {name: (each["p"], each["p_holm"]) for name, each in found["metrics"].items()} == {
        "accuracy": (0.03, 0.06),
        "macro_f1": (0.04, 0.06),
        "brier": (0.001, 0.003),
        "log_loss": (None, None),
    }
    assert found["rows_needed"] == 955


def test_equal_models_are_rarely_called_better_on_any_metric():
    """With four metrics; by their intervals alone, 10 in 100 comparisons did."""
    random, labels, by = np.random.default_rng(21), 3, {"interval": 0, "rule": 0}
    for _ in range(150):
        truth = random.integers(labels, size=200)
        logits = random.normal(size=(200, labels)) + 2 * np.eye(labels)[truth]
        rows = (
            score_rows(softmax(logits + 0.8 * random.normal(size=logits.shape), axis=1), truth)
            for _ in range(2)
        )
        found = paired_rows(
            *rows, COMPARED, labels=None, count=200, seed=1, lower={"log_loss", "brier"}, swaps=199
        )
        report = {
            "rows": 200,
            "rows_needed": None,
            "metrics": found,
            "changes": {"p": found["accuracy"]["p"]},
        }
        judged = compare.judged(report, "macro_f1")["metrics"]
        for name, metrics in (("interval", found), ("rule", judged)):
            by[name] += any(each["verdict"] != "unclear" for each in metrics.values())

    assert (by["rule"] / 150 <= 0.05, by["interval"] / 150 >= 0.08) == (True, True), by


def test_a_changed_prediction_counts_for_the_old_and_the_new_class():
    assert turned_by_label(CHANGED) == {
        "a": {"1": 1, "2": -1},
        "b": {"1": 1, "2": -1, "3": 1, "4": 1},
        "c": {"3": -1, "4": 1},
    }


def test_a_class_has_a_verdict_only_if_significant_among_all_classes():
    cases = ((0.1, 9, 1, 0.049), (-0.1, 1, 9, 0.049), (0.1, 9, 1, 0.05))
    assert [compare.class_verdict(*case) for case in cases] == ["better", "worse", "unclear"]


def test_a_class_no_longer_predicted_is_not_better_for_its_fewer_errors():
    # 10 rows: the first predicts it for all of them and for 30 others, the second for none
    assert compare.class_verdict(-0.4, 30, 10, 0.005) == "unclear"
    assert compare.class_verdict(None, 30, 10, 0.005) == "unclear"


def test_near_duplicates_that_change_together_are_one_event_for_mcnemars_test():
    changed = [rules.Change(str(at), ("a",), ("b",), ("a",), "fixed") for at in range(25)]
    alone = {
        "metrics": {"macro_f1": {"verdict": "better"}},
        "per_class": {"a": {"difference": 0.2}},
        "rows": 60,
    }

    by_rows, by_clusters = (
        compare.tests(alone, ROWS.kinds, changed, turned_by_label(changed), "macro_f1", clusters)
        for clusters in ({}, {str(at): at // 5 for at in range(25)})
    )

    assert (by_rows["changes"]["p"], by_rows["per_class"]["a"]["verdict"]) == (
        compare.significance.mcnemar(25, 0),
        "better",
    )
    assert by_clusters["changes"] == {"fixed": 25, "broken": 0, "other": 0, "p": 2 / 2**5}
    assert [by_clusters["per_class"]["a"][name] for name in ("fixed", "p", "verdict")] == [
        25,
        2 / 2**5,
        "unclear",
    ]


def test_items_have_clusters_if_either_file_has_them_and_some_are_shared():
    def answered(clusters):
        known = None if clusters is None else np.array(clusters)
        return Predictions(("a", "b"), ("x", "y"), np.array([0, 1]), np.eye(2), clusters=known)

    assert compare.clusters_of(answered(None), answered([0, 0])) == {"x": 0, "y": 0}
    assert (
        compare.clusters_of(answered([0, 1]), answered([0, 0]))
        == compare.clusters_of(answered(None), answered(None))
        == {}
    )


def test_the_page_shows_the_number_of_near_duplicate_clusters():
    assert (in_groups(1800, 1650), in_groups(2, 1)) == (
        " in 1,650 groups of near duplicates",
        " in 1 group of near duplicates",
    )
    assert in_groups(8, 8) == in_groups(8, None) == ""


def test_the_page_and_the_api_agree(client_for, project, mia):
    snapshot = make_snapshot(project, mia, copies=12)
    runs = (make_run(snapshot, mia, accuracy=share, seed=seed) for share, seed in ((0.4, 1), (1.0, 2)))
    a, b = (queries.latest_evaluation(run, "test") for run in runs)
    client, query = client_for(mia), f"?a={a.uuid}&b={b.uuid}"

    page, found = (
        client.get(f"/evaluations/compare/{query}"),
        client.get(f"/api/v1/evaluations/compare/{query}").json(),
    )

    assert found["summary"]["fact"].startswith("Run 2 is better: +")
    assert found["summary"]["fact"] in page.content.decode()
    answers = queries.rows_of(a)
    wrong = int((answers.probabilities.argmax(axis=1) != answers.truth).sum())
    assert found["changes"] == {
        "fixed": wrong,
        "broken": 0,
        "other": 0,
        "p": compare.significance.mcnemar(wrong, 0),
    }
    assert (found["same_dataset_version"], found["rows_needed"]) == (True, None)
    assert {row["verdict"] for row in found["per_class"].values()} == {"better"}
    assert all(row["p"] <= row["p_holm"] < 0.05 for row in found["per_class"].values())
    assert 'data-state="other-version"' not in page.content.decode()


def test_evaluations_on_two_versions_of_a_dataset_are_flagged(client_for, project, mia):
    dataset = labeled_dataset(project, mia)
    first = freeze(dataset, mia, shares={"train": 60, "validation": 20, "test": 20})
    second = freeze(dataset, mia, shares={"train": 60, "validation": 20, "test": 20})
    a, b = (queries.latest_evaluation(make_run(snapshot, mia), "test") for snapshot in (first, second))

    page = client_for(mia).get(f"/evaluations/compare/?a={a.uuid}&b={b.uuid}").content.decode()

    assert compare.paired_report(a, b)["same_dataset_version"] is False
    assert re.search(r'data-state="other-version"><strong>[^<]*\bv1 and v2\b', page)


def test_other_labels_and_other_splits_are_refused(client_for, run, mia):
    test, validation = queries.latest_evaluation(run, "test"), make_evaluation(run, "validation")

    with pytest.raises(Refused, match="share no item") as refusal:
        compare.paired_report(test, validation)
    answer = client_for(mia).get(f"/api/v1/evaluations/compare/?a={test.uuid}&b={validation.uuid}")
    assert (answer.status_code, answer.json()["code"]) == (422, refusal.value.code)
