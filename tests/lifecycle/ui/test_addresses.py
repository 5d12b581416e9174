"""What an address asks for is read whole, or refused."""

import pytest

from lifecycle.runtime.refusals import Unreadable
from lifecycle.ui.addresses import choice_in, key_in, typed_in


def test_a_place_in_a_list_is_a_number_that_a_page_wrote():
    assert (
        key_in({}),
        key_in({"before": ""}),
        key_in({"before": "12"}),
        key_in({"after": "7"}, "after"),
    ) == (None, None, 12, 7)
    for wrong in ("x", "-1", "1.5", "٣", "9" * 19, "1\x00"):
        with pytest.raises(Unreadable) as refused:
            key_in({"before": wrong})
        assert (refused.value.status, list(refused.value.fields)) == (400, ["before"])


def test_a_choice_is_one_of_those_that_are_offered():
    assert (
        choice_in({}, "state", ("open",), "open"),
        choice_in({"state": "open"}, "state", ("open",)),
        choice_in({}, "state", ()),
    ) == (
        "open",
        "open",
        "",
    )
    for choices in (("open",), ()):
        with pytest.raises(Unreadable):
            choice_in({"state": "all"}, "state", choices, "open")


def test_typed_text_is_cut_and_has_no_nul():
    assert [typed_in(given, "q", 4) for given in ({}, {"q": "abcde"}, {"q": "a\0b"})] == ["", "abcd", "a b"]
