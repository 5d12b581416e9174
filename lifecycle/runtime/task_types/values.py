"""Operations on values of any task; their single key identifies the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Answers, Value
from lifecycle.runtime.task_types.by_key.types import TYPES
from lifecycle.runtime.task_types.task_type import TaskType

BY_NAME: Mapping[str, TaskType] = {each.answers.name: each for each in TYPES.values()}


def type_in(value: Value) -> TaskType:
    """The task type of a value. Raises KeyError."""
    return next(BY_NAME[name] for name in value)


def answers_of(value: Value) -> Answers:
    """The handler of a value. Raises KeyError."""
    return type_in(value).answers


def value_of(label: Any, value: Value | None) -> Value:
    """The value of a row. label: stable id or name of its label; value: stored if it has none."""
    return {"label": str(label)} if label is not None else value or {}


def bare(value: Value) -> Value | None:
    """The value with only its parts, such as without scores of suggested spans."""
    answers = answers_of(value)
    return answers.join(answers.parts(value))


def stored(value: Value, labels: Mapping[str, Any]) -> dict[str, Any]:
    """The model fields that store this value. labels: rows, by the value's references. A single label is
    stored as a foreign key.
    """
    return {"label": labels[value["label"]]} if "label" in value else {"value": value}


def labels_of(value: Value) -> list[str]:
    """The labels a value references, with repetitions."""
    kind = type_in(value)
    return [kind.answers.label_of(part) for part in kind.answers.parts(value)] if kind.has_labels else []


def named_in(raw: Any) -> set[str]:
    """Every text at the place of a label reference, in any input."""
    if not isinstance(raw, Mapping):
        return set()
    listed = [each for name in ("labels", "spans") if isinstance(raw.get(name), list) for each in raw[name]]
    found = [raw.get("label"), *(each.get("label") if isinstance(each, Mapping) else each for each in listed)]
    return {each for each in found if isinstance(each, str)}


def contested(values: Sequence[Value]) -> list[str]:
    """The two labels that these values differ in most often, by id; one if only boundaries differ.

    None if values have no labels.
    """
    answers = answers_of(values[0])
    if not type_in(values[0]).has_labels:
        return []
    counts = Counter(part for value in values for part in set(answers.parts(value)))
    split: Counter[str] = Counter()
    for part, count in counts.items():
        if count < len(values):
            split[answers.label_of(part)] += count
    return sorted(sorted(split, key=lambda name: (-split[name], name))[:2])


def rename(value: Value, names: Mapping[str, str]) -> Value | None:
    """The value with labels mapped to these names or ids; None if one has none."""
    return answers_of(value).rename(value, names)


def words(value: Value, names: Mapping[str, str], text: str = "") -> str:
    """The value as a line of text. names: label names by reference. text: of the item, quoted."""
    return answers_of(value).words(value, names, text)
