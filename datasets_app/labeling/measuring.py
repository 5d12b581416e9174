"""What a rule does to texts, and how often it is right where they are decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from datasets_app.labeling.matching import Matcher, Span
from lifecycle.statistics.intervals import wilson
from lifecycle.task_types.answers import Value
from lifecycle.task_types.by_key.types import type_of
from lifecycle.task_types.values import answers_of, labels_of

FEW = 20  # decided claims below which a precision says too little


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule says of one text. marks: where it was hit; all places where parts are marked, else those that somebody wants to see.

    parts: how many it marks, where parts are marked. count: what it claims of a decided text, its class or each of the parts that it marks;
    right: of these, as decided.
    """

    hit: bool
    marks: Sequence[Span] = ()
    parts: int = 0
    count: int = 0
    right: int = 0


def claim(task: str, find: Matcher, text: str, label: UUID | None, said: Value | None, *, closely: bool = False) -> Claim:
    """Try a pattern on one text. label: stable id of its class. said: what was decided. closely: where it was hit is wanted too."""
    marking = not type_of(task).labels_texts  # parts of the text, each right or wrong by itself
    marks = find.marks(text) if marking else find.spans(text) if closely else []
    hit = bool(marks) if marking or closely else find.hits(text)
    parts = len(marks) if marking else 0
    if not hit or said is None:
        return Claim(hit, marks, parts)
    if not marking:
        return Claim(hit, marks, parts, 1, int(str(label) in labels_of(said)))
    decided = set(answers_of(said).parts(said))
    return Claim(hit, marks, parts, parts, sum((start, end, str(label)) in decided for start, end in marks))


@dataclass(slots=True)
class Measured:
    """What one rule hits. items, hits: of the sample. marked: parts that it marks there, where parts are marked.

    decided: what it claims of decided texts, also beside the sample: its class of each, or each part that it marks. right: of these.
    """

    items: int = 0
    hits: int = 0
    marked: int = 0
    decided: int = 0
    right: int = 0

    def add(self, said: Claim, *, drawn: bool) -> None:
        """Count one text. drawn: of the sample itself."""
        self.items += drawn
        self.hits += drawn and said.hit
        self.marked += said.parts if drawn else 0
        self.decided += said.count
        self.right += said.right

    @property
    def coverage(self) -> float | None:
        """Share of the sample that is hit; None of an empty one."""
        return self.hits / self.items if self.items else None

    @property
    def few(self) -> bool:
        """Whether too little that it claims is decided to say how often the rule is right."""
        return self.decided < FEW

    @property
    def precision(self) -> float | None:
        """Share of its decided claims that are as decided: texts that have its class, or parts marked exactly so. None below 20."""
        return None if self.few else self.right / self.decided

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the precision."""
        return wilson(self.right, self.decided)


def contradict(task: str, one: tuple[UUID, Claim], other: tuple[UUID, Claim]) -> bool:
    """Whether two rules, each with its class, say of a text what cannot both be meant: two classes where it has one, or of one part.

    Where a text has any number of classes, they never do.
    """
    kind = type_of(task)
    if one[0] == other[0] or kind.one_label:
        return one[0] != other[0]
    return not kind.labels_texts and not set(one[1].marks).isdisjoint(other[1].marks)
