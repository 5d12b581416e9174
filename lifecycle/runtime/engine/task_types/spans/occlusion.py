"""Which words around a span support it: each is left out in turn, and the part is scored at its new position.

As `occlusion`; a span's own words are not left out, since without them it is another span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lifecycle.runtime.engine.occlusion import MOST_WORDS, Word, log_odds, spans, without
from lifecycle.runtime.statistics.calibration import softmax
from lifecycle.runtime.task_types.spans.tagging import Found, Tokens, find, tag

MOST_PARTS = 8
NOWHERE = -20.0  # log-odds of a part that no token covers
Place = tuple[int, int]


@dataclass(frozen=True)
class PartExplanation:
    """answer: number of the part's class; start, end, confidence: as it was found. log_odds: of the part in
    its place, for the whole text; empty: for the text without any of these words. words: those around it that
    were left out, in order. found: all words around it, of which the first were taken.
    """

    answer: int
    start: int
    end: int
    confidence: float
    log_odds: float
    empty: float
    words: tuple[Word, ...]
    found: int


def explain_parts(
    logits: Callable[[Sequence[str]], Tokens], text: str, *, end: int | None = None, most: int = MOST_WORDS
) -> tuple[PartExplanation, ...]:
    """Of the MOST_PARTS surest parts that are found in a text, in order; none where nothing is found.

    logits: of the tags of each text's tokens, divided by the temperature. end, most: as of occlusion.explain.
    """
    every = spans(text)
    taken = [place for place in every if end is None or place[0] < end][:most]
    whole_text = logits([text])
    (found,) = find(
        replace(whole_text, values=tuple(softmax(each) if len(each) else each for each in whole_text.values))
    )
    chosen = sorted(
        sorted(found, key=lambda each: -each.confidence)[:MOST_PARTS], key=lambda each: each.start
    )
    if not chosen:
        return ()
    around = [beside(taken, each) for each in chosen]
    asked = logits(
        [text, *(without(text, cut) for cut in around), *(without(text, [place]) for place in taken)]
    )
    alone = {place: 1 + len(chosen) + at for at, place in enumerate(taken)}
    explained = []
    for number, (each, words) in enumerate(zip(chosen, around, strict=True)):
        whole = part_odds(asked, 0, each, [])
        effects = tuple(
            Word(*place, whole - part_odds(asked, alone[place], each, [place])) for place in words
        )
        empty = part_odds(asked, 1 + number, each, words)
        explained.append(
            PartExplanation(
                each.label,
                each.start,
                each.end,
                each.confidence,
                whole,
                empty,
                effects,
                len(beside(every, each)),
            )
        )
    return tuple(explained)


def beside(places: Sequence[Place], part: Found) -> list[Place]:
    """The words that are none of a part's own."""
    return [place for place in places if place[1] <= part.start or part.end <= place[0]]


def part_odds(asked: Tokens, row: int, part: Found, cut: Sequence[Place]) -> float:
    """The log-odds of a part in one of the texts: the least of the tags that its tokens carry, as its
    confidence is the least probability.

    cut: what that text lacks, nothing of the part. NOWHERE where no token is in its place.
    """
    before = sum(stop - start for start, stop in cut if stop <= part.start)
    tags = tag([(part.start - before, part.end - before, part.label)], asked.offsets[row])
    odds = [float(log_odds(asked.values[row][[at]], int(tags[at]))[0]) for at in np.flatnonzero(tags)]
    return min(odds, default=NOWHERE)


def tempered(logits: Tokens, temperature: float) -> Tokens:
    """Divided by the temperature."""
    return replace(logits, values=tuple(each / temperature for each in logits.values))
