"""What is done with a value whatever its task is: the one key that it has says which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.runtime.task_types.answers import Answers, Value
from lifecycle.runtime.task_types.by_key.types import TYPES
from lifecycle.runtime.task_types.task_type import TaskType

BY_NAME: Mapping[str, TaskType] = {each.answers.name: each for each in TYPES.values()}


def type_in(value: Value) -> TaskType:
    """The type of task that a value is of. Raises KeyError."""
    return next(BY_NAME[name] for name in value)


def answers_of(value: Value) -> Answers:
    """What understands a value. Raises KeyError."""
    return type_in(value).answers


def value_of(label: Any, value: Value | None) -> Value:
    """The value of a row. label: the stable id of its label, or its name; value: what is stored where it has none."""
    return {"label": str(label)} if label is not None else value or {}


def bare(value: Value) -> Value | None:
    """The value with nothing but its parts, such as without the scores that suggested spans carry."""
    answers = answers_of(value)
    return answers.join(answers.parts(value))


def stored(value: Value, labels: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row with this value. labels: rows, by what the value names them by. A label is a foreign key where it is all."""
    return {"label": labels[value["label"]]} if "label" in value else {"value": value}


def labels_of(value: Value) -> list[str]:
    """What a value names labels by, each as often as it does."""
    kind = type_in(value)
    return [kind.answers.label_of(part) for part in kind.answers.parts(value)] if kind.has_labels else []


def named_in(raw: Any) -> set[str]:
    """Every text that is where a value names a label, in whatever somebody gave."""
    if not isinstance(raw, Mapping):
        return set()
    listed = [each for name in ("labels", "spans") if isinstance(raw.get(name), list) for each in raw[name]]
    found = [raw.get("label"), *(each.get("label") if isinstance(each, Mapping) else each for each in listed)]
    return {each for each in found if isinstance(each, str)}


def contested(values: Sequence[Value]) -> list[str]:
    """The two labels that these values differ in most often, in order of their ids; one where only borders are in dispute.

    None where values name no labels.
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
    """The value with its labels by these names or ids; None where one has none."""
    return answers_of(value).rename(value, names)


def words(value: Value, names: Mapping[str, str], text: str = "") -> str:
    """The value as a line for people. names: of labels, by what the value names them by. text: of the item, which is quoted."""
    return answers_of(value).words(value, names, text)
