"""Pure decisions about labels: what makes a schema, which slot an answer fills, when annotators agree, what undo takes back."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import TextChoices

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.statistics import clustered, sequences
from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.task_types.answers import Value, canonical
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.inputs import has_invisible
from lifecycle.runtime.task_types.values import answers_of, contested, labels_of, type_in

LEASE = timedelta(minutes=15)
RETURN_LEASE = timedelta(hours=24)  # a returned item waits this long for the same person, then for anybody
HAND = 5  # items that a bench holds: the one shown and the next ones
ENOUGH = 3  # a page that still holds so many gets no more: every third answer brings the next three
UNDO_DEPTH = 20
BATCH = 1_000
LABELS_LIMIT = 1_000
NAME_LIMIT = 120


class Proposer(TextChoices):
    """Who suggests labels."""

    IMPORT = "import", "Imported file"
    RUN = "run", "Run or version"
    RULE = "rule", "Rule"
    BUILT_IN = "built_in", "Built-in model"
    OUTSIDE = "outside", "Model elsewhere"


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One class as somebody wrote it. stable_id: of the class it was in the version before; None for a new one or to find it by name."""

    name: str
    definition: str = ""
    examples: tuple[str, ...] = ()
    lookalikes: tuple[dict[str, str], ...] = ()
    group: str = ""
    stable_id: UUID | None = None

    def document(self) -> dict[str, Any]:
        """What of it is hashed."""
        return {
            "name": self.name,
            "definition": self.definition,
            "examples": list(self.examples),
            "lookalikes": [dict(each) for each in self.lookalikes],
            "group": self.group,
        }


class ExportFormat(TextChoices):
    """The labeling tools as whose files answers are exported."""

    LABEL_STUDIO = "labelstudio", "Label Studio"
    DOCCANO = "doccano", "doccano"
    PRODIGY = "prodigy", "Prodigy"
    ARGILLA = "argilla", "Argilla"

    @property
    def ending(self) -> str:
        """Of its files' names."""
        return {"labelstudio": "zip", "doccano": "zip", "prodigy": "jsonl", "argilla": "json"}[self.value]

    @property
    def media(self) -> str:
        """The media type of its files."""
        return {"zip": "application/zip", "jsonl": "application/x-ndjson", "json": "application/json"}[self.ending]


def export_formats(task: str) -> list[ExportFormat]:
    """The formats that hold the answers of a task."""
    return [each for each in ExportFormat if each in formats_of(task).tools]


@dataclass(frozen=True, slots=True)
class ClassesNow:
    """What became of classes, all by stable id. merged: each merged one with where it leads. retired: those that nobody chooses."""

    merged: Mapping[str, str] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()


def through(value: Value, now: ClassesNow) -> Value:
    """The value with its classes as they are now: merged ones where they lead, each once; retired ones left out, unless no other is left.

    Equal spans of two classes that were merged become one. A value that names no class stays as it is.
    """
    if not type_in(value).has_labels:
        return value
    answers = answers_of(value)
    value = answers.rename(value, {key: now.merged.get(key, key) for key in labels_of(value)}) or value
    kept = [part for part in answers.parts(value) if answers.label_of(part) not in now.retired]
    return (answers.join(kept) if kept else None) or value


def check_labels(labels: Sequence[LabelSpec], *, needed: bool = True) -> None:
    """Raises Refused, with a message for the field `labels`, for names that are missing, too long, unseen or twice there.

    needed: whether the task has classes at all.
    """
    problems = [problem for label in labels if (problem := name_problem(label.name))]
    problems += [f"{name!r} stands here {count} times." for name, count in Counter(label.name for label in labels).items() if count > 1]
    if needed and not labels:
        problems = ["A schema needs at least one class."]
    if labels and not needed:
        problems = ["Answers of this task name no class; only a guideline is published."]
    if len(labels) > LABELS_LIMIT:
        problems = [f"There are {len(labels):,} classes; a schema holds at most {LABELS_LIMIT:,}."]
    if problems:
        raise Refused("The schema was not published.", next_step=problems[0], fields={"labels": problems[:5]})


