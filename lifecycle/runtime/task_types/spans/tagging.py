"""Marked parts of texts as a tag for each token, and tags as marked parts. numpy only.

Tags are IOB2: 0 is O, 1 + 2c begins a span of class c, 2 + 2c goes on with it. Every token of a span carries a tag, so that what is read
back is made of whole tokens and has exact places in its text. Spans are (start, end, class), in code points.

Where spans keep to words a token is a word, for which its first piece speaks (Devlin et al. 2019, §5.3); a later piece cannot contradict
it. The largest words that they keep to are taken, so that an address or a name with a hyphen has one tag.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Span = tuple[int, int, int]

AT_ONCE = 256  # texts whose best tags are looked for together
CELLS = 8_000_000  # texts × tokens × tags that are decoded at once, 10 bytes each
WITHIN = 0.01  # the share of spans that may begin or end within a unit where spans keep to it
OF_A_CLASS = 0.5  # and of the spans of a class, which could not be learnt otherwise
BETWEEN_SPACES = re.compile(r"\S+")
QUOTES = "\"'`“”„‟‘’‚‛«»‹›「」『』《》〈〉【】"  # some open in one language and close in another
OPENING = QUOTES + "([{<¿¡"  # before a word, and behind one, they are not of it
CLOSING = QUOTES + ")]}>.,:;!?…。，、！？：；।،؛؟"


class Unit(StrEnum):
    """What has a tag of its own. PIECE: a token of the tokenizer. WORD: a run of letters, with their marks, and digits. SPACED: what
    stands between two spaces, but for brackets and quotes around it and stops behind it."""

    PIECE = "piece"
    WORD = "word"
    SPACED = "spaced"

    @property
    def sentence(self) -> str:
        """What it is, for people."""
        return {
            Unit.PIECE: "Parts are marked by the pieces that the tokenizer makes of words.",
            Unit.WORD: "Parts are marked by runs of letters and digits, within which hardly any begins or ends.",
            Unit.SPACED: "Parts are marked by what stands between spaces, within which hardly any begins or ends.",
        }[self]

    @classmethod
    def told(cls, document: Mapping[str, Any]) -> Unit:
        """That of an artifact's or a run's document. One of a version that knew words alone says whether it is by them."""
        return cls(document.get("unit") or (cls.WORD if document.get("whole_words") else cls.PIECE))


@dataclass(frozen=True)
class Tokens:
    """What a model gives to the tokens of texts, those left out that stand for no text. values: (T, K) of each text, K tags; offsets: int64
    (T, 2), where each token begins and ends, without white space around it. cut: whether a text is longer than what is read of it; of none
    where it is empty."""

    values: tuple[NDArray[Any], ...]
    offsets: tuple[Ints, ...]
    cut: tuple[bool, ...] = ()

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Marked:
    """What is marked in a text: spans that do not overlap, in order. overlapping: how many were left out, as they overlap a longer one."""

    spans: tuple[Span, ...]
    overlapping: int = 0


@dataclass(frozen=True)
class Found:
    """A span that a model found. confidence: the least probability of its tokens' tags."""

    start: int
    end: int
    label: int
    confidence: float

    @property
    def span(self) -> Span:
        """Without the confidence."""
        return self.start, self.end, self.label


def tags(classes: int) -> int:
    """How many there are."""
    return 1 + 2 * classes


def without_overlap(spans: Sequence[Span]) -> Marked:
    """The spans in order without those that overlap a longer one, or one of the same length before them."""
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda each: (each[0] - each[1], each)):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return Marked(tuple(sorted(kept)), len(spans) - len(kept))


def unit_of(texts: Sequence[str], marked: Sequence[Marked]) -> Unit:
    """The largest within which hardly any span begins or ends; in scripts that put no spaces between words that is the piece."""
    return next((unit for unit in (Unit.SPACED, Unit.WORD) if keeps_to(unit, texts, marked)), Unit.PIECE)


def keeps_to(unit: Unit, texts: Sequence[str], marked: Sequence[Marked]) -> bool:
    """Whether hardly any span begins or ends within one, and of no class more than half of them."""
    spans: Counter[int] = Counter()
    within: Counter[int] = Counter()
    for text, each in zip(texts, marked, strict=True):
        if each.spans:
            inner = inner_places(text, unit)
            spans.update(label for *_, label in each.spans)
            within.update(label for start, end, label in each.spans if inner[start] or inner[end])
    is_learnt = all(count <= OF_A_CLASS * spans[label] for label, count in within.items())
    return is_learnt and within.total() <= WITHIN * spans.total()


def inner_places(text: str, unit: Unit) -> list[bool]:
    """Of each place of a text, from 0 to its length, whether it lies within a unit that is larger than a piece."""
    inner = [False] * (len(text) + 1)
    if unit is Unit.WORD:
        inner[1:-1] = [before and after for before, after in pairwise(map(is_of_word, text))]
    if unit is Unit.SPACED:
        for found in BETWEEN_SPACES.finditer(text):
            start = found.end() - len(found[0].lstrip(OPENING))
            end = found.start() + len(found[0].rstrip(CLOSING))
            inner[start + 1 : end] = [True] * max(0, end - start - 1)
    return inner


