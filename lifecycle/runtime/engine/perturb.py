"""Perturbations as people cause them: typos, upper case, truncation, added text. Pure; the same seed gives
the same perturbation.

Nothing stored is changed: a perturbed text is computed when needed, and again when it is shown.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

CUT = -1  # the place of what is cut off
TYPOS = 0.05  # share of the letters that are mistyped; one letter at least
SENTENCE = "Thank you for your time."
BEFORE, BEHIND = " \t... ", " !!\n "
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {
    key: [
        near
        for row in KEYS[max(0, line - 1) : line + 2]
        for near in row[max(0, place - 1) : place + 2]
        if near != key
    ]
    for line, keys in enumerate(KEYS)
    for place, key in enumerate(keys)
}


@dataclass(frozen=True, slots=True)
class Disturbed:
    """text: one after its perturbation. places: the new position of each boundary between two of its code
    points, its beginning and its end too; CUT where it is cut off.
    """

    text: str
    places: Sequence[int]

    def move(self, start: int, end: int) -> tuple[int, int] | None:
        """The new position of the part [start, end); None where some of it is cut off, or nothing of it is
        left.
        """
        now = self.places[start], self.places[end]
        return None if CUT in now or now[0] == now[1] else now

    def rest(self, start: int, end: int) -> tuple[int, int] | None:
        """What is left of a part that is cut within; None of any other."""
        now = self.places[start]
        return (now, len(self.text)) if self.places[end] == CUT and CUT < now < len(self.text) else None


def disturb(probe: str, text: str, *, seed: int, name: str) -> Disturbed:
    """The text under one of PROBES. name: of the text, so that each is perturbed in its own way, independent
    of order.
    """
    return PROBES[probe](text, random.Random(f"{seed}:{probe}:{name}"))  # noqa: S311  repeatable, not secret


def disturb_responses(probe: str, responses: Sequence[str], *, seed: int, name: str) -> tuple[str, ...]:
    """The responses of a row under one of PROBES, each in its own way. name: of the row."""
    return tuple(
        disturb(probe, text, seed=seed, name=f"{name}:{at}").text for at, text in enumerate(responses)
    )


def mistyped(text: str, chance: random.Random) -> Disturbed:
    """5 % of the letters, one at least, replaced by a neighbour on the keyboard, swapped with the next, or
    dropped.

    A letter that carries marks of its own is left alone. What would change nothing, such as swapping two
    equal letters, is not drawn.
    """
    marks = list(text)
    letters = [at for at, mark in enumerate(marks) if mark.isalpha() and not carries(text, at)]
    sizes = [1] * len(marks)
    if not letters:
        return resized(text, sizes)
    picked = set(chance.sample(letters, max(1, round(TYPOS * len(letters)))))
    swappable = {
        at for at in letters if at + 1 not in picked and marks[at : at + 1] != marks[at + 1 : at + 2]
    } & {at - 1 for at in letters}
    for at in sorted(picked, reverse=True):
        near = NEIGHBOURS.get(marks[at].lower(), [])
        kind = chance.choice(
            ["drop", *(["neighbour"] if near else []), *(["swap"] if at in swappable else [])]
        )
        if kind == "drop":
            del marks[at]
            sizes[at] = 0
        elif kind == "swap":
            marks[at], marks[at + 1] = marks[at + 1], marks[at]
        else:
            key = chance.choice(near)
            marks[at] = key.upper() if marks[at].isupper() else key
    return resized("".join(marks), sizes)


def resized(text: str, sizes: Sequence[int], before: int = 0) -> Disturbed:
    """A text of which each code point before became so many, behind `before` new ones."""
    return Disturbed(text, tuple(accumulate(sizes, initial=before)))


def carries(text: str, at: int) -> bool:
    """Whether what follows belongs to the character there: a combining mark, a joiner or a variation
    selector.
    """
    return at + 1 < len(text) and (
        unicodedata.category(text[at + 1]).startswith("M") or text[at + 1] == "\u200d"
    )


def lowered(text: str, _chance: random.Random) -> Disturbed:
    """In lower case: İ becomes two code points."""
    return resized(text.lower(), [len(mark.lower()) for mark in text])


def shouted(text: str, _chance: random.Random) -> Disturbed:
    """In upper case: ß becomes two code points."""
    return resized(text.upper(), [len(mark.upper()) for mark in text])


def halved(text: str, _chance: random.Random) -> Disturbed:
    """The first half of the code points, longer only where a character would be cut from its marks."""
    end = (len(text) + 1) // 2
    while 0 < end < len(text) and (carries(text, end - 1) or text[end - 1] == "\u200d"):
        end += 1
    return Disturbed(text[:end], tuple(at if at <= end else CUT for at in range(len(text) + 1)))


def followed(text: str, _chance: random.Random) -> Disturbed:
    """With SENTENCE behind it."""
    return resized(f"{text} {SENTENCE}", [1] * len(text))


def edged(text: str, _chance: random.Random) -> Disturbed:
    """With blanks and marks around it."""
    return resized(f"{BEFORE}{text}{BEHIND}", [1] * len(text), len(BEFORE))


PROBES: dict[str, Callable[[str, random.Random], Disturbed]] = {
    "typos": mistyped,
    "lower": lowered,
    "upper": shouted,
    "half": halved,
    "sentence": followed,
    "edges": edged,
}
