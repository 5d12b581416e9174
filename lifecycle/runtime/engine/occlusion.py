"""Word attribution by occlusion: each word is left out in turn, and the text is predicted again. Needs no
gradients, only predictions.

Li, Monroe, Jurafsky (2016), "Understanding Neural Networks through Representation Erasure", arXiv:1612.08220.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics.calibration import sigmoid, softmax
from lifecycle.runtime.statistics.deciding import Cut, decide

MOST_WORDS = 200
CLASSES = 5  # that are looked at, at least, where a text may have several
JOINERS = frozenset("'’-_.@")  # inside a word, between two of its letters
SCRIPTS_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
)
Logits = Callable[[Sequence[str]], NDArray[Any]]


@dataclass(frozen=True)
class Word:
    """text[start:end] in code points. effect: how much the log-odds of the answer fall without it; below 0 it
    opposes.
    """

    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class Explanation:
    """answer: number of the label; given: whether it is one that the text gets. log_odds: of it, for the
    whole text; empty: for the text without any of the words.

    words: those that were left out in turn, in the order of the text. found: words of the text, of which the
    first were taken.
    """

    answer: int
    log_odds: float
    empty: float
    words: tuple[Word, ...]
    found: int
    given: bool = True


def explain(
    logits: Logits, text: str, *, end: int | None = None, most: int = MOST_WORDS, cut: Cut | None = None
) -> Explanation:
    """Leave each of the first `most` words out in turn. logits: (N, C) of N texts, C > 1, divided by the
    temperature.

    end: code points of the text that the model reads; words behind it are not taken. cut: where one class
    answers from a threshold on. Equal answers give equal effects.
    """
    found = spans(text)
    taken = [(start, stop) for start, stop in found if end is None or start < end][:most]
    rows = logits(left_out(text, taken))
    answer = int(decide(softmax(rows[:1]), cut)[0])
    return explanation(answer, log_odds(rows, answer), taken, len(found))


def explain_each(
    logits: Logits, text: str, thresholds: Sequence[float], *, end: int | None = None, most: int = MOST_WORDS
) -> tuple[Explanation, ...]:
    """As `explain`, where a text may have several classes: of every class that reaches its threshold, and of
    the likeliest others, so that there are CLASSES of them; given ones first, the likeliest first. logits: of
    yes to each class on its own, which are its log-odds.
    """
    found = spans(text)
    taken = [(start, stop) for start, stop in found if end is None or start < end][:most]
    odds = np.asarray(logits(left_out(text, taken)), dtype=np.float64)  # (2 + words, C)
    given = sigmoid(odds[0]) >= np.array(thresholds)
    order = np.lexsort((-odds[0], ~given))[: max(CLASSES, int(given.sum()))]
    return tuple(explanation(int(at), odds[:, at], taken, len(found), given=bool(given[at])) for at in order)


def left_out(text: str, taken: Sequence[tuple[int, int]]) -> list[str]:
    """The text, the text without all these words, and without each."""
    return [text, without(text, taken), *(without(text, [span]) for span in taken)]


def explanation(
    answer: int,
    odds: NDArray[np.float64],
    taken: Sequence[tuple[int, int]],
    found: int,
    *,
    given: bool = True,
) -> Explanation:
    """Of the log-odds of one label for each of `left_out`."""
    effects = (float(odds[0] - odd) for odd in odds[2:])
    words = tuple(Word(start, stop, effect) for (start, stop), effect in zip(taken, effects, strict=True))
    return Explanation(answer, float(odds[0]), float(odds[1]), words, found, given)


def log_odds(logits: NDArray[Any], answer: int) -> NDArray[np.float64]:
    """log(p / (1 - p)) of one label (N,), from logits (N, C), without the rounding of p near 1."""
    rows = np.asarray(logits, dtype=np.float64)
    others = np.delete(rows, answer, axis=1)
    top = others.max(axis=1)
    result: NDArray[np.float64] = rows[:, answer] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
    return result


def without(text: str, cut: Sequence[tuple[int, int]]) -> str:
    """The text without these spans, which are in order and do not overlap."""
    kept, at = [], 0
    for start, end in cut:
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])


def spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each word in code points: letters, marks and digits of any script; in scripts without
    spaces, each letter.
    """
    found: list[tuple[int, int]] = []
    start: int | None = None
    for at, letter in enumerate(text):
        is_mark = unicodedata.category(letter).startswith("M")
        is_alone = stands_alone(letter) and not is_mark
        is_inside = unicodedata.category(letter)[0] in "LN" or is_mark
        is_joiner = letter in JOINERS and start is not None and text[at + 1 : at + 2].isalnum()
        if start is not None and (
            is_alone or not (is_inside or is_joiner) or (not is_mark and stands_alone(text[start]))
        ):
            found.append((start, at))
            start = None
        # a mark belongs to what is before it, such as an emoji
        if start is None and is_inside and not is_mark:
            start = at
    return found if start is None else [*found, (start, len(text))]


def stands_alone(letter: str) -> bool:
    """Whether a letter is of a script that puts no space between words."""
    return any(first <= ord(letter) <= last for first, last in SCRIPTS_WITHOUT_SPACES)
