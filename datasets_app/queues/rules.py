"""Pure decisions about labels: what makes a schema, which slot an answer fills, when annotators agree, what
undo takes back.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from uuid import UUID

import numpy as np

from datasets_app.schemas.rules import ClassesNow, through
from lifecycle.runtime.statistics import clustered, sequences
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.task_types.answers import Value, canonical
from lifecycle.runtime.task_types.values import contested, labels_of

LEASE = timedelta(minutes=15)
RETURN_LEASE = timedelta(hours=24)  # how long a returned item is reserved for the same person
HAND = 5  # items that a labeling page holds: the one shown and the next ones
ENOUGH = 3  # a page that still holds this many gets no more, so every third annotation fetches the next three
UNDO_DEPTH = 20


def decision_digest(
    *, item: str, value: Value, names: Mapping[str, str], how: str, by: UUID | None, supersedes: str
) -> str:
    """sha256, in hex, over the item's digest, the resolved label, how, who (empty: automatic), and the
    superseded digest.

    The resolved label: its stable id and name; for other tasks the canonical value and the names of its
    labels in their order.
    """
    label = value["label"] if set(value) == {"label"} else canonical(value)
    parts = [item, label, ", ".join(names[key] for key in labels_of(value)), how, str(by or ""), supersedes]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()


def is_hidden(queue: UUID, item_digest: str, share: int) -> bool:
    """Whether pre-labels of this item are hidden in this queue; the same for everyone, on `share` percent of
    items.
    """
    mark = hashlib.sha256(f"{queue}:{item_digest}".encode()).digest()
    return int.from_bytes(mark[:4], "big") % 100 < share


RANGE = 1_000_000  # places are whole numbers from 0 to here


def random_place(queue: UUID, item: int) -> int:
    """The place of an item in a queue in random order: 0 to a million, always the same for the same queue and
    item.
    """
    return int.from_bytes(hashlib.sha256(f"{queue}:{item}".encode()).digest()[:8], "big") % RANGE


def uncertain_place(score: float | None) -> int:
    """The place of an item by its first pre-label's score, 0 to 1: least confident first, without a score
    last.
    """
    return RANGE if score is None else round(min(max(score, 0.0), 1.0) * (RANGE - 1))


def disputed_place(bits: float) -> int:
    """The place of an item by the entropy of its annotations in bits: widest split first, undisputed last."""
    return round((RANGE - 1) / (1 + bits)) if bits > 0 else RANGE


def disagreement(votes: Sequence[Hashable]) -> float:
    """The entropy of the votes of several sources or people on one item, in bits; 0 where they agree or there
    is one.

    Dagan and Engelson, 1995; Settles, Active Learning Literature Survey, 2009, section 3.2.
    """
    counts = Counter(votes).values()
    total = sum(counts)
    return sum(-count / total * math.log2(count / total) for count in counts) if len(counts) > 1 else 0.0


def side_order(queue: UUID, item_digest: str, person: UUID, count: int) -> list[int]:
    """The order in which this person sees an item's responses: random over items and people, always the same
    for both.
    """

    def place(number: int) -> bytes:
        return hashlib.sha256(f"{queue}:{item_digest}:{person}:{number}".encode()).digest()

    return sorted(range(count), key=place)


# ── Gold ────────────────────────────────────────────────────────────────────
GOLD_MOST = 30  # percent of a person's items
GOLD_PLACES = 2**31  # places of gold: from 0 to below this
GOLD_FEWEST = 20  # annotations from which an accuracy is meaningful
NO_GOLD = "Generated text can be good in many ways, so this task has no correct annotation and no gold items."
SUSPECT_FROM = 5  # annotations from which gold that most get wrong is suspicious


def is_gold_place(seed: bytes, place: int, rate: int) -> bool:
    """Whether a person's item at this place is gold: random, with `rate` percent, independent of other
    places.
    """
    mark = hashlib.sha256(seed + b"place" + str(place).encode()).digest()
    return int.from_bytes(mark[:8], "big") % 100 < rate


def gold_accuracy(right: int, done: int) -> Interval | None:
    """Gold accuracy with a 95 % confidence sequence, valid at every look; None below GOLD_FEWEST annotations.

    It's checked after each annotation: of people exactly at a minimum, fewer than 5 % ever have an upper end
    below it.
    """
    if done < GOLD_FEWEST:
        return None
    return Interval(right / done, *sequences.share(right, done))


def gold_of_class(cells: Sequence[Sequence[int]]) -> tuple[int, int, Interval | None]:
    """(annotations, correct ones, accuracy) of a gold label; accuracy is None below GOLD_FEWEST annotations.

    cells: [correct annotations, annotations, items with these counts]. Items that one person gets wrong
    others get wrong too, so the annotations count as the effective number of independent ones over items;
    with one annotation per item that is their number.
    """
    found = clustered.sums(*np.repeat([each[:2] for each in cells], [each[2] for each in cells], axis=0).T)
    done, rows = int(found.below), clustered.effective(found)
    share = Interval(found.value, *sequences.share(found.value * rows, rows)) if done >= GOLD_FEWEST else None
    return done, int(found.above), share


def gold_start(seed: bytes, place: int) -> int:
    """The place from which gold is drawn for this position: 0 to below GOLD_PLACES."""
    return (
        int.from_bytes(hashlib.sha256(seed + b"start" + str(place).encode()).digest()[:8], "big")
        % GOLD_PLACES
    )


def is_right(value: Value, known: Value, now: ClassesNow) -> bool:
    """Whether a value equals the gold value, with current labels: the same label, set, spans (F1 of 1),
    choice, or ranking.
    """
    return canonical(through(value, now)) == canonical(through(known, now))


def shown_total(total: int, done: int, gold_done: int, rate: int) -> int:
    """The number of needed annotations to show for a queue with gold, so that every annotation, gold or not,
    counts towards it.
    """
    if done >= total:
        return done + gold_done
    return total + max(gold_done, total * rate // (100 - rate))


def coarse(number: int) -> int:
    """A figure rounded down to tens, for people who mustn't see single annotations in it."""
    return number // 10 * 10


