"""When the built-in model learns again, and in which order items are labeled so that it learns most. Pure.

Items are ordered by the margin between the two likeliest classes, the smallest first (Scheffer, Decomain and Wrobel, 2001; Settles,
Active Learning Literature Survey, 2009, section 3.1). A sample that only holds what a model is unsure of drifts away from the data
(Dasgupta and Hsu, 2008), so every tenth item is drawn by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

CLASSES = 2  # that need enough answers before anything is learnt
ANSWERS = 5  # that are enough for one class
STEP, SHARE = 20, 0.10  # answers from one fit to the next, at least
WAITING_STEP = 10  # answers from one look to the next while nothing has been learnt
GAP = timedelta(minutes=3)
CHANCE = 10  # every so many items is drawn by chance
FEW = 20  # rows below which a cross-validated accuracy says too little


@dataclass(frozen=True, slots=True)
class Before:
    """The last fit. answers: that there were. learnt: whether there were enough of them."""

    answers: int
    learnt: bool
    at: datetime


def next_fit_at(before: Before | None) -> int:
    """The number of answers at which the model learns again: 20 or a tenth more than the last time, whichever is more."""
    if before is None:
        return CLASSES * ANSWERS
    if not before.learnt:
        return before.answers + WAITING_STEP
    return before.answers + max(STEP, math.ceil(before.answers * SHARE))


def fit_is_due(before: Before | None, *, answers: int, imported: bool, waiting: bool, now: datetime) -> bool:
    """Whether to learn now; never sooner than three minutes after the last time.

    imported: whether decisions came with a file, so training can start before any annotation. waiting: whether a queue
    has no order of the last fit yet.
    """
    if before is None:
        return imported or answers >= next_fit_at(None)
    if now - before.at < GAP:
        return False
    return answers >= next_fit_at(before) or (waiting and before.learnt)


def enough(counts: Iterable[int]) -> bool:
    """Whether two classes have five answers each. counts: answers of each class."""
    return sum(count >= ANSWERS for count in counts) >= CLASSES


def order(margins: Sequence[float], chance: Sequence[int]) -> list[int]:
    """The numbers of the items as they are to be labeled: the smallest margin first, every tenth drawn by chance.

    margins: 0 to 1, of each item. chance: a number of each item that is drawn once and for all; it settles ties too.
    """
    unsure = iter(sorted(range(len(margins)), key=lambda item: (margins[item], chance[item])))
    drawn = iter(sorted(range(len(margins)), key=lambda item: chance[item]))
    taken: set[int] = set()
    found: list[int] = []
    while len(found) < len(margins):
        source = drawn if len(found) % CHANCE == CHANCE - 1 else unsure
        item = next(each for each in source if each not in taken)
        taken.add(item)
        found.append(item)
    return found
