"""Numbers in sentences."""

from __future__ import annotations

import pytest

from lifecycle.runtime.words import things


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("text",), "0 texts"),
        (1, ("text",), "1 text"),
        (1_200, ("text",), "1,200 texts"),
        (2, ("class", "classes"), "2 classes"),
    ],
)
def test_what_is_counted_is_named_in_the_number_of_its_count(number, words, text):
    assert things(number, *words) == text
