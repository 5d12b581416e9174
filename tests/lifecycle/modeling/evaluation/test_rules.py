"""Rules on predictions, with numbers counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lifecycle.modeling.evaluation import charts, compare, queries, rules
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.task_types.single_label.page import LabelPage
from lifecycle.modeling.evaluation.task_types.single_label.rows import ENTRY as ROWS
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.single_label.measures import Predictions
from lifecycle.runtime.task_types.single_label.predictions import ENTRY, read_answers
from tests.support.training import make_evaluation, make_run, make_snapshot

REPORT = {
    "confusion": {"labels": ["a", "b", "c"], "counts": [[5, 2, 0], [1, 6, 0], [0, 0, 4]]},
    "per_class": [
        {"label": "a", "support": 7, "f1": 0.7},
        {"label": "b", "support": 7, "f1": 0.8},
        {"label": "c", "support": 4, "f1": 1.0},
    ],
    "reliability": [
        {"from": 0.4, "to": 0.6, "count": 50, "confidence": 0.55, "accuracy": 0.2, "low": 0.11, "high": 0.33},
        {"from": 0.8, "to": 1.0, "count": 9, "confidence": 0.9, "accuracy": 0.89, "low": 0.57, "high": 0.98},
    ],
    "ece": 0.3,
}


def predictions(rows: dict[str, tuple[int, int]], confidence: float = 0.8) -> Predictions:
    """Predictions by item: name → (true, predicted) of three labels."""
    probabilities = np.full((len(rows), 3), (1 - confidence) / 2)
    for at, (_, predicted) in enumerate(rows.values()):
        probabilities[at, predicted] = confidence
    return Predictions(
        ("a", "b", "c"), tuple(rows), np.array([true for true, _ in rows.values()]), probabilities
    )


def test_pairs_are_ordered_by_rows_and_carry_the_support_of_the_true_class():
    assert rules.confused(REPORT) == [rules.Pair("a", "b", 2, 7), rules.Pair("b", "a", 1, 7)]


def test_the_worst_classes_are_in_pairs():
    assert rules.worst(REPORT, 10) == [0, 1]
    assert rules.matrix(REPORT, [0, 1]) == (["a", "b"], [[5, 2], [1, 6]])


def one_by_one(found, true, predicted):
    """The predictions of a cell, found row by row."""
    inside = [
        each
        for each in found
        if (not true or each.true == (true,))
        and (not predicted or each.predicted == (predicted,))
        and (true or predicted or each.true != each.predicted)
    ]
    return sorted(inside, key=lambda each: (-each.confidence, each.item))


def test_the_cells_of_the_matrix_hold_the_most_confident_first(tmp_path):
    ENTRY.write(
        tmp_path / "rows.parquet", predictions({"one": (0, 1), "two": (0, 0), "three": (0, 1)}), "test"
    )
    found = read_answers(tmp_path / "rows.parquet")

    for asked, wanted in (
        ({"true": "a", "predicted": "b"}, ["one", "three"]),
        ({"true": "a"}, ["one", "three", "two"]),
        ({}, ["one", "three"]),
    ):
        assert [found.ids[row] for row in ROWS.find(found, asked)] == wanted


def test_rows_by_column_are_the_cells_of_the_matrix(project, mia):
    measured = make_run(make_snapshot(project, mia, copies=20), mia, accuracy=0.6).evaluations.get(
        split="test"
    )
    whole = ROWS.answers(queries.rows_of(measured))

    with ROWS.opened(measured) as columns:
        for true in ("", *columns.labels, "unknown"):
            for predicted in ("", *columns.labels):
                rows = ROWS.find(columns, {"true": true, "predicted": predicted})
                assert ROWS.at(columns, rows) == one_by_one(whole, true, predicted)
    assert ROWS.first(measured, 7) == one_by_one(whole, "", "")[:7]
    assert ROWS.one(measured, whole[3].item) == whole[3]
    assert ROWS.one(measured, "f" * 64) is None


def test_changes_are_broken_fixed_or_other_errors():
    first = predictions(
        {"same": (0, 0), "broken": (0, 0), "fixed": (0, 1), "other": (0, 1), "only here": (0, 1)}
    )
    second = predictions({"same": (0, 0), "broken": (0, 2), "fixed": (0, 0), "other": (0, 2)})

    assert [(change.item, change.kind) for change in ROWS.changes(first, second)] == [
        ("broken", "broken"),
        ("fixed", "fixed"),
        ("other", "other"),
    ]


def test_the_confusion_chart_colours_errors_alone_and_prints_all_counts():
    chart = charts.confusion(REPORT, LabelPage.confusion, limit=None)

    assert chart.lead == "3 errors in 2 pairs."
    assert chart.figure["data"][0]["z"] == [[0, 2, 0], [1, 0, 0], [0, 0, 0]]
    assert [note["text"] for note in chart.figure["layout"]["annotations"]] == ["5", "2", "1", "6", "4"]
    assert chart.rows == [["a", "b", 2], ["b", "a", 1]]


def test_the_class_chart_names_the_classes_below_the_limit():
    chart = charts.f1_by_class(REPORT)

    assert chart.lead == "1 of 3 labels are below 0.80."
    assert chart.figure["data"][0]["marker"]["color"] == ["$bad", "$c2", "$c2"]
    assert [note["text"] for note in chart.figure["layout"]["annotations"]] == ["a"]


def test_the_reliability_chart_says_over_confident_only_if_significant():
    assert (
        charts.reliability(REPORT, LabelPage.reliability).alt
        == "Over-confident between 0.40 and 0.60; ECE 0.300."
    )


def test_values_that_vary_between_executions_are_not_in_the_report():
    assert rules.report_of(
        {"rows": 3, "seconds": 1.2, "status": "succeeded", "error": None, "format": 1}
    ) == {"rows": 3}


def test_the_same_measurement_twice_is_one_evaluation(run):
    before = Evaluation.objects.count()

    assert make_evaluation(run, "test") == queries.latest_evaluation(run, "test")
    assert Evaluation.objects.count() == before


def test_a_comparison_is_the_same_again_and_turns_its_sign_with_the_order(snapshot, mia):
    a, b = (
        queries.latest_evaluation(make_run(snapshot, mia, accuracy=share, seed=2), "test")
        for share in (0.3, 1.0)
    )

    there, back = compare.paired_report(a, b), compare.paired_report(b, a)

    assert there == compare.paired_report(a, b)
    assert there["same_items"] is True
    assert there["metrics"]["accuracy"]["difference"] == -back["metrics"]["accuracy"]["difference"] > 0
    assert (there["metrics"]["accuracy"]["verdict"], back["metrics"]["accuracy"]["verdict"]) == (
        "better",
        "worse",
    )


def test_evaluations_of_two_datasets_cannot_be_compared(run, project, mia):
    a, b = (
        queries.latest_evaluation(each, "test") for each in (run, make_run(make_snapshot(project, mia), mia))
    )

    with pytest.raises(Refused, match="different datasets"):
        compare.paired_report(a, b)


def test_the_most_frequent_of_many_pairs_are_the_first_of_all():
    random = np.random.default_rng(1)
    labels = [f"class {number}" for number in random.permutation(40)]
    counts = random.integers(0, 4, (40, 40)).tolist()
    support = [{"label": label, "support": sum(line)} for label, line in zip(labels, counts, strict=True)]
    report = {"confusion": {"labels": labels, "counts": counts}, "per_class": support}
    every = [
        rules.Pair(labels[row], labels[column], counts[row][column], sum(counts[row]))
        for row in range(40)
        for column in range(40)
        if row != column and counts[row][column]
    ]
    wanted = sorted(every, key=lambda pair: (-pair.count, -pair.share, pair.true, pair.predicted))

    assert rules.confused(report) == wanted
    assert rules.confused(report, 7) == wanted[:7]
    assert rules.count_confused(report) == len(wanted)
    assert rules.errors(report) == sum(pair.count for pair in wanted)
    named = list(
        dict.fromkeys(labels.index(label) for pair in wanted for label in (pair.true, pair.predicted))
    )
    assert rules.worst(report, 10) == named[:10]


def test_the_chart_of_many_classes_lists_its_most_frequent_pairs_alone():
    labels = [f"class {number:02}" for number in range(40)]
    support = [{"label": label, "support": 80} for label in labels]
    report = {"confusion": {"labels": labels, "counts": np.full((40, 40), 2).tolist()}, "per_class": support}

    chart = charts.confusion(report, LabelPage.confusion, limit=None)

    assert chart.lead == "3,120 errors in 1,560 pairs."
    assert len(chart.rows) == charts.TABLE == 500
