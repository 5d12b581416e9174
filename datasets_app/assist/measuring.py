"""Coverage and precision of labeling functions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from datasets_app.assist.matching import Matcher, Span
from lifecycle.runtime.statistics.intervals import wilson
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.by_key.suggestions import suggestions_of
from lifecycle.runtime.task_types.by_key.types import type_of

FEW = 20  # labeled matches below which a precision isn't meaningful


@dataclass(frozen=True, slots=True)
class Claim:
    """The matches of a labeling function in one text. value: None without a match. marks: match positions;
    all of them for spans, else those to show.

    parts: number of spans, for span tasks. count: its labels or spans in a labeled text; right: of these,
    equal to the resolved label.
    """

    value: Value | None = None
    marks: Sequence[Span] = ()
    parts: int = 0
    count: int = 0
    right: int = 0


def claim(
    task: str, find: Matcher, text: str, label: UUID | None, resolved: Value | None, *, closely: bool = False
) -> Claim:
    """Try a pattern on one text. label: stable id of its label. resolved: the resolved label. closely:
    whether to find match positions.
    """
    kind = type_of(task)
    marks = find.marks(text) if not kind.labels_texts else find.spans(text) if closely else []
    if not marks and (closely or not kind.labels_texts or not find.hits(text)):
        return Claim()
    value, marked = suggestions_of(task).of_label(str(label), marks), 0 if kind.labels_texts else len(marks)
    if resolved is None:
        return Claim(value, marks, marked)
    claimed, wanted = set(kind.answers.parts(value)), set(kind.answers.parts(resolved))
    return Claim(value, marks, marked, len(claimed), len(claimed & wanted))


@dataclass(slots=True)
class Measured:
    """The figures of one labeling function. items, matches: of the sample. spans: its spans there, for span
    tasks.

    labeled: its labels or spans in labeled texts, including those outside the sample. right: of these, equal
    to the resolved label.
    """

    items: int = 0
    matches: int = 0
    spans: int = 0
    labeled: int = 0
    right: int = 0

    def add(self, claim: Claim, *, drawn: bool) -> None:
        """Count one text. drawn: whether it's in the sample itself."""
        self.items += drawn
        self.matches += drawn and claim.value is not None
        self.spans += claim.parts if drawn else 0
        self.labeled += claim.count
        self.right += claim.right

    @property
    def coverage(self) -> float | None:
        """Share of the sample with a match; None for an empty sample."""
        return self.matches / self.items if self.items else None

    @property
    def few(self) -> bool:
        """Whether there are too few labeled matches for a precision."""
        return self.labeled < FEW

    @property
    def precision(self) -> float | None:
        """Share of its labeled matches that are correct: texts with its label, or spans with equal ends. None
        below 20.
        """
        return None if self.few else self.right / self.labeled

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the precision."""
        return wilson(self.right, self.labeled)