# ── Slots ───────────────────────────────────────────────────────────────────
class SlotState(IntEnum):
    """As in Slot.State."""

    OPEN = 0
    LEASED = 1
    DONE = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """The fields of a slot that rules need."""

    pk: int
    state: int
    user: int | None
    is_gold: bool = False


def slot_for(slots: Iterable[SlotFacts], user: int) -> SlotFacts | None:
    """The slot of an item that this person's annotation fills: their own, else an open one; None makes it an
    extra annotation.

    A gold slot stays theirs even if they no longer hold it.
    """
    slots = list(slots)
    held = (SlotState.LEASED, SlotState.DONE)
    own = next((slot for slot in slots if slot.user == user and (slot.is_gold or slot.state in held)), None)
    return own or next((slot for slot in slots if slot.state == SlotState.OPEN), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of an item's annotations. complete: whether it has all of them. value: the unanimous value;
    None without agreement.

    pair: the one or two labels that they differ in, joined by a bar. answers: number of different
    annotations.
    """

    complete: bool
    value: Value | None = None
    pair: str = ""
    answers: int = 0


def is_complete(states: Sequence[int]) -> bool:
    """Whether an item with slots in these states has all the annotations it needs."""
    needed = [state for state in states if state != SlotState.CLOSED]
    return bool(needed) and all(state == SlotState.DONE for state in needed)


def judge(states: Sequence[int], values: Sequence[Value]) -> Verdict:
    """Compare an item's annotations. states: of its slots. values: of the current annotations that fill
    slots.
    """
    if not is_complete(states):
        return Verdict(complete=False)
    different = len({canonical(value) for value in values})
    if different == 1:
        return Verdict(complete=True, value=values[0], answers=1)
    return Verdict(complete=True, pair="|".join(contested(values)), answers=different)


# ── Undo ────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Step:
    """One annotation or skip of a person in a queue, for undo."""

    pk: int
    undone: bool


def undo_target(newest_first: Sequence[Step]) -> int | None:
    """The annotation that undo takes back: the newest current one among the last 20; None without one."""
    return next((step.pk for step in newest_first[:UNDO_DEPTH] if not step.undone), None)


# ── Ranking pre-labels ──────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Ranked:
    """The labels first shown for an item. Scores are None if the source has none; source is empty without
    pre-labels.
    """

    labels: list[tuple[int, float | None]] = field(default_factory=list)
    source: str = ""
    suggestion: int | None = None


def rank(suggestions: Sequence[tuple[int, int, float | None]], source: str) -> Ranked:
    """Rank the pre-labels of one source, best first, those without a score last. suggestions: (suggestion,
    label, score).
    """
    ordered = sorted(suggestions, key=lambda row: (row[2] is None, -(row[2] or 0), row[0]))
    if not ordered:
        return Ranked()
    return Ranked([(label, score) for _, label, score in ordered], source, ordered[0][0])
