"""What a wrong answer mistook, which tells a group of errors beside its words. Pure: answers in, names of classes and kinds out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from lifecycle.evaluation.marks import Marks
from lifecycle.evaluation.rules import Answer


class Slip(NamedTuple):
    """One mistake of a row. kind: missed, invented (given where it is not true), class (read as another) or boundary (its place alone is
    wrong). true, predicted: classes, "" where there is none on that side."""

    kind: str
    true: str
    predicted: str


def of_one(answer: Answer) -> Iterator[Slip]:
    """Where a text has one class."""
    yield Slip("class", answer.true[0], answer.predicted[0])


def of_several(answer: Answer) -> Iterator[Slip]:
    """Where a text may have several classes: each stands for itself."""
    yield from (Slip("missed", label, "") for label in answer.true if label not in answer.predicted)
    yield from (Slip("invented", "", label) for label in answer.predicted if label not in answer.true)


def of_marks(row: Marks, labels: Sequence[str]) -> Iterator[Slip]:
    """Of marked parts, wherever the part stands that was read as another class."""
    for match in row.matches:
        if match.kind != "exact":
            true, found = labels[match.true[2]] if match.true else "", labels[match.found.label] if match.found else ""
            yield Slip("class" if match.kind == "both" else match.kind, true, found)


def most_frequent(rows: Iterable[Iterable[Slip]]) -> dict[str, Any]:
    """The mistake that most rows hold and how many they are, as a report has it; of equally frequent ones the first by its classes."""
    counts = Counter(mistake for row in rows for mistake in set(row))
    mistake, count = min(counts.items(), key=lambda each: (-each[1], each[0].true, each[0].predicted, each[0].kind))
    return mistake._asdict() | {"pair_rows": count}
