"""What people and models said of a row in another labeling tool, as answers of the dataset's task. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datasets_app.datasets.importing import answers
from datasets_app.datasets.importing.answers import Said, Unreadable
from datasets_app.datasets.importing.label_values import LabelValues
from datasets_app.datasets.importing.readers import Answer, Brought, Cell, Kind
from datasets_app.datasets.importing.times import read_time

FITS: dict[str, tuple[Kind, ...]] = {  # the kinds of cells that answer a task; the first is what a question is proposed by
    "single_label": (Kind.NAMES, Kind.PLAIN), "multi_label": (Kind.NAMES, Kind.PLAIN), "spans": (Kind.SPANS,),
    "free_text": (Kind.TEXTS, Kind.NAMES, Kind.PLAIN), "preference": (Kind.CHOICE, Kind.NAMES, Kind.PLAIN), "ranking": (Kind.RANKING,),
    "chat": (Kind.MESSAGES,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """What one person said: an answer, or a skip without a value. value: as `Draft.label`. gold: the tool calls it ground truth."""

    person: str
    value: str
    skipped: bool = False
    gold: bool = False
    seconds: float = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Guess:
    """What one model said. score: 0 to 1, or None."""

    model: str
    value: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """All of a row. own: what the file says without naming anybody. names: of the classes in it. unread: guesses that say nothing."""

    own: Said = Said("")
    answers: tuple[Given, ...] = ()
    guesses: tuple[Guess, ...] = ()
    names: tuple[str, ...] = ()
    unread: int = 0


def tell(brought: Brought, column: str, values: LabelValues, text: str, content: Mapping[str, Any] | None) -> Told:
    """The answers to the question in this column. values: what their values become.

    Raises Unreadable for an answer that is none of the task; such guesses are counted.
    """
    own, names, unread = Said(""), set[str](), 0
    given: list[Given] = []
    guesses: list[Guess] = []
    for each in brought.answers:
        said = read(each, column, values, text, content)
        if each.skipped and each.person:
            given.append(Given(each.person, "", skipped=True, seconds=seconds_of(each), at=read_time(each.at)))
        elif said is not None and each.person:
            given.append(Given(each.person, said.value, gold=each.gold, seconds=seconds_of(each), at=read_time(each.at)))
            names.update(said.names)
        elif said is not None:
            own = said
            names.update(said.names)
    for each in brought.guesses:
        try:
            guessed = read(each, column, values, text, content)
        except Unreadable:
            unread += 1
            continue
        if guessed is not None:
            guesses.append(Guess(each.person, guessed.value, each.score))
            names.update(guessed.names)
    return Told(own, tuple(given), tuple(guesses), tuple(sorted(names)), unread)


def read(answer: Answer, column: str, values: LabelValues, text: str, content: Mapping[str, Any] | None) -> Said | None:
    """What somebody said to the question; None where nothing was said. An answer without any regions marks nothing. Raises Unreadable."""
    cell, task = answer.cells.get(column), values.task
    if cell is None:
        silent = column and not answer.cells and not answer.skipped and answer.person and task in EMPTY
        return Said(answers.canonical(EMPTY[task])) if silent else None
    if answer.skipped or (cell.kind == Kind.PLAIN and not cell.text.strip()):
        return None
    if cell.kind not in FITS[task]:
        raise Unreadable(f"has an answer of {cell.kind} in column {column!r}, which says nothing to this task.")
    return said_by(cell, values, text, content)


EMPTY: dict[str, dict[str, list[Any]]] = {"spans": {"spans": []}, "multi_label": {"labels": []}}


def said_by(cell: Cell, values: LabelValues, text: str, content: Mapping[str, Any] | None) -> Said | None:
    """A cell of a fitting kind as an answer of the task; None for a value that is left out. Raises Unreadable."""
    task = values.task
    if task == "spans":
        return values.said(answers.marked(cell.text, text))
    if task == "multi_label":
        return values.said(answers.ticked(cell.text if cell.kind == Kind.NAMES else json.dumps([cell.text])))
    if task == "ranking":
        return answers.ranked(cell.text, len((content or {}).get("responses", [])))
    if task == "chat":
        return answers.continued(cell.text, (content or {}).get("messages", []))
    word = cell.text if cell.kind in (Kind.PLAIN, Kind.CHOICE) else only(cell.text, "labels" if task == "single_label" else "answers")
    if task in ("single_label", "preference") and not (word := values.read(word)):
        return None
    if task == "single_label":
        return Said(word, (word,))
    return answers.chosen(word) if task == "preference" else answers.written(word)


def only(cell: str, what: str) -> str:
    """The only text of a JSON list. Raises Unreadable for none or several."""
    found = answers.loaded(cell, what)
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], str):
        count = len(found) if isinstance(found, list) else 0
        raise Unreadable(f"has {count:,} {what} of one person; this dataset takes one.")
    return found[0]


def seconds_of(answer: Answer) -> float:
    """How long it took, in seconds; 0 where the file does not say."""
    try:
        seconds = float(answer.seconds or 0)
    except ValueError:
        return 0
    return seconds if 0 <= seconds < 1e9 else 0


def questions(rows: Iterator[Brought]) -> dict[str, Kind]:
    """The columns that hold answers in these rows, with what kind they hold first."""
    found: dict[str, Kind] = {}
    for brought in rows:
        for each in (*brought.answers, *brought.guesses):
            for column, cell in each.cells.items():
                if cell.kind != Kind.PLAIN:
                    found.setdefault(column, cell.kind)
    return found
