"""Descriptions of class thresholds on pages and the card. Pure."""

from __future__ import annotations

import pytest

from lifecycle.modeling.training.thresholds import promises, threshold_of
from lifecycle.ui.numbers import GAP

CHOSEN = {
    "label": "fraud",
    "by": "recall",
    "target": 0.95,
    "threshold": 0.31,
    "is_met": True,
    "promised": False,
    "positives": 23,
    "validation": {"value": 22 / 23, "low": 0.79, "high": 0.992, "hits": 22, "of": 23},
}
REACHED = {
    "precision": {"value": 0.61, "low": 0.5, "high": 0.71},
    "recall": {"value": 0.93, "low": 0.85, "high": 0.97},
}
MISSED = REACHED | {"recall": {"value": 0.8, "low": 0.7, "high": 0.88}}


def test_the_threshold_is_shown_with_its_interval_and_the_test_result():
    found = threshold_of(CHOSEN | {"measured": REACHED, "promised": True}, "test")

    assert found.kind == "info"
    assert found.fact == "fraud is predicted from 0.310; below it, the most likely other label."
    assert (
        found.text
        == f"Chosen for a recall of at least 0.95: 0.957 on validation (22 of 23 rows, 95{GAP}% 0.790 to"
        f" 0.992). Guaranteed: new rows reach the target too, with 95{GAP}% confidence. On test: recall"
        " 0.930 (0.850 to 0.970), with precision 0.610 (0.500 to 0.710)."
    )
    assert found.line == f"{found.fact} {found.text}"


def test_a_significant_shortfall_on_test_has_a_warning():
    found = threshold_of(CHOSEN | {"measured": MISSED}, "test")

    assert found.kind == "warn"
    assert found.text.endswith("The upper bound of its interval is below 0.95.")


def test_without_a_guarantee_it_is_estimated():
    found = threshold_of(CHOSEN, "test")

    assert (found.kind, found.text.endswith(" Estimated: not guaranteed for new rows.")) == ("info", True)


@pytest.mark.parametrize(
    ("operating", "expected"),
    [
        ({"missed": [], "promised": []}, "estimated of 3 labels (a, b, c)"),
        ({"missed": ["c"], "promised": []}, "estimated of 2 labels (a, b)"),
        ({"missed": ["c"], "promised": ["b"]}, "promised of 1 label (b); estimated of 1 label (a)"),
        ({"missed": ["a", "b", "c"], "promised": []}, ""),
    ],
)
def test_classes_with_a_guaranteed_target_are_named(operating, expected):
    assert promises(operating, ["a", "b", "c"]) == expected


def test_the_first_five_of_many_classes_are_named():
    assert (
        promises({"missed": [], "promised": []}, list("abcdefg"))
        == "estimated of 7 labels (a, b, c, d, e and 2 more)"
    )


@pytest.mark.parametrize("measured", [{}, {"measured": MISSED}])
def test_validation_results_are_not_repeated(measured):
    found = threshold_of(CHOSEN | measured, "validation")

    assert (found.kind, "On validation:" in found.text) == ("info", False)


def test_an_unreachable_target_is_shown_with_its_replacement():
    found = threshold_of(CHOSEN | {"by": "precision", "is_met": False}, "validation")

    assert found.kind == "warn"
    assert found.text.startswith("No threshold reaches a precision of 0.95. The closest was chosen:")


def test_a_class_with_few_rows_has_no_threshold():
    found = threshold_of(
        CHOSEN | {"threshold": None, "is_met": False, "positives": 7, "measured": REACHED}, "test"
    )

    assert (found.kind, found.fact) == ("warn", "fraud has no threshold for the target recall of 0.95.")
    assert found.text.startswith(
        "7 validation rows have it; choosing a threshold needs 20. The most likely label is predicted. On"
        " test: recall 0.930"
    )


def test_a_value_without_rows_is_not_measured():
    found = threshold_of(CHOSEN | {"measured": REACHED | {"precision": None}}, "test")

    assert "with precision not measured (no rows)." in found.text
