"""Converting between spans and token tags. Only numpy.

Tags are IOB2: 0 is O, 1 + 2c starts a span of label c, 2 + 2c continues it. Every token of a span has a tag,
so decoded spans consist of whole tokens with exact places in the text. Spans are (start, end, label), in code
points.

If spans align with words, each word has one tag, predicted at its first piece (Devlin et al. 2019, §5.3), so
later pieces can't contradict it. The largest aligned unit is used, so that an address or a hyphenated name
has one tag.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Span = tuple[int, int, int]

AT_ONCE = 256  # batch size of decoding, in texts
CELLS = 8_000_000  # texts × tokens × tags decoded at once, 10 bytes each
WITHIN = 0.01  # share of spans that may start or end within a unit
OF_A_CLASS = 0.5  # the same for a single label, which couldn't be learned otherwise
BETWEEN_SPACES = re.compile(r"\S+")
QUOTES = "\"'`“”„‟‘’‚‛«»‹›「」『』《》〈〉【】"  # some open in one language and close in another
OPENING = QUOTES + "([{<¿¡"  # not part of the word that follows or precedes
CLOSING = QUOTES + ")]}>.,:;!?…。，、！？：；।،؛؟"


class Unit(StrEnum):
    """The unit with its own tag. PIECE: a token of the tokenizer. WORD: a run of letters, with their marks,
    and digits. SPACED: text between spaces without surrounding brackets, quotes, and trailing punctuation.
    """

    PIECE = "piece"
    WORD = "word"
    SPACED = "spaced"

    @property
    def sentence(self) -> str:
        """A description for users."""
        return {
            Unit.PIECE: "Spans are predicted by the tokenizer's word pieces.",
            Unit.WORD: (
                "Spans are predicted by runs of letters and digits: almost all of them start and end at their"
                " boundaries."
            ),
            Unit.SPACED: (
                "Spans are predicted by text between spaces: almost all of them start and end at its"
                " boundaries."
            ),
        }[self]


@dataclass(frozen=True)
class Tokens:
    """A model's outputs for the tokens of texts, without special tokens. values: (T, K) of each text, K tags;
    offsets: int64 (T, 2), start and end of each token without surrounding white space. cut: whether a text
    exceeds the maximum length; empty: none does.
    """

    values: tuple[NDArray[Any], ...]
    offsets: tuple[Ints, ...]
    cut: tuple[bool, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: int) -> NDArray[Any]:
        return self.values[row]


@dataclass(frozen=True)
class Marked:
    """The spans of a text, in order and without overlaps. overlapping: how many were left out because they
    overlap a longer one.
    """

    spans: tuple[Span, ...]
    overlapping: int = 0


@dataclass(frozen=True)
class Found:
    """A predicted span. confidence: the lowest probability of its tokens' tags."""

    start: int
    end: int
    label: int
    confidence: float

    @property
    def span(self) -> Span:
        """Without the confidence."""
        return self.start, self.end, self.label


def tags(classes: int) -> int:
    """The number of texts."""
    return 1 + 2 * classes


def without_overlap(spans: Sequence[Span]) -> Marked:
    """Spans in order, without those that overlap a longer or an earlier equally long one."""
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda each: (each[0] - each[1], each)):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return Marked(tuple(sorted(kept)), len(spans) - len(kept))


def unit_of(texts: Sequence[str], marked: Sequence[Marked]) -> Unit:
    """The largest unit that spans align with; pieces in scripts without spaces between words."""
    return next((unit for unit in (Unit.SPACED, Unit.WORD) if keeps_to(unit, texts, marked)), Unit.PIECE)


def keeps_to(unit: Unit, texts: Sequence[str], marked: Sequence[Marked]) -> bool:
    """Whether almost no span starts or ends within a unit, and for no label more than half do."""
    spans: Counter[int] = Counter()
    within: Counter[int] = Counter()
    for text, each in zip(texts, marked, strict=True):
        if each.spans:
            inner = inner_places(text, unit)
            spans.update(label for *_, label in each.spans)
            within.update(label for start, end, label in each.spans if inner[start] or inner[end])
    is_learnable = all(count <= OF_A_CLASS * spans[label] for label, count in within.items())
    return is_learnable and within.total() <= WITHIN * spans.total()


def inner_places(text: str, unit: Unit) -> list[bool]:
    """For each place of a text, from 0 to its length, whether it is inside a unit larger than a piece."""
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


