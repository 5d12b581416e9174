"""A suggestion is a value with a score, and several of one source for an item are merged in one way."""

from __future__ import annotations

import pytest

from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.by_key.suggestions import SUGGESTIONS, suggestions_of
from lifecycle.runtime.task_types.by_key.types import TYPES, type_of
from lifecycle.runtime.task_types.suggestions import Scored
from lifecycle.runtime.task_types.values import bare, labels_of
from tests.task_types.examples import EXAMPLES, LABELS, NAMES

KNOWN = {"PERSON": "p", "PEOPLE": "p", "ORG": "o", "PLACE": "l"}  # two labels of a model that lead to one
PREDICTIONS = {
    "single_label": {"labels": [*KNOWN], "label": "PERSON", "probabilities": [0.5, 0.1, 0.3, 0.1]},
    "multi_label": {"labels": [*KNOWN], "thresholds": [0.5] * 4, "probabilities": [0.7, 0.9, 0.6, 0.1]},
    "spans": {"spans": [{"start": 0, "end": 4, "label": "PERSON", "confidence": 0.75}]},
}
LABELED = [key for key in SUGGESTIONS if TYPES[key].has_labels]
PLACES = [(0, 4), (14, 21)]
FIRST, LAST = {"start": 0, "end": 4, "label": "p"}, {"start": 14, "end": 21, "label": "o"}


def span(place, score=None):
    return {**place, **({} if score is None else {"score": score})}


def spans(*found):
    return {"spans": list(found)}


@pytest.mark.parametrize("task", LABELED)
def test_what_a_model_suggests_is_annotations_that_name_known_labels(task):
    suggestions, kind = suggestions_of(task), type_of(task)

    scored = suggestions.from_model(PREDICTIONS[task], KNOWN)

    for value, score in scored:
        assert labels_of(kind.answers.parse(suggestions.unscored(value), EXAMPLES[task].item, LABELS)) <= [
            *NAMES
        ]
        assert 0 <= score <= 1
    assert [score for _, score in scored] == sorted((score for _, score in scored), reverse=True)
    assert suggestions.from_model(PREDICTIONS[task], {}) == []


@pytest.mark.parametrize("task", LABELED)
def test_what_names_one_label_is_an_annotation_with_it(task):
    suggestions, kind = suggestions_of(task), type_of(task)

    claimed, other = (suggestions.of_label(label, PLACES, 0.9) for label in "po")

    assert set(labels_of(kind.answers.parse(suggestions.unscored(claimed), EXAMPLES[task].item, LABELS))) == {
        "p"
    }
    assert (
        suggestions.contradict(claimed, other)
        == suggestions.contradict(other, claimed)
        == (task != "multi_label")
    )
    assert not suggestions.contradict(claimed, claimed)


@pytest.mark.parametrize("task", TYPES)
def test_one_value_is_combined_to_itself_and_none_to_none(task):
    suggestions = suggestions_of(task)

    for _, value in EXAMPLES[task].good:
        assert (
            canonical(suggestions.combine([Scored(value, 0.6)])) == canonical(bare(value)) == canonical(value)
        )
        assert suggestions.unscored(value) == value
        assert suggestions.rename(value, NAMES) == (
            type_of(task).answers.rename(value, NAMES) if "spans" in value else value
        )
    assert suggestions.combine([]) is None


@pytest.mark.parametrize("task", [key for key in TYPES if key not in SUGGESTIONS])
def test_where_no_model_suggests_the_newest_value_counts_as_it_is(task):
    old, new = (value for _, value in EXAMPLES[task].good[:2])

    assert suggestions_of(task).combine([Scored(old, 0.9), Scored(new, 0.1)]) == new
    assert suggestions_of(task).from_model({"label": "PERSON"}, KNOWN) == []


# ── Single label ────────────────────────────────────────────────────────────
LED = {"a": "A", "b": "B", "c": "A", "d": "D", "e": "E"}


