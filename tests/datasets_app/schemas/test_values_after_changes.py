"""Values after their labels were merged, split or retired. Pure."""

import pytest

from datasets_app.queues.rules import is_right
from datasets_app.schemas.relabeling import moved
from datasets_app.schemas.rules import ClassesNow, through
from tests.support.changing import sets, spans

NOW = ClassesNow({"lost": "card"}, frozenset({"old"}))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (sets("lost", "card"), sets("card")),
        (sets("lost", "billing"), sets("billing", "card")),
        (sets("billing", "old"), sets("billing")),
        (sets("old"), sets("old")),
        (sets(), sets()),
        (spans((0, 4, "lost"), (0, 4, "card"), (5, 6, "lost")), spans((0, 4, "card"), (5, 6, "card"))),
        (spans((0, 4, "old"), (1, 3, "lost")), spans((1, 3, "card"))),
        (spans((0, 4, "old")), spans((0, 4, "old"))),
        ({"label": "lost"}, {"label": "card"}),
        ({"label": "old"}, {"label": "old"}),
        ({"text": "lost"}, {"text": "lost"}),
    ],
)
def test_a_value_is_read_with_its_current_labels(value, read):
    assert through(value, NOW) == read
    assert is_right(value, read, NOW)


def test_values_that_differ_after_merges_are_still_wrong():
    assert not is_right(sets("card"), sets("billing"), NOW)
    assert not is_right(spans((0, 4, "card")), spans((0, 5, "lost")), NOW)


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (sets("lost", "card"), sets("card")),
        (sets("torn", "card"), None),
        (sets("old", "lost"), sets("card")),
        (sets("old"), None),
        (sets("old", "older"), None),
        (spans((0, 2, "old"), (3, 4, "card")), spans((3, 4, "card"))),
        (spans((0, 2, "old"), (3, 4, "older")), None),
        (spans((0, 2, "torn"), (3, 4, "card")), None),
    ],
)
def test_a_decision_is_moved_or_becomes_invalid(value, after):
    assert moved(value, merged={"lost": "card"}, split={"torn"}, retired={"old", "older"}) == after
