"""Annotations and predictions of a row from another labeling tool, as values of the dataset's task. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from datasets_app.datasets.importing.label_values import LabelValues
from datasets_app.datasets.importing.readers import Answer, RawLabeling
from datasets_app.datasets.importing.times import read_time
from lifecycle.runtime.task_types.answers import BadAnswer, ItemContent, Value
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.inputs import BadInput, CellKind
from lifecycle.runtime.task_types.values import labels_of

NOTHING = "[]"  # says nothing about the kind of what it could list


@dataclass(frozen=True, slots=True)
class Given:
    """A person's annotation, or a skip without a value. value: as `Draft.value`. gold: marked as ground truth
    in the tool.
    """

    person: str
    value: Value | None
    skipped: bool = False
    gold: bool = False
    seconds: float = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Guess:
    """A model's prediction. score: 0 to 1, or None."""

    model: str
    value: Value
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Labeling:
    """All annotations and predictions of a row. own: a value without a person. names: of its labels. unread:
    unreadable predictions.
    """

    own: Value | None = None
    answers: tuple[Given, ...] = ()
    guesses: tuple[Guess, ...] = ()
    names: tuple[str, ...] = ()
    unread: int = 0


def read_labeling(raw: RawLabeling, column: str, values: LabelValues, item: ItemContent) -> Labeling:
    """Parse the answers to the question in this column. values: the mapping of label values.

    Raises BadInput for an answer that isn't an annotation of the task; such predictions are only counted.
    """
    own, names, unread = None, set[str](), 0
    given: list[Given] = []
    guesses: list[Guess] = []
    for each in raw.answers:
        value = read(each, column, values, item)
        if each.skipped and each.person:
            given.append(
                Given(each.person, None, skipped=True, seconds=seconds_of(each), at=read_time(each.at))
            )
        elif value is not None and each.person:
            given.append(
                Given(each.person, value, gold=each.gold, seconds=seconds_of(each), at=read_time(each.at))
            )
        elif value is not None:
            own = value
        names.update(labels_of(value) if value and not each.skipped else ())
    for each in raw.guesses:
        try:
            value = read(each, column, values, item)
        except BadInput:
            unread += 1
            continue
        if value is not None:
            guesses.append(Guess(each.person, value, each.score))
            names.update(labels_of(value))
    return Labeling(own, tuple(given), tuple(guesses), tuple(sorted(names)), unread)


def read(answer: Answer, column: str, values: LabelValues, item: ItemContent) -> Value | None:
    """The answer to the question; None if empty. An answer without any regions, or with an empty list, has no
    label. Raises BadInput.
    """
    cell = answer.cells.get(column)
    if cell is None:
        is_silent = column and not answer.cells and not answer.skipped and answer.person
        return values.answers.join(()) if is_silent else None
    if answer.skipped or (cell.kind == CellKind.PLAIN and not cell.text.strip()):
        return None
    if cell.kind not in formats_of(values.task).cells:
        if cell.text == NOTHING:
            return values.answers.join(())
        raise BadAnswer(
            "kind",
            f"Column {column!r} has {cell.kind}, which this dataset's task doesn't support.",
            "Map another column to label.",
        )
    return values.annotation(cell, item)


def seconds_of(answer: Answer) -> float:
    """How long it took, in seconds; 0 if not given."""
    try:
        seconds = float(answer.seconds or 0)
    except ValueError:
        return 0
    return seconds if 0 <= seconds < 1e9 else 0


def question_columns(rows: Iterator[RawLabeling]) -> dict[str, CellKind | None]:
    """The columns with answers in these rows, with the kind of each column's first answer; None if all are
    empty lists.
    """
    found: dict[str, CellKind | None] = {}
    for raw in rows:
        for each in (*raw.answers, *raw.guesses):
            for column, cell in each.cells.items():
                if cell.kind != CellKind.PLAIN and found.get(column) is None:
                    found[column] = None if cell.text == NOTHING else cell.kind
    return found