def is_of_word(letter: str) -> bool:
    """Whether it is a letter, a mark on one, or a digit."""
    return letter.isalnum() or unicodedata.category(letter)[0] == "M"


def places(text: str, offsets: Sequence[Sequence[int]], special: Sequence[int], unit: Unit = Unit.PIECE) -> tuple[NDArray[np.bool_], Ints]:
    """Which tokens stand for text (T,), and where those stand (T', 2), without the white space that some tokenizers add to a token.

    The first piece of a unit stands for all of it that is read.
    """
    inner = inner_places(text, unit)
    counted = np.zeros(len(offsets), dtype=np.bool_)
    found: list[tuple[int, int]] = []
    for at, ((start, end), is_special) in enumerate(zip(offsets, special, strict=True)):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if end <= start or is_special:
            continue
        last = found[-1][1] if found and unit is not Unit.PIECE else 0
        if last and all(inner[last : start + 1]):  # several pieces may stand for parts of one letter, and none for a soft hyphen
            found[-1] = (found[-1][0], max(last, end))
        else:
            counted[at] = True
            found.append((start, end))
    return counted, np.array(found, dtype=np.int64).reshape(-1, 2)


def tag(spans: Sequence[Span], offsets: Ints) -> Ints:
    """The tag of each token (T,): of the span that it overlaps, the first of them where it overlaps two."""
    found = np.zeros(len(offsets), dtype=np.int64)
    for start, end, label in spans:
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start) & (found == 0))
        if len(inside):
            found[inside] = 2 + 2 * label
            found[inside[0]] = 1 + 2 * label
    return found


def unreachable(spans: Sequence[Span], offsets: Ints, *, cut: bool) -> tuple[int, int]:
    """(beyond, inexact): spans that end behind the last token that is read of a text that was cut, and others that begin or end where
    no token does: within one, or at white space and characters that the tokenizer drops."""
    last = int(offsets[-1, 1]) if len(offsets) else 0
    starts, ends = set(offsets[:, 0].tolist()), set(offsets[:, 1].tolist())
    beyond = [cut and end > last for _, end, _ in spans]
    inexact = [start not in starts or end not in ends for start, end, _ in spans]
    return sum(beyond), sum(one and not other for one, other in zip(inexact, beyond, strict=True))


def likeliest(probabilities: Sequence[Floats]) -> list[Ints]:
    """The likeliest tags of each text (T,) in which no span goes on that has not begun (Viterbi). probabilities: (T, K) of each."""
    found: list[Ints] = [np.zeros(0, dtype=np.int64)] * len(probabilities)
    order = sorted(range(len(probabilities)), key=lambda row: -len(probabilities[row]))
    start = 0
    while start < len(order) and (longest := len(probabilities[order[start]])):
        kinds = probabilities[order[start]].shape[1]
        rows = order[start : start + max(1, min(AT_ONCE, CELLS // (longest * kinds)))]
        start += len(rows)
        logs = np.full((len(rows), longest, kinds), -np.inf)
        logs[:, :, 0] = 0.0  # behind a text's end nothing is marked
        for at, row in enumerate(rows):
            logs[at, : len(probabilities[row])] = np.log(np.maximum(probabilities[row], 1e-300))
        best = _viterbi(logs)
        for at, row in enumerate(rows):
            found[row] = best[at, : len(probabilities[row])]
    return found


def _viterbi(logs: Floats) -> Ints:
    """The best allowed tags (N, T) of log-probabilities (N, T, K)."""
    count, length, kinds = logs.shape
    begins, inner, every = np.arange(1, kinds, 2), np.arange(2, kinds, 2), np.arange(count)
    score = logs[:, 0].copy()
    score[:, inner] = -np.inf
    came = np.zeros((count, length, kinds), dtype=np.int16)  # up to a thousand classes
    for at in range(1, length):
        top = score.argmax(axis=1)
        before = np.repeat(top[:, None], kinds, axis=1)
        before[:, inner] = np.where(score[:, inner] >= score[:, begins], inner, begins)
        came[:, at] = before
        score = np.take_along_axis(score, before, axis=1) + logs[:, at]
    path = np.zeros((count, length), dtype=np.int64)
    path[:, -1] = score.argmax(axis=1)
    for at in range(length - 1, 0, -1):
        path[:, at - 1] = came[every, at, path[:, at]]
    return path


def find(probabilities: Tokens) -> list[list[Found]]:
    """The spans of each text, by its likeliest tags."""
    every = likeliest(probabilities.values)
    return [_read(*each) for each in zip(every, probabilities.values, probabilities.offsets, strict=True)]


def _read(chosen: Ints, values: Floats, offsets: Ints) -> list[Found]:
    found: list[Found] = []
    sure = values[np.arange(len(chosen)), chosen]
    for first in np.flatnonzero(chosen % 2 == 1):
        label, last = int(chosen[first]) // 2, int(first) + 1
        while last < len(chosen) and chosen[last] == 2 + 2 * label:
            last += 1
        found.append(Found(int(offsets[first, 0]), int(offsets[last - 1, 1]), label, float(sure[first:last].min())))
    return found
