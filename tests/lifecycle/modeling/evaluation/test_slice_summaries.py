"""Summaries of slices: the worst first, and only significant differences."""

from __future__ import annotations

import pytest

from lifecycle.modeling.evaluation.group_words import summary, within
from lifecycle.ui.numbers import GAP, MINUS


def group(name, value, p, verdict):
    score = {"value": value, "low": value - 0.1, "high": value + 0.1}
    ends = (
        dict.fromkeys(("difference", "difference_low", "difference_high"))
        if p is None
        else {
            "difference": -0.2,
            "difference_low": -0.3,
            "difference_high": -0.1,
        }
    )
    return {"name": name, "scores": {"rouge_l": score}, "p": p, "verdict": verdict} | ends


def summarize(groups, worst, worse, compared=3):
    return summary(
        {
            "groups": groups,
            "worst": worst,
            "worse": worse,
            "compared": compared,
            "measure": "rouge_l",
            "least": 20,
        }
    )


def test_the_worst_slice_is_named_with_the_others_below_the_rest():
    groups = [
        group("mail", 0.4, 0.00001, "worse"),
        group("phone", 0.45, 0.012, "worse"),
        group("app", 0.7, 0.9, "unclear"),
    ]

    assert summarize(groups, 0, [0, 1]) == {
        "verdict": "worse",
        "fact": (
            f"mail is below the rest: ROUGE-L 0.400 (0.300 to 0.500), {MINUS}0.200 ({MINUS}0.300 to"
            f" {MINUS}0.100) compared with the rest."
        ),
        "text": f"This is significant after correction for 3 slices (p{GAP}<{GAP}0.001). Also lower: phone.",
    }


def test_an_insignificant_difference_is_no_finding():
    found = summarize(
        [group("mail", 0.4, 0.08, "unclear"), group("app", 0.6, 0.9, "unclear")], 0, [], compared=1
    )

    assert found["text"] == f"This isn't significant after correction for 1 slice (p{GAP}={GAP}0.080)."
    assert found["verdict"] == "unclear"


def test_the_lowest_slice_above_a_rest_of_small_slices_is_not_called_chance():
    found = summarize(
        [group("mail", 0.8, 0.0001, "better"), group("app", 0.9, 0.0001, "better")], 0, [], compared=2
    )

    assert (
        found["text"]
        == "It's still above the rest, because slices that are too small for a verdict are lower."
    )


def test_equal_slices_have_no_lowest():
    found = summarize([group("mail", 1.0, 1.0, "unclear"), group("app", 1.0, 1.0, "unclear")], 0, [])

    assert found == {"verdict": "unclear", "fact": "No slice is lower: ROUGE-L is 1.000 in each.", "text": ""}


def test_without_a_rest_there_is_no_verdict_and_one_slice_has_no_summary():
    alone = summarize([group("mail", 0.4, None, ""), group("app", 0.6, None, "")], 0, [])

    assert alone["fact"] == "mail is lowest: ROUGE-L 0.400 (0.300 to 0.500)."
    assert alone["text"] == "No verdict: fewer than 20 informative rows outside the slice."
    assert summarize([group("mail", 0.4, None, "")], None, []) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rouge_l", "ROUGE-L"),
        ("micro_f1", "micro-F1"),
        ("pair_accuracy", "pairwise accuracy"),
        ("token_f1", "token F1"),
    ],
)
def test_measures_have_names_within_a_sentence(name, words):
    assert within(name) == words
