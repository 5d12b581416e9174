"""The Jaccard similarity of the shingles of two texts. Pure.

Texts are compared in normal form (NFKC, case folded, without punctuation). If the shorter of two texts has 20
words or more, the shingles are runs of 5 words; else runs of 5 characters, since a short text has too few
words.
"""

from __future__ import annotations

from enum import IntEnum

LENGTH = 5
WORDS_FROM = 20  # words of the shorter text from which on words are compared
CHARACTERS_TO = 25  # words of a text up to which it may be near one of fewer than 20: 0.8 of 25 is 20


class Unit(IntEnum):
    """The unit of a shingle."""

    CHARACTERS = 0
    WORDS = 1


def units_of(form: str) -> list[Unit]:
    """The units in which a text may be compared; both for 20 to 24 words."""
    words = len(form.split())
    return [
        *([Unit.CHARACTERS] if words < CHARACTERS_TO else []),
        *([Unit.WORDS] if words >= WORDS_FROM else []),
    ]


def unit_of(one: str, other: str) -> Unit:
    """The unit in which two texts are compared."""
    return Unit.WORDS if min(len(one.split()), len(other.split())) >= WORDS_FROM else Unit.CHARACTERS


def shingles(form: str, unit: Unit) -> set[str]:
    """The distinct runs of 5 in a normal form; the whole text if it is shorter. Only empty for an empty
    text.
    """
    if unit is Unit.CHARACTERS:
        return {form[at : at + LENGTH] for at in range(max(1, len(form) - LENGTH + 1))} if form else set()
    words = form.split()
    return (
        {" ".join(words[at : at + LENGTH]) for at in range(max(1, len(words) - LENGTH + 1))}
        if words
        else set()
    )


def jaccard(one: str, other: str) -> float:
    """The Jaccard similarity of two normal forms, from 0 to 1; 1 for equal ones."""
    if one == other:
        return 1.0
    unit = unit_of(one, other)
    first, second = shingles(one, unit), shingles(other, unit)
    together = len(first & second)
    return together / (len(first) + len(second) - together) if first or second else 1.0
