"""How a rule reads a text."""

import pytest

from datasets_app.assist.matching import (
    PATTERN_LIMIT,
    TEXT_READ,
    WORDS_LIMIT,
    Piece,
    clean_pattern,
    matcher,
    pieces,
)
from lifecycle.runtime.refusals import Refused


def spans(kind, pattern, text, mode="any"):
    return [text[start:end] for start, end in matcher(kind, clean_pattern(kind, pattern), mode).spans(text)]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("card", "My card, cards and Card.", ["card", "Card"]),
        ("straße", "Auf der STRASSE stehen", ["STRASSE"]),
        ("ß strasse", "ẞ STRASSE ß", ["ẞ STRASSE"]),
        ("credit card", "a credit\n  card and creditcard", ["credit\n  card"]),
        ("c++\n.net", "C++, .NET and c+", ["C++", ".NET"]),
        ("card\ncredit card", "credit card", ["credit card"]),
        ("(a+)+", "(A+)+ aaa", ["(A+)+"]),
    ],
)
def test_words_are_found_whole_and_whatever_their_case(pattern, text, found):
    assert spans("words", pattern, text) == found


def test_a_text_needs_all_words_in_mode_all():
    assert spans("words", "lost\ncard", "a lost card", "all") == ["lost", "card"]
    assert spans("words", "lost\ncard", "a card", "all") == []
    assert spans("words", "lost\ncard", "a card", "any") == ["card"]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\pL+é", "un café 😀 né", ["café", "né"]),
        (r"(?i)REF-\d{4}", "ref-1234 ref-12", ["ref-1234"]),
        ("a|", "", None),
        ("x*", "", None),
    ],
)
def test_an_expression_is_found_by_code_points(pattern, text, found):
    if found is None:
        with pytest.raises(Refused):
            spans("regex", pattern, text)
    else:
        assert spans("regex", pattern, text) == found


def test_a_catastrophic_expression_takes_linear_time():
    assert spans("regex", r"(a*)*b|(x+x+)+y", "a" * TEXT_READ) == []
    assert spans("regex", r"(x+x+)+y", "x" * TEXT_READ) == []


@pytest.mark.parametrize(
    ("kind", "pattern", "message"),
    [
        ("regex", "(", "Invalid expression: missing )"),
        ("regex", "(?<=a)b", "Invalid expression: invalid perl operator"),
        ("regex", r"(a)\1", "Invalid expression: invalid escape sequence"),
        ("regex", "a{2000}", "Invalid expression: invalid repetition size"),
        ("regex", r"\pL{20}", "too large once its repetitions are expanded"),
        ("regex", r"(?:\pL{1,40} ){1,20}", "Invalid expression: pattern too large"),
        ("regex", "x" * (PATTERN_LIMIT + 1), "has 1,001 characters"),
        ("regex", "  ", "Enter a pattern"),
        ("words", " \n ", "Enter words or phrases"),
        ("words", "x" * 101, "has 101 characters"),
        ("words", "\n".join(str(n) for n in range(WORDS_LIMIT + 1)), "There are 201 words"),
    ],
)
def test_an_invalid_pattern_is_explained(kind, pattern, message):
    with pytest.raises(Refused) as refused:
        spans(kind, pattern, "a")

    assert message in refused.value.message
    assert refused.value.fields == {"pattern": [refused.value.message]}


def test_a_text_is_read_up_to_a_limit():
    assert spans("words", "card", "x" * (TEXT_READ - 5) + " card") == ["card"]
    assert spans("words", "card", "x" * TEXT_READ + " card") == []


def test_a_lone_surrogate_stops_nothing():
    assert spans("regex", "card", "\ud800card") == ["card"]


def test_words_are_kept_once_in_their_order():
    assert clean_pattern("words", " Card \n\nlost  card\ncard\n") == "Card\nlost card"
    assert clean_pattern("regex", " a b ") == "a b"


def test_what_is_shown_is_cut_around_the_first_hit():
    text = "x" * 100 + " card " + "y" * 300

    shown = pieces(text, matcher("words", "card", "any").spans(text))

    assert shown[0] == Piece("… ", hit=False)
    assert shown[1] == Piece("x" * 59 + " ", hit=False)
    assert shown[2] == Piece("card", hit=True)
    assert (shown[3].text[:3], shown[-1].text, sum(len(piece.text) for piece in shown)) == (
        " yy",
        " …",
        2 + 240 + 2,
    )
    assert pieces("a card", [(2, 6)]) == [Piece("a ", hit=False), Piece("card", hit=True)]
