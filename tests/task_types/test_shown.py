"""A response in the form in which people read it, by task."""

from __future__ import annotations

import pytest

from lifecycle.runtime.task_types.by_key.served import served_of
from lifecycle.runtime.task_types.served import Served
from lifecycle.runtime.task_types.shown import Piece, Ranked, Score, Shown, in_words

TEXT = {"TEXT": ["I🙂 met Ana"]}
PAIR = TEXT | {"CANDIDATES": ["yes", "no"]}


def tensors(**data):
    return {name: {"name": name, "data": values} for name, values in data.items()}


def scores(labels, values):
    return {"data": values, "parameters": {"labels": labels}}


def test_a_label_comes_with_the_five_likeliest():
    outputs = tensors(LABEL=["c"], CONFIDENCE=[0.4])
    outputs["SCORES"] = scores([*"abcdefg"], [0.2, 0.1, 0.4, 0.05, 0.15, 0.06, 0.04])

    shown = served_of("single_label").shown(TEXT, outputs)

    assert (shown.summary, shown.confidence) == ("c", 0.4)
    assert [(each.label, each.probability, each.predicted) for each in shown.scores] == [
        ("c", 0.4, True),
        ("a", 0.2, False),
        ("e", 0.15, False),
        ("b", 0.1, False),
        ("f", 0.06, False),
    ]


def test_every_predicted_label_of_several_is_shown():
    outputs = tensors(LABELS=['["a", "b", "c", "d", "e", "f"]'])
    outputs["SCORES"] = scores([*"gabcdef"], [0.99, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4])

    shown = served_of("multi_label").shown(TEXT, outputs)

    assert shown.summary == "a, b, c, d, e, f"
    assert [each.label for each in shown.scores] == [*"abcdef"]


def test_no_label_of_several_is_said():
    outputs = tensors(LABELS=["[]"])
    outputs["SCORES"] = scores(["a"], [0.1])

    assert served_of("multi_label").shown(TEXT, outputs) == Shown("no label", scores=[Score("a", 0.1, False)])


def test_spans_are_pieces_of_the_text_by_code_points():
    outputs = tensors(START=[7, 3], END=[10, 6], LABEL=["person", "act"])

    shown = served_of("spans").shown(TEXT, outputs)

    assert shown == Shown(
        "2 spans", pieces=[Piece("I🙂 "), Piece("met", "act"), Piece(" "), Piece("Ana", "person")]
    )


def test_a_text_without_spans_is_one_piece():
    shown = served_of("spans").shown(TEXT, tensors(START=[], END=[], LABEL=[]))

    assert shown == Shown("0 spans", pieces=[Piece("I🙂 met Ana")])


def test_candidates_are_ranked_and_equal_ones_share_a_rank():
    given = TEXT | {"CANDIDATES": ["a", "b", "c"]}
    outputs = tensors(SCORES=[1.0, 3.0, 1.0], ORDER=[1, 0, 2], RANKS=[1, 0, 1])

    assert served_of("ranking").shown(given, outputs) == Shown(
        "3 candidates", ranked=[Ranked(1, "b", 3.0), Ranked(2, "a", 1.0), Ranked(2, "c", 1.0)]
    )


@pytest.mark.parametrize(
    ("ranks", "first", "summary", "confidence"),
    [
        ([0, 1], 0.8, "Candidate 1 is better", 0.8),
        ([1, 0], 0.2, "Candidate 2 is better", 0.8),
        ([0, 0], 0.5, "Both are equally good", 0.5),
    ],
)
def test_a_preference_says_which_is_better_and_how_likely(ranks, first, summary, confidence):
    outputs = tensors(SCORES=[1.0, 0.5], ORDER=[0, 1], RANKS=ranks, CONFIDENCE=[first])

    shown = served_of("preference").shown(PAIR, outputs)

    assert (shown.summary, shown.confidence) == (summary, confidence)
    assert [each.text for each in shown.ranked] == ["yes", "no"]


@pytest.mark.parametrize(("finish", "summary"), [("stop", "1 token"), ("length", "1 token, cut off")])
def test_a_generated_text_comes_with_its_length(finish, summary):
    outputs = tensors(RESPONSE=["Yes"], FINISH=[finish], CONFIDENCE=[0.5], TOKENS=[1])

    assert served_of("generation").shown(TEXT, outputs) == Shown(summary, 0.5, response="Yes")


def test_a_task_without_a_form_of_its_own_shows_its_tensors():
    outputs = {"SCORES": scores(["a", "b"], [0.25, 0.751])} | tensors(COUNT=[3], NONE=[])

    assert Served.shown(served_of("single_label"), TEXT, outputs).tensors == [
        ("SCORES", "a: 0.25, b: 0.751"),
        ("COUNT", "3"),
        ("NONE", in_words({"data": []})),
    ]