def name_problem(name: str) -> str:
    """What is wrong with the name of a class, as a sentence; empty when it is in order."""
    if not name:
        return "A class has no name."
    if len(name) > NAME_LIMIT:
        return f"{name[:20]!r}… has {len(name)} characters; a name has at most {NAME_LIMIT}."
    if has_invisible(name):
        return f"The name {name!r} holds a control or invisible character."
    return ""


def decision_digest(*, item: str, value: Value, names: Mapping[str, str], how: str, by: UUID | None, supersedes: str) -> str:
    """sha256, in hex, over the item's digest, what was decided, how, who (empty: a rule) and the superseded digest.

    What was decided: the class's stable id and name; for other tasks the canonical value and the names of its classes in their order.
    """
    said = value["label"] if set(value) == {"label"} else canonical(value)
    parts = [item, said, ", ".join(names[key] for key in labels_of(value)), how, str(by or ""), supersedes]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()


def is_hidden(queue: UUID, item_digest: str, share: int) -> bool:
    """Whether suggestions for this item are hidden in this queue; the same for everybody, on `share` percent of all items."""
    mark = hashlib.sha256(f"{queue}:{item_digest}".encode()).digest()
    return int.from_bytes(mark[:4], "big") % 100 < share


RANGE = 1_000_000  # places are whole numbers from 0 to here


def random_place(queue: UUID, item: int) -> int:
    """The place of an item in a queue whose order is by chance: 0 to a million, the same however often it is asked for."""
    return int.from_bytes(hashlib.sha256(f"{queue}:{item}".encode()).digest()[:8], "big") % RANGE


def uncertain_place(score: float | None) -> int:
    """The place of an item by the score, 0 to 1, of what is suggested first: the least sure first, those without one last."""
    return RANGE if score is None else round(min(max(score, 0.0), 1.0) * (RANGE - 1))


def disputed_place(bits: float) -> int:
    """The place of an item by the entropy, in bits, of what is said of it: the widest split first, what nobody disputes last."""
    return round((RANGE - 1) / (1 + bits)) if bits > 0 else RANGE


def side_order(queue: UUID, item_digest: str, person: UUID, count: int) -> list[int]:
    """The order in which this person sees an item's responses: by chance over items and people, the same whenever they look."""

    def place(number: int) -> bytes:
        return hashlib.sha256(f"{queue}:{item_digest}:{person}:{number}".encode()).digest()

    return sorted(range(count), key=place)


# ── Gold ────────────────────────────────────────────────────────────────────
GOLD_MOST = 30  # percent of what a person gets
GOLD_PLACES = 2**31  # gold stands at places from 0 to below here
GOLD_FEWEST = 20  # answers from which a share says anything
SUSPECT_FROM = 5  # answers from which gold that most get wrong is suspected


def is_gold_place(seed: bytes, place: int, rate: int) -> bool:
    """Whether the item at this place of what a person gets is gold: by chance, at `rate` percent, each place whatever the others are."""
    mark = hashlib.sha256(seed + b"place" + str(place).encode()).digest()
    return int.from_bytes(mark[:8], "big") % 100 < rate


def gold_accuracy(right: int, done: int) -> Interval | None:
    """The share of gold that was answered rightly, with an interval that holds with 95 % at every look; None below GOLD_FEWEST answers.

    It is looked at after each answer: of people exactly at a minimum, fewer than 5 % are ever below it by the upper end.
    """
    if done < GOLD_FEWEST:
        return None
    return Interval(right / done, *sequences.share(right, done))


def gold_of_class(cells: Sequence[Sequence[int]]) -> tuple[int, int, Interval | None]:
    """Answers to the gold of a class, the right ones of them, and their share, None below GOLD_FEWEST answers.

    cells: [right answers, answers, items of which that is so]. An item that one person gets wrong others get wrong too, so that the answers
    count as the effective number of independent ones, over items; where each item was answered once that is their number.
    """
    found = clustered.sums(*np.repeat([each[:2] for each in cells], [each[2] for each in cells], axis=0).T)
    done, rows = int(found.below), clustered.effective(found)
    share = Interval(found.value, *sequences.share(found.value * rows, rows)) if done >= GOLD_FEWEST else None
    return done, int(found.above), share


