"""What an answer says, one module per task. Pure.

A value is a JSON object in one canonical form, so that answers which say the same are equal as text. Classes stand in it by their stable
id, so that a renamed class changes no answer; offsets are Unicode code points, their end exclusive.

    single_label  {"label": id}
    multi_label   {"labels": [id, …]}                          sorted; empty: none of the classes
    spans         {"spans": [{"start", "end", "label"}, …]}    by place; may overlap; empty: nothing to mark
    free_text     {"text": "…"}
    chat          {"messages": [{"role", "content"}, …]}       the whole dialogue
    preference    {"choice": "first" | "second" | "tie" | "neither"}, of the two responses as the file has them
    ranking       {"ranking": [2, 0, 1]}                       numbers of the responses as the file has them, the best first
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from datasets_app.labeling.values import chat, free_text, multi_label, preference, ranking, single_label, spans
from datasets_app.labeling.values.parts import Subject, Value
from lifecycle.task_types.by_key.types import type_of


class Task(Protocol):
    """What a module of this package knows of its values. NAME: the one member that they have. A part: what two of them may share.

    class_of says "" where an answer names no classes of the schema.
    """

    NAME: str

    def read(self, raw: Any, subject: Subject, known: Mapping[str, str]) -> Value: ...
    def parts(self, value: Value) -> list[Any]: ...
    def class_of(self, part: Any) -> str: ...
    def joined(self, found: Sequence[Any]) -> Value | None: ...
    def renamed(self, value: Value, names: Mapping[str, str]) -> Value: ...
    def words(self, value: Value, names: Mapping[str, str], text: str) -> str: ...


TASKS: Mapping[str, Task] = {
    "single_label": single_label, "multi_label": multi_label, "spans": spans, "free_text": free_text, "chat": chat,
    "preference": preference, "ranking": ranking,
}  # fmt: skip

__all__ = [
    "TASKS",
    "Subject",
    "Value",
    "canonical",
    "classes_of",
    "contested",
    "has_labels",
    "majority",
    "named_in",
    "read",
    "rename",
    "words",
]


def read(task: str, raw: Any, *, about: Subject, known: Mapping[str, str]) -> Value:
    """What somebody sent, in its canonical form. about: the item. known: every accepted name of a class → its stable id.

    Raises Refused, with a sentence for the field `value`, for what is no answer of this task.
    """
    return TASKS[task].read(raw, about, known)


def named_in(raw: Any) -> set[str]:
    """Every text that stands where a value names a class, in whatever somebody sent."""
    if not isinstance(raw, Mapping):
        return set()
    listed = [each for name in ("labels", "spans") if isinstance(raw.get(name), list) for each in raw[name]]
    found = [raw.get("label"), *(each.get("label") if isinstance(each, Mapping) else each for each in listed)]
    return {each for each in found if isinstance(each, str)}


def canonical(value: Value) -> str:
    """The value as text: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def key_of(value: Value) -> str:
    """The key of the task that a value is of."""
    return next(key for key, module in TASKS.items() if module.NAME in value)


def task_of(value: Value) -> Task:
    """The module that understands a value."""
    return TASKS[key_of(value)]


def has_labels(value: Value) -> bool:
    """Whether a value names classes of the schema."""
    return type_of(key_of(value)).has_labels


def classes_of(value: Value) -> list[str]:
    """The stable ids of the classes that a value names, each as often as it does."""
    task = task_of(value)
    return [task.class_of(part) for part in task.parts(value)] if has_labels(value) else []


def contested(values: Sequence[Value]) -> list[str]:
    """The two classes that these answers differ in most often, in order of their ids; one where only its borders are in dispute.

    None for tasks without classes.
    """
    task = task_of(values[0])
    if not has_labels(values[0]):
        return []
    counts = Counter(part for value in values for part in set(task.parts(value)))
    split: Counter[str] = Counter()
    for part, count in counts.items():
        if count < len(values):
            split[task.class_of(part)] += count
    return sorted(sorted(split, key=lambda name: (-split[name], name))[:2])


def majority(values: Sequence[Value]) -> Value | None:
    """What more than half of the answers hold, part by part.

    None where a value cannot be put together from parts, or where no part is shared though most answers have some.
    """
    task = task_of(values[0])
    counts = Counter(part for value in values for part in set(task.parts(value)))
    shared = [part for part, count in counts.items() if 2 * count > len(values)]
    empty = sum(not task.parts(value) for value in values)
    return task.joined(shared) if shared or 2 * empty > len(values) else None


def rename(value: Value, names: Mapping[str, str]) -> Value | None:
    """The value with the names of its classes in the place of their ids, as files carry it; None where a class has no name any more."""
    if any(key not in names for key in classes_of(value)):
        return None
    return task_of(value).renamed(value, names)


def words(value: Value, names: Mapping[str, str], text: str = "") -> str:
    """The value as a line for people. names: of the classes by stable id. text: of the item, which is quoted where it is marked."""
    return task_of(value).words(value, names, text)
