"""Rules of label schemas and their changes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.inputs import has_invisible
from lifecycle.runtime.task_types.values import answers_of, labels_of, type_in

BATCH = 1_000  # rows or annotations of one statement in labeling apps
LABELS_LIMIT = 1_000
NAME_LIMIT = 120


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One label as written. stable_id: of the label in the version before; None for a new one, or to find it
    by name.
    """

    name: str
    definition: str = ""
    examples: tuple[str, ...] = ()
    lookalikes: tuple[dict[str, str], ...] = ()
    group: str = ""
    stable_id: UUID | None = None

    def document(self) -> dict[str, Any]:
        """The hashed content."""
        return {
            "name": self.name,
            "definition": self.definition,
            "examples": list(self.examples),
            "lookalikes": [dict(each) for each in self.lookalikes],
            "group": self.group,
        }


@dataclass(frozen=True, slots=True)
class ClassesNow:
    """Changes of labels by stable id. merged: each merged one with its target. retired: labels that can't be
    chosen.
    """

    merged: Mapping[str, str] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()


def through(value: Value, now: ClassesNow) -> Value:
    """The value with its current labels: merged ones replaced, without duplicates; retired ones removed,
    unless no other is left.

    Equal spans of two merged labels become one. A value without labels stays unchanged.
    """
    if not type_in(value).has_labels:
        return value
    answers = answers_of(value)
    value = answers.rename(value, {key: now.merged.get(key, key) for key in labels_of(value)}) or value
    kept = [part for part in answers.parts(value) if answers.label_of(part) not in now.retired]
    return (answers.join(kept) if kept else None) or value


def check_labels(labels: Sequence[LabelSpec], *, needed: bool = True) -> None:
    """Raises Refused, with a message for the field `labels`, for names that are missing, too long, invisible
    or duplicated.

    needed: whether the task has labels.
    """
    problems = [problem for label in labels if (problem := name_problem(label.name))]
    problems += [
        f"{name!r} is listed {count} times."
        for name, count in Counter(label.name for label in labels).items()
        if count > 1
    ]
    if needed and not labels:
        problems = ["A label schema needs at least one label."]
    if labels and not needed:
        problems = ["This task has no labels; only a guideline is published."]
    if len(labels) > LABELS_LIMIT:
        problems = [f"There are {len(labels):,} labels; the limit is {LABELS_LIMIT:,}."]
    if problems:
        raise Refused(
            "The label schema wasn't published.", next_step=problems[0], fields={"labels": problems[:5]}
        )


def name_problem(name: str) -> str:
    """What is wrong with a label's name, as a sentence; empty if it's valid."""
    if not name:
        return "A label has no name."
    if len(name) > NAME_LIMIT:
        return f"{name[:20]!r}… has {len(name)} characters; the limit is {NAME_LIMIT}."
    if has_invisible(name):
        return f"The name {name!r} contains a control or invisible character."
    return ""