def gold_start(seed: bytes, place: int) -> int:
    """From where on gold is drawn for this place: 0 to below GOLD_PLACES."""
    return int.from_bytes(hashlib.sha256(seed + b"start" + str(place).encode()).digest()[:8], "big") % GOLD_PLACES


def is_right(said: Value, known: Value, now: ClassesNow) -> bool:
    """Whether an answer is the known one: the same class, set, spans (F1 of 1), choice or order; read through what became of classes."""
    return canonical(through(said, now)) == canonical(through(known, now))


def shown_total(total: int, done: int, gold_done: int, rate: int) -> int:
    """How many answers people are told a queue needs where gold is mixed in: so that each of their answers, gold or not, is one of them."""
    if done >= total:
        return done + gold_done
    return total + max(gold_done, total * rate // (100 - rate))


def coarse(number: int) -> int:
    """What those are told of a figure from whom single answers are hidden: full tens."""
    return number // 10 * 10


# ── Where an answer goes ────────────────────────────────────────────────────
class SlotState(IntEnum):
    """As in Slot.State."""

    OPEN = 0
    LEASED = 1
    DONE = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """What a rule needs to know of a slot."""

    pk: int
    state: int
    user: int | None
    is_gold: bool = False


def slot_for(slots: Iterable[SlotFacts], user: int) -> SlotFacts | None:
    """The slot of an item that this person's answer fills: their own, else an open one; None makes it an extra answer.

    Gold stays theirs when they no longer hold it.
    """
    slots = list(slots)
    held = (SlotState.LEASED, SlotState.DONE)
    own = next((slot for slot in slots if slot.user == user and (slot.is_gold or slot.state in held)), None)
    return own or next((slot for slot in slots if slot.state == SlotState.OPEN), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers of an item amount to. complete: every needed answer is there. value: what all said; None without agreement.

    pair: the one or two classes that they differ in, joined by a bar. answers: how many different ones there are.
    """

    complete: bool
    value: Value | None = None
    pair: str = ""
    answers: int = 0


def is_complete(states: Sequence[int]) -> bool:
    """Whether an item whose slots are in these states has every answer that it needs."""
    needed = [state for state in states if state != SlotState.CLOSED]
    return bool(needed) and all(state == SlotState.DONE for state in needed)


def judge(states: Sequence[int], values: Sequence[Value]) -> Verdict:
    """states: of the item's slots. values: what each current answer that fills a slot says."""
    if not is_complete(states):
        return Verdict(complete=False)
    different = len({canonical(value) for value in values})
    if different == 1:
        return Verdict(complete=True, value=values[0], answers=1)
    return Verdict(complete=True, pair="|".join(contested(values)), answers=different)


def likely_answer(values: Sequence[Value], suggested: Value | None) -> Value | None:
    """What a reviewer probably decides: the answer most people gave, among equals the suggested one; None where nothing speaks for one."""
    counts = Counter(canonical(value) for value in values)
    if not counts:
        return None
    best = max(counts.values())
    leading = {canonical(value): value for value in values if counts[canonical(value)] == best}
    if len(leading) == 1:
        return next(iter(leading.values()))
    return leading.get(canonical(suggested)) if suggested else None


# ── Undo ────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Step:
    """One answer or skip of a person in a queue, as undo sees it."""

    pk: int
    undone: bool


def undo_target(newest_first: Sequence[Step]) -> int | None:
    """The answer that undo takes back: the newest that still stands among the last 20; None when there is none."""
    return next((step.pk for step in newest_first[:UNDO_DEPTH] if not step.undone), None)


# ── Ranking on the bench ────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Ranked:
    """The classes first shown for an item. scores are None where the source gives none; source is empty where nothing is suggested."""

    labels: list[tuple[int, float | None]] = field(default_factory=list)
    source: str = ""
    suggestion: int | None = None


def rank(suggestions: Sequence[tuple[int, int, float | None]], source: str) -> Ranked:
    """suggestions: (suggestion, label, score) of one source; the best first, those without a score last."""
    ordered = sorted(suggestions, key=lambda row: (row[2] is None, -(row[2] or 0), row[0]))
    if not ordered:
        return Ranked()
    return Ranked([(label, score) for _, label, score in ordered], source, ordered[0][0])
