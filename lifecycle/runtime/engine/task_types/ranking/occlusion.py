"""Which words support a response: each is left out in turn, and the responses are scored again.

As `occlusion`; a word of the prompt is left out for every response, a word of a response for that one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lifecycle.runtime.engine.occlusion import MOST_WORDS, Word, left_out, spans

ROOM = 1_000  # code points behind what is read
Scores = Callable[[Sequence[tuple[str, str]]], NDArray[np.float64]]


@dataclass(frozen=True)
class ResponseExplanation:
    """answer: number of the response from 0. log_odds: its lead, its strength minus that of the best other
    one, which by Bradley and Terry is the log-odds that it is the better of the two; below 0 where the other
    is stronger. empty: the lead without any of these words.

    prompt, words: those of the prompt and of the response that were left out, in order; an effect is how much
    the lead falls. found: words of both, of which the first were taken.
    """

    answer: int
    log_odds: float
    empty: float
    prompt: tuple[Word, ...]
    words: tuple[Word, ...]
    found: int


def explain_responses(
    scores: Scores, prompt: str, responses: Sequence[str], ends: Sequence[int], *, most: int = MOST_WORDS
) -> tuple[ResponseExplanation, ...]:
    """Of each response, the strongest first; of equal ones the first.

    scores: (N,) of N pairs of a prompt and a response, divided by the temperature. ends: how many code points
    the model reads of the prompt and of each response; words behind them are not taken. most: words of all
    these texts together; those of the longest give way.
    """
    places = [spans(text) for text in (prompt, *responses)]
    read = [[place for place in each if place[0] < end] for each, end in zip(places, ends, strict=True)]
    counts = shared_out([len(each) for each in read], most)
    asked, *own = [each[:count] for each, count in zip(read, counts, strict=True)]
    prompts = left_out(near(prompt, ends[0]), asked)
    altered = [
        left_out(near(response, end), taken)
        for response, end, taken in zip(responses, ends[1:], own, strict=True)
    ]
    pairs = [(text, whole) for text in prompts for whole, *_ in altered]
    pairs += [(prompts[1], texts[1]) for texts in altered]
    pairs += [(prompts[0], text) for texts in altered for text in texts[2:]]
    found, size = np.asarray(scores(pairs), dtype=np.float64), len(responses)
    table = found[: len(prompts) * size].reshape(len(prompts), size)  # (2 + words of the prompt, M)
    bare = found[len(prompts) * size :][:size]
    alone = np.split(found[(len(prompts) + 1) * size :], np.cumsum([len(taken) for taken in own])[:-1])
    explained = []
    for at in sorted(range(size), key=lambda each: (-table[0, each], each)):
        best_other = np.delete(table, at, axis=1).max(axis=1)  # (2 + words of the prompt,)
        leads = table[:, at] - best_other
        explained.append(
            ResponseExplanation(
                at,
                float(leads[0]),
                float(bare[at] - best_other[1]),
                tuple(
                    Word(*place, float(leads[0] - lead)) for place, lead in zip(asked, leads[2:], strict=True)
                ),
                tuple(
                    Word(*place, float(table[0, at] - score))
                    for place, score in zip(own[at], alone[at], strict=True)
                ),
                len(places[0]) + len(places[1 + at]),
            )
        )
    return tuple(explained)


def near(text: str, end: int) -> str:
    """As much of a text as may be read of it when words are left out. end: how far the whole text is read."""
    return text[: 2 * end + ROOM]


def shared_out(counts: Sequence[int], most: int) -> list[int]:
    """How many are taken of each, `most` in all: of those that have more than the others, equally many."""
    found = [0] * len(counts)
    for place, at in enumerate(sorted(range(len(counts)), key=lambda each: counts[each])):
        found[at] = min(counts[at], most // (len(counts) - place))
        most -= found[at]
    return found


def read_ends(tokenizer: Tokenizer, prompt: str, responses: Sequence[str]) -> list[int]:
    """How many code points are read of the prompt, with whichever response most, and of each response."""
    pairs = [tokenizer.encode(prompt, response) for response in responses]
    ends = [
        [
            max(
                (end for (_, end), of in zip(pair.offsets, pair.sequence_ids, strict=True) if of == side),
                default=0,
            )
            for pair in pairs
        ]
        for side in (0, 1)
    ]
    return [max(ends[0]), *ends[1]]
