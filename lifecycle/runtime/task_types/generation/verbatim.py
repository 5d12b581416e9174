"""Verbatim copying: the longest run of words that a response shares with a training completion.

Words are those of `words.words`. Runs that also occur in the row's prompt aren't counted, as the prompt gave
them away. Carlini et al. 2021 (arXiv:2012.07805) search for such runs with known texts; here the known texts
are the training completions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.runtime.statistics.words import words

COPIED = 12  # minimum number of consecutive words for a response to count as copied
# how many places with the same SEED words are followed; with more, only the first ones are searched
PLACES = 200
SEED = 4  # shorter runs aren't searched: they are common


@dataclass(frozen=True)
class Run:
    """A run of words shared with a training row. row: its number; -1 if no run of SEED or more words is
    shared.
    """

    words: int
    row: int
    text: str


NONE = Run(0, -1, "")


class CopyIndex:
    """An index of training completions for a given set of responses.

    It contains only passages that start like part of these responses: indexing every place in 100,000 long
    completions would take gigabytes.
    """

    def __init__(self, completions: Iterable[str], answers: Iterable[str]) -> None:
        self.places: dict[tuple[str, ...], list[tuple[int, int]]] = {
            seed: [] for each in answers for seed in _seeds(words(each))
        }
        self.rows: dict[int, list[str]] = {}
        for number, completion in enumerate(completions):
            row = words(completion)
            for at, seed in enumerate(_seeds(row)):
                if (known := self.places.get(seed)) is not None and len(known) < PLACES:
                    known.append((number, at))
                    self.rows[number] = row

    def longest(self, answer: str, prompt: str) -> Run:
        """The longest run that a response shares with a completion but not with its prompt; ties go to the
        first.

        Raises KeyError for other responses, which aren't indexed.
        """
        response, asked = words(answer), f" {' '.join(words(prompt))} "
        best = NONE
        for start, seed in enumerate(_seeds(response)):
            for number, at in self.places[seed]:
                row = self.rows[number]
                if (
                    best.words
                    and response[start + best.words : start + best.words + 1]
                    != row[at + best.words : at + best.words + 1]
                ):
                    continue  # can't be longer than the best
                length = SEED
                while (
                    start + length < len(response)
                    and at + length < len(row)
                    and response[start + length] == row[at + length]
                ):
                    length += 1
                text = " ".join(response[start : start + length])
                if length > best.words and f" {text} " not in asked:
                    best = Run(length, number, text)
        return best


def _seeds(row: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every SEED consecutive words, in order."""
    return (tuple(row[at : at + SEED]) for at in range(len(row) - SEED + 1))


def has_run(completion: str, run: str) -> bool:
    """Whether a run of words, as in `Run.text`, occurs in a completion."""
    return bool(run) and f" {run} " in f" {' '.join(words(completion))} "


def share_copied(found: Sequence[Run]) -> float:
    """The share of responses, 0 to 1."""
    return sum(each.words >= COPIED for each in found) / len(found) if found else 0.0


def report(answers: list[Run], references: list[Run]) -> dict[str, Any]:
    """words: minimum length of a copied run; share: of responses and of references with one; longest: in
    words.
    """
    return {
        "words": COPIED,
        "share": share_copied(answers),
        "rows": sum(each.words >= COPIED for each in answers),
        "longest": max(each.words for each in answers),
        "reference_share": share_copied(references),
        "reference_longest": max(each.words for each in references),
    }
