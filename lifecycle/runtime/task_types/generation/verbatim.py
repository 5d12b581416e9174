"""Whether answers repeat what was learnt word for word: the longest run of words that an answer shares with a training completion.

Words are those of `words.words`. A run that stands in the row's own prompt too is not counted: the prompt gave it away. Carlini et al. 2021
(arXiv:2012.07805) look for such runs by searching with known texts; here the known texts are the training completions themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.statistics.words import words

COPIED = 12  # words in a row from which on an answer counts as copied
PLACES = 200  # of the same SEED words that are followed: what begins alike in more completions is looked for in the first ones
SEED = 4  # shorter shared runs are not looked for: they are everybody's


@dataclass(frozen=True)
class Run:
    """A run of words that an answer shares with a training row. row: its number; -1 where none of SEED words or more is shared."""

    words: int
    row: int
    text: str


NONE = Run(0, -1, "")


class Learnt:
    """Training completions, ready to be searched for what some answers share with them.

    Only what begins like a part of these answers is kept: all places of 100,000 long completions would take gigabytes.
    """

    def __init__(self, completions: Iterable[str], answers: Iterable[str]) -> None:
        self.places: dict[tuple[str, ...], list[tuple[int, int]]] = {seed: [] for each in answers for seed in _seeds(words(each))}
        self.rows: dict[int, list[str]] = {}
        for number, completion in enumerate(completions):
            row = words(completion)
            for at, seed in enumerate(_seeds(row)):
                if (known := self.places.get(seed)) is not None and len(known) < PLACES:
                    known.append((number, at))
                    self.rows[number] = row

    def longest(self, answer: str, prompt: str) -> Run:
        """The longest run that one of the answers shares with a completion and not with its own prompt; of equal ones the first.

        Raises KeyError for another answer, of which no place may be known.
        """
        said, asked = words(answer), f" {' '.join(words(prompt))} "
        best = NONE
        for start, seed in enumerate(_seeds(said)):
            for number, at in self.places[seed]:
                row = self.rows[number]
                if best.words and said[start + best.words : start + best.words + 1] != row[at + best.words : at + best.words + 1]:
                    continue  # it cannot be longer than the best
                length = SEED
                while start + length < len(said) and at + length < len(row) and said[start + length] == row[at + length]:
                    length += 1
                text = " ".join(said[start : start + length])
                if length > best.words and f" {text} " not in asked:
                    best = Run(length, number, text)
        return best


def _seeds(row: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Each SEED words in a row, from the first on."""
    return (tuple(row[at : at + SEED]) for at in range(len(row) - SEED + 1))


def holds(completion: str, run: str) -> bool:
    """Whether a run of words, as `Run.text` has it, stands in a completion."""
    return bool(run) and f" {run} " in f" {' '.join(words(completion))} "


def share_copied(found: Sequence[Run]) -> float:
    """Of the answers, 0 to 1."""
    return sum(each.words >= COPIED for each in found) / len(found) if found else 0.0


def report(answers: list[Run], references: list[Run]) -> dict[str, Any]:
    """words: from which on an answer is copied; share: of the answers that are, and of the references; longest: in words."""
    return {
        "words": COPIED,
        "share": share_copied(answers),
        "rows": sum(each.words >= COPIED for each in answers),
        "longest": max(each.words for each in answers),
        "reference_share": share_copied(references),
        "reference_longest": max(each.words for each in references),
    }
