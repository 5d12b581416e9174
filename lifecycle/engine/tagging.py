"""Marked parts of texts as a tag for each token, and tags as marked parts. numpy only.

Tags are IOB2: 0 is O, 1 + 2c begins a span of class c, 2 + 2c goes on with it. Every token of a span carries a tag, also the later pieces
of a word, so that what is read back is made of whole tokens and has exact places in its text. Spans are (start, end, class), in code
points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Span = tuple[int, int, int]

AT_ONCE = 256  # texts whose best tags are looked for together
CELLS = 8_000_000  # texts × tokens × tags that are decoded at once, 10 bytes each


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


def places(text: str, offsets: Sequence[Sequence[int]], special: Sequence[int]) -> tuple[NDArray[np.bool_], Ints]:
    """Which tokens stand for text (T,), and where those stand (T', 2), without the white space that some tokenizers add to a token."""
    counted, found = np.zeros(len(offsets), dtype=np.bool_), []
    for at, ((start, end), is_special) in enumerate(zip(offsets, special, strict=True)):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if end > start and not is_special:
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
