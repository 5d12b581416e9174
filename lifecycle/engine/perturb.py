"""Texts as people write them: mistyped, shouted, cut off, with something around them. Pure; the same seed disturbs them the same way.

Nothing stored is changed: a disturbed text is made when it is needed, and made again where it is shown.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

TYPOS = 0.05  # share of the letters that are mistyped; one letter at least
SENTENCE = "Thank you for your time."
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {
    key: [near for row in KEYS[max(0, line - 1) : line + 2] for near in row[max(0, place - 1) : place + 2] if near != key]
    for line, keys in enumerate(KEYS)
    for place, key in enumerate(keys)
}


def disturb(probe: str, text: str, *, seed: int, name: str) -> str:
    """The text under one of PROBES. name: of the text, so that each is disturbed in its own way, whatever stands before it."""
    return PROBES[probe](text, random.Random(f"{seed}:{probe}:{name}"))  # noqa: S311  repeatable, not secret


def mistyped(text: str, chance: random.Random) -> str:
    """5 % of the letters, one at least, replaced by a neighbour on the keyboard, swapped with the next, or dropped.

    A letter that carries marks of its own is left alone. What would change nothing, such as swapping two equal letters, is not drawn.
    """
    marks = list(text)
    letters = [at for at, mark in enumerate(marks) if mark.isalpha() and not carries(text, at)]
    if not letters:
        return text
    picked = set(chance.sample(letters, max(1, round(TYPOS * len(letters)))))
    swappable = {at for at in letters if at + 1 not in picked and marks[at : at + 1] != marks[at + 1 : at + 2]} & {at - 1 for at in letters}
    for at in sorted(picked, reverse=True):
        near = NEIGHBOURS.get(marks[at].lower(), [])
        kind = chance.choice(["drop", *(["neighbour"] if near else []), *(["swap"] if at in swappable else [])])
        if kind == "drop":
            del marks[at]
        elif kind == "swap":
            marks[at], marks[at + 1] = marks[at + 1], marks[at]
        else:
            key = chance.choice(near)
            marks[at] = key.upper() if marks[at].isupper() else key
    return "".join(marks)


def carries(text: str, at: int) -> bool:
    """Whether what follows belongs to the character there: a combining mark, a joiner or a variation selector."""
    return at + 1 < len(text) and (unicodedata.category(text[at + 1]).startswith("M") or text[at + 1] == "\u200d")


def halved(text: str, _chance: random.Random) -> str:
    """The first half of the code points, longer only where a character would be cut from its marks."""
    end = (len(text) + 1) // 2
    while 0 < end < len(text) and (carries(text, end - 1) or text[end - 1] == "\u200d"):
        end += 1
    return text[:end]


PROBES: dict[str, Callable[[str, random.Random], str]] = {
    "typos": mistyped,
    "lower": lambda text, _: text.lower(),
    "upper": lambda text, _: text.upper(),
    "half": halved,
    "sentence": lambda text, _: f"{text} {SENTENCE}",
    "edges": lambda text, _: f" \t... {text} !!\n ",
}
