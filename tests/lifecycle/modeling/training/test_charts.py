"""The charts of a run from given values."""

from __future__ import annotations

import math

import pytest

from lifecycle.modeling.training import charts

TRAIN = [(10, 2.0), (20, 1.0), (30, 0.5)]
VALIDATION = [(10, 1.5), (20, 1.0), (30, 1.2)]


def test_the_loss_chart_draws_train_in_graphite_validation_in_blue_and_marks_the_kept_step():
    chart = charts.loss(
        TRAIN, VALIDATION, total=40, kept_step=20, by="macro-F1", live=True, updates="/points/"
    )

    train, validation, kept = chart.figure["data"]
    assert (train["y"], train["line"]["color"]) == ([2.0, 1.0, 0.5], "$c2")
    assert (validation["y"], validation["line"]["color"]) == ([1.5, 1.0, 1.2], "$c1")
    assert (kept["x"], kept["y"]) == ([20], [1.0])
    assert chart.figure["layout"]["xaxis"]["range"] == [0, 40]
    assert chart.figure["layout"]["annotations"][0]["y"] == math.log10(0.5)
    assert chart.updates_url == "/points/"
    assert chart.rows == [[10, "2.0000", "1.5000"], [20, "1.0000", "1.0000"], [30, "0.5000", "1.2000"]]


def test_the_table_has_the_validation_of_steps_at_which_no_training_loss_was_written():
    chart = charts.loss(TRAIN, [(15, 1.5), (30, 1.2)], total=40, live=False)

    assert chart.rows == [
        [10, "2.0000", ""],
        [15, "", "1.5000"],
        [20, "1.0000", ""],
        [30, "0.5000", "1.2000"],
    ]


def test_a_loss_of_zero_is_noted_at_the_bottom_of_a_log_axis():
    chart = charts.loss(TRAIN, [(10, 0.5), (20, 0.0)], total=40, kept_step=20, by="macro-F1", live=False)

    assert [note["y"] for note in chart.figure["layout"]["annotations"]] == [math.log10(0.5), -6.0, -6.0]
    assert chart.alt == "Validation loss is lowest, 0.000, at step 20."


@pytest.mark.parametrize(
    ("validation", "kept", "overfit", "live", "caption"),
    [
        (
            VALIDATION,
            20,
            20,
            False,
            "Validation loss has been rising since step 20 while training loss is still falling.",
        ),
        (VALIDATION, None, None, True, "Validation loss is lowest, 1.000, at step 20."),
        (VALIDATION, 20, None, True, "Step 20 is the best so far (macro-F1); validation loss 1.000."),
        (VALIDATION, 20, None, False, "Step 20 selected (best macro-F1); validation loss 1.000."),
        (
            VALIDATION,
            30,
            None,
            False,
            "Step 30 selected (best macro-F1); validation loss 1.200, lowest 1.000 at step 20.",
        ),
        ([], None, None, True, "No validation yet. The first point appears after the first evaluation."),
    ],
)
def test_the_caption_names_the_score_of_the_kept_step(validation, kept, overfit, live, caption):
    assert (
        charts.loss(
            TRAIN, validation, total=40, kept_step=kept, by="macro-F1", overfit_from=overfit, live=live
        ).alt
        == caption
    )


def test_an_overfitting_range_is_shaded_to_the_last_point():
    (shape,) = charts.loss(TRAIN, VALIDATION, total=40, overfit_from=20, live=False).figure["layout"][
        "shapes"
    ]

    assert (shape["x0"], shape["x1"], shape["fillcolor"]) == (20, 30, "$warn/9")


def test_a_small_multiple_shows_its_last_value_and_shares_the_step_axis():
    chart = charts.small("memory_mb", [(10, 200.4), (20, 256.6)], total=100, live=False)

    assert chart.alt == "Memory 257 MB"
    assert chart.figure["layout"]["xaxis"]["range"] == [0, 100]
    assert charts.small("memory_mb", [], total=0, live=False).alt == "Memory Not measured"


def test_an_empty_run_draws_empty_lines():
    chart = charts.loss([], [], total=0, live=True)

    assert [trace["x"] for trace in chart.figure["data"]] == [[], []]
