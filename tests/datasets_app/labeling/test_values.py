"""What an answer says: one canonical form for each task, and clear words for what is none."""

import pytest

from datasets_app.labeling import values
from lifecycle.refusals import Refused

KNOWN = {"uuid-p": "p", "p": "p", "uuid-o": "o", "o": "o", "PERSON": "p"}
NAMES = {"p": "PERSON", "o": "ORG"}
FIREMEN = "👨🏻‍🚒 firemen drive firetrucks"


def read(task, raw, text="Anna works at Siemens", content=None):
    return values.read(task, raw, about=values.Subject(text, content or {}), known=KNOWN)


def span(start, end, label="p", **more):
    return {"start": start, "end": end, "label": label, **more}


def test_answers_that_say_the_same_are_equal_as_text():
    one = read("multi_label", {"labels": ["uuid-p", "o", "p"]})
    other = read("multi_label", {"labels": ["o", "uuid-p"]})

    assert values.canonical(one) == values.canonical(other) == '{"labels":["o","p"]}'


def test_spans_are_kept_in_the_order_of_their_places_and_once():
    said = read("spans", {"spans": [span(14, 21, "o"), span(0, 4, "uuid-p"), span(0, 4)]})

    assert said == {"spans": [span(0, 4), span(14, 21, "o")]}


def test_offsets_are_code_points():
    assert FIREMEN[19:29] == "firetrucks"

    assert read("spans", {"spans": [span(19, 29, text="firetrucks")]}, FIREMEN) == {"spans": [span(19, 29)]}
    with pytest.raises(Refused, match="does not lie in the text, which has 29 characters"):
        read("spans", {"spans": [span(22, 32)]}, FIREMEN)


@pytest.mark.parametrize(
    ("task", "raw", "told"),
    [
        ("single_label", {"label": "x"}, "'x' is no class of the queue's schema."),
        ("single_label", {"labels": ["p"]}, "one class"),
        ("single_label", "p", "one class"),
        ("multi_label", {"labels": "p"}, "a list of labels"),
        ("multi_label", {"labels": ["p"], "more": 1}, "a list of labels"),
        ("multi_label", {"labels": [["p"]]}, "is no class"),
        ("spans", {"spans": [{"start": 0, "end": 4}]}, "start, end and label"),
        ("spans", {"spans": [span(0, 4.0)]}, "whole numbers"),
        ("spans", {"spans": [span(True, 4)]}, "whole numbers"),
        ("spans", {"spans": [span(4, 4)]}, "does not lie in the text"),
        ("spans", {"spans": [span(-1, 4)]}, "does not lie in the text"),
        ("spans", {"spans": [span(0, 5)]}, "white space: 'Anna '"),
        ("spans", {"spans": [span(0, 4, text="Ann")]}, "says 'Ann', but 'Anna' stands there"),
        ("spans", {"spans": [span(0, 4, "nobody")]}, "is no class"),
        ("spans", {"spans": [span(0, 1)] * 1_001}, "at most 1,000 spans"),
        ("spans", None, "a list of spans"),
    ],
)
def test_what_is_no_answer_is_refused_in_words(task, raw, told):
    with pytest.raises(Refused, match=told.replace(".", r"\.")) as refusal:
        read(task, raw)

    assert list(refusal.value.fields) == ["value"]


def test_the_nearest_class_is_named():
    with pytest.raises(Refused) as refusal:
        read("single_label", {"label": "PRESON"})

    assert refusal.value.next_step == "Did you mean 'PERSON'?"


def test_what_answers_differ_in_is_named_by_class():
    ticks = [{"labels": ["a", "b"]}, {"labels": ["a", "c"]}, {"labels": ["a", "c"]}]

    assert values.contested(ticks) == ["b", "c"]
    assert values.contested([{"label": "y"}, {"label": "x"}]) == ["x", "y"]
    assert values.contested([{"spans": [span(0, 4)]}, {"spans": [span(0, 6)]}]) == ["p"]  # only its border


def test_most_is_taken_part_by_part():
    answers = [{"spans": [span(0, 4), span(14, 21, "o")]}, {"spans": [span(0, 4)]}, {"spans": [span(5, 10, "o"), span(0, 4)]}]

    assert values.majority(answers) == {"spans": [span(0, 4)]}
    assert values.majority([{"labels": ["a", "b"]}, {"labels": ["b"]}]) == {"labels": ["b"]}
    assert values.majority([{"label": "a"}, {"label": "b"}]) is None


def test_where_no_part_is_shared_there_is_no_most():
    assert values.majority([{"labels": ["a"]}, {"labels": ["b"]}]) is None
    assert values.majority([{"labels": []}, {"labels": []}, {"labels": ["b"]}]) == {"labels": []}


def test_a_value_is_told_in_words_and_with_names():
    said = {"spans": [span(0, 4), span(14, 21, "o")]}

    assert values.words(said, NAMES, "Anna works at Siemens") == "“Anna” PERSON, “Siemens” ORG"
    assert values.rename(said, NAMES) == {"spans": [span(0, 4, "PERSON"), span(14, 21, "ORG")]}
    assert values.rename({"label": "gone"}, NAMES) is None
    assert values.words({"labels": []}, NAMES) == "none of the classes"
    assert values.words({"spans": []}, NAMES) == "nothing to mark"