@pytest.mark.parametrize(
    ("labels", "probabilities", "deciding", "found"),
    [
        ("abcdef", [0.2, 0.3, 0.15, 0.04, 0.06, 0.25], "", [("A", 0.35), ("B", 0.3), ("E", 0.06)]),
        ("ad", [0.01, 0.04], "", [("D", 0.04)]),
        ("f", [1.0], "", []),
        ("abc", [0.3, 0.5, 0.2], "c", [("A", 0.5)]),
        ("abd", [0.3, 0.66, 0.04], "d", [("D", 0.04)]),
        ("af", [0.3, 0.7], "f", [("A", 0.3)]),
    ],
)
def test_at_most_three_labels_are_suggested_and_merged_ones_are_added_up(
    labels, probabilities, deciding, found
):
    asked = {
        "labels": [*labels],
        "probabilities": probabilities,
        "label": deciding,
        "deciding": {"label": deciding} if deciding else None,
    }

    assert suggestions_of("single_label").from_model(asked, LED) == [
        ({"label": key}, score) for key, score in found
    ]


def test_the_answer_of_a_label_with_a_threshold_is_the_suggestion():
    asked = {
        "labels": ["common", "rare", "other"],
        "probabilities": [0.6, 0.3, 0.1],
        "label": "rare",
        "deciding": {"label": "rare"},
    }

    scored = suggestions_of("single_label").from_model(asked, {each: each for each in asked["labels"]})

    assert scored == [({"label": "rare"}, 0.3), ({"label": "other"}, 0.1)]
    assert suggestions_of("single_label").combine(scored) == {"label": "rare"}


def test_the_surest_label_is_the_suggestion_and_of_equal_ones_the_first():
    combine = suggestions_of("single_label").combine

    assert combine([Scored({"label": "a"}), Scored({"label": "b"}, 0.2), Scored({"label": "c"}, 0.2)]) == {
        "label": "b"
    }
    assert combine([Scored({"label": "a"}), Scored({"label": "b"})]) == {"label": "a"}


# ── Multi label ─────────────────────────────────────────────────────────────
def test_of_merged_labels_the_likeliest_counts():
    names = {"a": "x", "b": "x", "c": "y"}
    asked = {"labels": ["a", "b", "c"], "thresholds": [0.5, 0.5, 0.2]}
    from_model = suggestions_of("multi_label").from_model

    assert from_model(asked | {"probabilities": [0.6, 0.8, 0.2]}, names) == [
        ({"labels": ["x"]}, 0.8),
        ({"labels": ["y"]}, 0.2),
    ]
    assert from_model(asked | {"probabilities": [0.4, 0.4, 0.1]}, names) == []


def test_labels_that_have_half_a_chance_are_suggested_together():
    scored = [Scored({"labels": ["b"]}, 0.5), Scored({"labels": ["a"]}), Scored({"labels": ["c"]}, 0.49)]

    assert suggestions_of("multi_label").combine(scored) == {"labels": ["a", "b"]}
    assert suggestions_of("multi_label").combine(scored[2:]) == {"labels": []}


# ── Spans ───────────────────────────────────────────────────────────────────
def test_a_text_is_as_sure_as_the_least_sure_of_its_spans():
    found = [{**FIRST, "label": "PERSON", "confidence": 0.75}, {**LAST, "label": "ORG", "confidence": 0.5}]

    scored = suggestions_of("spans").from_model({"spans": found}, KNOWN)

    assert scored == [(spans(span(FIRST, 0.75), span(LAST, 0.5)), 0.5)]


def test_spans_of_all_values_are_there_once_with_the_best_of_their_scores():
    scored = [
        Scored(spans(span(LAST, 0.4), span(FIRST))),
        Scored(spans(span(LAST, 0.8))),
        Scored(spans(span(FIRST, 0.1), span(LAST, 0.3))),
    ]

    combined = suggestions_of("spans").combine(scored)

    assert combined == spans(span(FIRST, 0.1), span(LAST, 0.8))
    assert bare(combined) == spans(FIRST, LAST)


def test_spans_of_removed_labels_are_omitted_and_the_others_keep_their_scores():
    assert suggestions_of("spans").rename(spans(span(FIRST, 0.9), LAST), {"p": "P"}) == spans(
        span(FIRST, 0.9) | {"label": "P"}
    )


def test_only_what_is_claimed_of_one_place_can_be_contradicted():
    contradict = suggestions_of("spans").contradict

    assert contradict(spans(FIRST), spans(LAST, FIRST | {"label": "o"}))
    assert not contradict(spans(FIRST), spans(FIRST | {"end": 3, "label": "o"}))


@pytest.mark.parametrize("raw", [None, "spans", {"spans": 3}, {"spans": ["p", None]}, {"label": "p"}])
def test_whatever_is_sent_loses_its_scores_and_nothing_else(raw):
    assert suggestions_of("spans").unscored(raw) == raw
