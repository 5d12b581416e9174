import math

import pytest

from lifecycle.runtime.engine.diagnosis import diagnose, few_validation_rows
from lifecycle.runtime.engine.events import Point


def curve(train, validation=(), **others):
    """Train loss every 10 steps, validation every 20."""
    points = []
    for number, loss in enumerate(train, 1):
        values = {"train_loss": loss}
        if number % 2 == 0 and number // 2 <= len(validation):
            values["validation_loss"] = validation[number // 2 - 1]
            values |= {name: series[number // 2 - 1] for name, series in others.items()}
        points.append(Point(number * 10, number / 2, values))
    return points


FALLING = [2.0, 1.5, 1.2, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2]


@pytest.mark.parametrize(
    ("points", "codes"),
    [
        (curve(FALLING, [1.5, 1.2, 1.0, 0.9, 0.8]), []),
        (curve(FALLING, [1.5, 1.0, 1.2, 1.3, 1.4]), ["overfitting"]),
        (curve(FALLING, [1.5, 1.0, 1.02, 1.03, 1.04]), []),  # a rise of less than a tenth
        (curve(FALLING, [1.5, 1.0, 1.3, 1.0, 1.0]), []),  # recovered
        # train rises too: not overfitting
        (curve([1.0] * 5 + [3.0] * 5, [1.5, 1.0, 1.2, 1.3, 1.4]), ["instability"]),
        (curve([1.0, 1.0, 1.0, 1.0, 4.0, 1.0]), ["instability"]),
        (curve([0.01, 0.01, 0.01, 0.01, 0.2, 0.01]), []),  # a jump without weight
        (curve([1.0, None]), ["instability"]),
        (curve(FALLING[:2], [1.0], predicted_classes=[1.0]), ["collapse"]),
        (curve(FALLING[:4], [1.0, 0.9], predicted_classes=[1.0, 3.0]), []),  # recovered
        (curve(FALLING[:2], [1.0], predicted_sets=[1.0]), ["collapse"]),
        (curve(FALLING[:2], [0.1], accuracy=[0.999]), ["leakage"]),
        (curve(FALLING[:2], [0.1], subset_accuracy=[0.999]), ["leakage"]),
        (curve(FALLING[:4], [0.1, 0.1], accuracy=[0.9, 0.999]), []),  # earned, not given
        ([], []),
    ],
)
def test_findings_follow_from_the_curves(points, codes):
    assert [each.code for each in diagnose(points, classes=5)] == codes


def test_a_collapse_comes_before_warnings():
    points = curve(FALLING, [1.5, 1.0, 1.2, 1.3, 1.4], predicted_classes=[1.0] * 5)

    assert [(each.code, each.severity) for each in diagnose(points, classes=5)] == [
        ("collapse", "bad"),
        ("overfitting", "watch"),
    ]


def test_a_collapse_to_one_set_of_labels_is_reported_as_such():
    (finding,) = diagnose(curve(FALLING[:2], [1.0], predicted_sets=[1.0]), classes=5)

    assert finding.title == "The model predicts the same labels for every row."
    assert finding.detail == "At step 20, all validation rows were predicted as the same set of the 5 labels."


def test_overfitting_states_the_fact_the_evidence_and_the_step():
    (finding,) = diagnose(curve(FALLING, [1.5, 1.0, 1.2, 1.3, 1.4]), classes=5)

    assert finding.title == "Overfitting since step 40."
    assert (
        finding.detail
        == "Validation loss rose from 1.000 to 1.400 while training loss fell from 1.425 to 0.467."
    )
    assert (finding.from_step, finding.to_step) == (40, 100)


def test_underfitting_is_judged_only_at_the_end():
    points = curve([math.log(5)] * 4, [1.6, 1.59])

    assert diagnose(points, classes=5) == []
    assert [each.code for each in diagnose(points, classes=5, finished=True)] == ["underfitting"]


def test_few_validation_rows_names_the_fewest():
    finding = few_validation_rows([20, 2, 9], ["a", "b", "c"])

    assert finding.title == "2 of 3 labels have fewer than 10 validation rows."
    assert finding.detail.endswith("Fewest: b (2), c (9).")
    assert few_validation_rows([10, 10], ["a", "b"]) is None
