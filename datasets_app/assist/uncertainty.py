"""When the built-in model is retrained, and in which order items are labeled so that it learns most. Pure.

Items are ordered by the margin between the two likeliest classes, the smallest first (Scheffer, Decomain and
Wrobel, 2001; Settles, Active Learning Literature Survey, 2009, section 3.1). A sample that only holds what a
model is unsure of drifts away from the data (Dasgupta and Hsu, 2008), so every tenth item is drawn by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

CLASSES = 2  # labels that need enough annotations before the first training
ANSWERS = 5  # annotations that are enough for one label
STEP, SHARE = 20, 0.10  # annotations from one fit to the next, at least
WAITING_STEP = 10  # annotations from one check to the next before the first training
GAP = timedelta(minutes=3)
CHANCE = 10  # one of this many items is drawn at random
FEW = 20  # rows below which a cross-validated accuracy isn't meaningful


@dataclass(frozen=True, slots=True)
class LastFit:
    """The last fit. annotations: annotations at that time. trained: whether there were enough of them."""

    annotations: int
    trained: bool
    at: datetime


def next_fit_at(last: LastFit | None) -> int:
    """The number of annotations at which the model is retrained: 20 or a tenth more than last time, whichever
    is more.
    """
    if last is None:
        return CLASSES * ANSWERS
    if not last.trained:
        return last.annotations + WAITING_STEP
    return last.annotations + max(STEP, math.ceil(last.annotations * SHARE))


def fit_is_due(
    last: LastFit | None, *, annotations: int, imported: bool, waiting: bool, now: datetime
) -> bool:
    """Whether to train now; never sooner than three minutes after the last time.

    imported: whether there are imported labels, so training can start before any annotation. waiting: whether
    a queue isn't ordered by the last fit yet.
    """
    if last is None:
        return imported or annotations >= next_fit_at(None)
    if now - last.at < GAP:
        return False
    return annotations >= next_fit_at(last) or (waiting and last.trained)


def enough(counts: Iterable[int]) -> bool:
    """Whether two labels have five annotations each. counts: annotations of each label."""
    return sum(count >= ANSWERS for count in counts) >= CLASSES


def order(margins: Sequence[float], chance: Sequence[int]) -> list[int]:
    """The indices of the items in labeling order: smallest margin first, every tenth drawn at random.

    margins: 0 to 1, of each item. chance: a fixed random number of each item; it breaks ties too.
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