def places(
    text: str, offsets: Sequence[Sequence[int]], special: Sequence[int], unit: Unit = Unit.PIECE
) -> tuple[NDArray[np.bool_], Ints]:
    """Which tokens represent text (T,), and their places (T', 2), without the white space that some
    tokenizers add.

    The first piece of a unit represents all of it that is read.
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
        # several pieces may represent parts of one letter, and none a soft hyphen
        if last and all(inner[last : start + 1]):
            found[-1] = (found[-1][0], max(last, end))
        else:
            counted[at] = True
            found.append((start, end))
    return counted, np.array(found, dtype=np.int64).reshape(-1, 2)


def of_tokens(
    texts: Sequence[str], encodings: Sequence[Any], found: Sequence[NDArray[Any]], unit: Unit
) -> Tokens:
    """Outputs for the tokens that represent text. encodings: of the texts, from tokenizers; found: (T, K) of
    every token of each text.
    """
    placed = [
        places(text, each.offsets, each.special_tokens_mask, unit)
        for text, each in zip(texts, encodings, strict=True)
    ]
    values = [every[counted] for every, (counted, _) in zip(found, placed, strict=True)]
    return Tokens(
        tuple(values),
        tuple(where for _, where in placed),
        tuple(bool(each.overflowing) for each in encodings),
    )


def tag(spans: Sequence[Span], offsets: Ints) -> Ints:
    """The tag of each token (T,): that of the span it overlaps, the first of two."""
    found = np.zeros(len(offsets), dtype=np.int64)
    for start, end, label in spans:
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start) & (found == 0))
        if len(inside):
            found[inside] = 2 + 2 * label
            found[inside[0]] = 1 + 2 * label
    return found


def unreachable(spans: Sequence[Span], offsets: Ints, *, cut: bool) -> tuple[int, int]:
    """(beyond, inexact): spans that end after the last token of a truncated text, and others that start or
    end within a token, or at white space or characters that the tokenizer drops.
    """
    last = int(offsets[-1, 1]) if len(offsets) else 0
    starts, ends = set(offsets[:, 0].tolist()), set(offsets[:, 1].tolist())
    beyond = [cut and end > last for _, end, _ in spans]
    inexact = [start not in starts or end not in ends for start, end, _ in spans]
    return sum(beyond), sum(one and not other for one, other in zip(inexact, beyond, strict=True))


def likeliest(probabilities: Sequence[Floats]) -> list[Ints]:
    """The most likely valid tags of each text (T,): no span continues without a start (Viterbi).
    probabilities: (T, K) of each.
    """
    found: list[Ints] = [np.zeros(0, dtype=np.int64)] * len(probabilities)
    order = sorted(range(len(probabilities)), key=lambda row: -len(probabilities[row]))
    start = 0
    while start < len(order) and (longest := len(probabilities[order[start]])):
        kinds = probabilities[order[start]].shape[1]
        rows = order[start : start + max(1, min(AT_ONCE, CELLS // (longest * kinds)))]
        start += len(rows)
        logs = np.full((len(rows), longest, kinds), -np.inf)
        logs[:, :, 0] = 0.0  # O after the end of a text
        for at, row in enumerate(rows):
            logs[at, : len(probabilities[row])] = np.log(np.maximum(probabilities[row], 1e-300))
        best = _viterbi(logs)
        for at, row in enumerate(rows):
            found[row] = best[at, : len(probabilities[row])]
    return found


def _viterbi(logs: Floats) -> Ints:
    """The best valid tags (N, T) of log-probabilities (N, T, K)."""
    count, length, kinds = logs.shape
    begins, inner, every = np.arange(1, kinds, 2), np.arange(2, kinds, 2), np.arange(count)
    score = logs[:, 0].copy()
    score[:, inner] = -np.inf
    origins = np.zeros((count, length, kinds), dtype=np.int16)  # up to a thousand labels
    for at in range(1, length):
        top = score.argmax(axis=1)
        before = np.repeat(top[:, None], kinds, axis=1)
        before[:, inner] = np.where(score[:, inner] >= score[:, begins], inner, begins)
        origins[:, at] = before
        score = np.take_along_axis(score, before, axis=1) + logs[:, at]
    path = np.zeros((count, length), dtype=np.int64)
    path[:, -1] = score.argmax(axis=1)
    for at in range(length - 1, 0, -1):
        path[:, at - 1] = origins[every, at, path[:, at]]
    return path


def find(probabilities: Tokens) -> list[list[Found]]:
    """The spans of each text, from its most likely tags."""
    every = likeliest(probabilities.values)
    return [_read(*each) for each in zip(every, probabilities.values, probabilities.offsets, strict=True)]


def _read(chosen: Ints, values: Floats, offsets: Ints) -> list[Found]:
    found: list[Found] = []
    sure = values[np.arange(len(chosen)), chosen]
    for first in np.flatnonzero(chosen % 2 == 1):
        label, last = int(chosen[first]) // 2, int(first) + 1
        while last < len(chosen) and chosen[last] == 2 + 2 * label:
            last += 1
        found.append(
            Found(int(offsets[first, 0]), int(offsets[last - 1, 1]), label, float(sure[first:last].min()))
        )
    return found
