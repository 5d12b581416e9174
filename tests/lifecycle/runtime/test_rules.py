"""Rules that every room shares."""

from __future__ import annotations

import pytest
from django.db.models import TextChoices

from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_move, check_reason
from lifecycle.runtime.words import phrase


class Door(TextChoices):
    OPEN = "open", "Open"
    SHUT = "shut", "Shut"
    WALLED = "walled", "Walled up"


MOVES = {Door.OPEN: {Door.SHUT}, Door.SHUT: {Door.OPEN, Door.WALLED}}


@pytest.mark.parametrize("old", Door)
@pytest.mark.parametrize("new", Door)
def test_a_state_follows_another_only_if_the_table_allows_it(old, new):
    if (old, new) in {(Door.OPEN, Door.SHUT), (Door.SHUT, Door.OPEN), (Door.SHUT, Door.WALLED)}:
        check_move("door", MOVES, old, new)
    else:
        with pytest.raises(Conflict):
            check_move("door", MOVES, old, new)


def test_a_move_that_is_refused_names_both_states():
    with pytest.raises(Conflict, match=r"This door is walled up and can no longer become open\."):
        check_move("door", MOVES, Door.WALLED, Door.OPEN)


def test_a_reason_is_kept_without_blanks_around_it():
    assert check_reason("  the drill of May\n", "A rollback", 17) == "the drill of May"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "A rollback needs a reason."),
        (" \n\t", "A rollback needs a reason."),
        ("x" * 1_001, "A reason can have up to 1,000 characters."),
    ],
)
def test_no_reason_and_one_that_is_too_long_are_refused_at_its_field(given, sentence):
    with pytest.raises(Refused) as refused:
        check_reason(given, "A rollback", 1_000)

    assert (refused.value.message, refused.value.fields) == (sentence, {"reason": [sentence]})


@pytest.mark.parametrize(
    ("names", "options", "read"),
    [
        ([], {}, ""),
        (["a"], {}, "a"),
        (["a", "b"], {}, "a and b"),
        (["a", "b", "c"], {"last": "or"}, "a, b or c"),
        (["a", "b", "c"], {"most": 3}, "a, b and c"),
        (["a", "b", "c"], {"most": 1}, "a and 2 more"),
        ([*"abcd", *("x" * 1_000)], {"most": 3}, "a, b, c and 1,001 more"),
    ],
)
def test_names_are_joined_as_in_a_sentence(names, options, read):
    assert phrase(names, **options) == read
