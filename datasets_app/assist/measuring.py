"""What a rule does to texts, and how often it is right where they are decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from datasets_app.assist.matching import Matcher, Span
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.by_key.types import type_of

FEW = 20  # decided claims below which a precision says too little


@dataclass(frozen=True, slots=True)
class Claim:
    """The matches of a labeling function in one text. value: None without a match. marks: match positions; all of them for spans, else
    those to show.

    parts: how many it marks, where parts are marked. count: what it claims of a decided text, its class or each of the parts that it marks;
    right: of these, as decided.
    """

    value: Value | None = None
    marks: Sequence[Span] = ()
    parts: int = 0
    count: int = 0
    right: int = 0


def claim(task: str, find: Matcher, text: str, label: UUID | None, said: Value | None, *, closely: bool = False) -> Claim:
    """Try a pattern on one text. label: stable id of its class. said: the resolved label. closely: where it was hit is wanted too."""
    kind = type_of(task)
    marks = find.marks(text) if not kind.labels_texts else find.spans(text) if closely else []
    if not marks and (closely or not kind.labels_texts or not find.hits(text)):
        return Claim()
    value, marked = suggestions_of(task).of_label(str(label), marks), 0 if kind.labels_texts else len(marks)
    if said is None:
        return Claim(value, marks, marked)
    claimed, decided = set(kind.answers.parts(value)), set(kind.answers.parts(said))
    return Claim(value, marks, marked, len(claimed), len(claimed & decided))


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
        self.hits += drawn and said.value is not None
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
