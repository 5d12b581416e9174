"""Answers that are written or compared: what counts as one, and what is refused in words."""

import pytest

from datasets_app.labeling import values
from datasets_app.labeling.rules import side_order
from lifecycle.refusals import Refused
from tests.support.labeling import make_dataset, make_queue, queue_items, say

ASKED = {"role": "user", "content": "Hi?"}
SAID = {"role": "assistant", "content": "Hello."}
DIALOGUE = {"messages": [ASKED, SAID]}
TWO = {"responses": ["one", "two"]}
QUEUE, PERSON = "8d7d2a2e-0000-4000-8000-000000000001", "8d7d2a2e-0000-4000-8000-000000000002"


def read(task, raw, content=None):
    return values.read(task, raw, about=values.Subject("", content or {}), known={})


def test_what_is_written_is_kept_as_it_is():
    assert read("free_text", {"text": " two\r\nlines "}) == {"text": " two\r\nlines "}
    mended = {"messages": [ASKED, SAID | {"content": "Hello!", "weight": 1}]}
    assert read("chat", mended, {"messages": [ASKED, SAID | {"weight": 1}]}) == mended
    assert read("preference", {"choice": "tie"}, TWO) == {"choice": "tie"}
    assert read("ranking", {"ranking": [1, 0]}, TWO) == {"ranking": [1, 0]}


@pytest.mark.parametrize(
    ("task", "raw", "content", "told"),
    [
        ("free_text", {"text": "  "}, None, "The text is empty"),
        ("free_text", {"text": "x" * 100_001}, None, "at most 100,000"),
        ("free_text", {"text": "a\0b"}, None, "NUL"),
        ("free_text", {"text": "\ud83d"}, None, "surrogate"),
        ("free_text", "x", None, "is a text"),
        ("chat", {"messages": [{"role": "user", "content": "Ho?"}, SAID]}, DIALOGUE, "not the assistant's was changed"),
        ("chat", {"messages": [SAID]}, DIALOGUE, "not the assistant's was changed"),
        ("chat", {"messages": [ASKED]}, DIALOGUE, "does not end with an answer"),
        ("chat", {"messages": [ASKED, {"role": "assistant", "content": ""}]}, DIALOGUE, "Turn 2 is empty"),
        ("chat", {"messages": [ASKED, {"role": "boss", "content": "x"}]}, DIALOGUE, "Turn 2 is no message"),
        ("chat", {"messages": [ASKED, SAID | {"tool_calls": [float("nan")]}]}, DIALOGUE, "Turn 2 holds more than the dialogue has"),
        ("preference", {"choice": "left"}, TWO, "one of first, second, tie, neither"),
        ("preference", {"choice": []}, TWO, "one of first, second, tie, neither"),
        ("ranking", {"ranking": [0]}, TWO, "each of the 2 responses once"),
        ("ranking", {"ranking": [0, 0]}, TWO, "each of the 2 responses once"),
        ("ranking", {"ranking": [0, True]}, TWO, "each of the 2 responses once"),
    ],
)
def test_what_is_no_answer_is_refused_in_words(task, raw, content, told):
    with pytest.raises(Refused, match=told):
        read(task, raw, content)


def test_sides_are_shuffled_alike_whenever_one_looks_and_evenly_over_items():
    orders = [side_order(QUEUE, f"digest {n}", PERSON, 2) for n in range(1_000)]

    assert orders[7] == side_order(QUEUE, "digest 7", PERSON, 2)
    assert 450 < orders.count([0, 1]) < 550  # the binomial's standard deviation is 16


@pytest.mark.django_db
def test_the_order_in_which_responses_stood_is_recorded_or_refused(project, mia, ana):
    queue = make_queue(make_dataset(project, mia, [TWO], task="preference"), mia, schema=[])
    (item,) = queue_items(queue)

    with pytest.raises(Refused, match="not one of theirs"):
        say(queue, ana, item, {"choice": "first"}, shown=[0, 2])
    assert queue.annotations.count() == 0
    assert say(queue, ana, item, {"choice": "first"}, shown=[1, 0]).shown == [1, 0]
