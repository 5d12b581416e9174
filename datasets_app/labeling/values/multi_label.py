"""Any number of classes a text: {"labels": [id, …]}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.labeling.values.parts import DROPPED, Subject, Value, find_class, only_list

NAME = "labels"


def read(raw: Any, subject: Subject, known: Mapping[str, str]) -> Value:
    """The classes, each once. Raises Refused."""
    return {NAME: sorted({find_class(each, known) for each in only_list(raw, NAME)})}


def parts(value: Value) -> list[str]:
    """The classes."""
    return list(value[NAME])


def class_of(part: str) -> str:
    """A part is its class."""
    return part


def joined(found: Sequence[str]) -> Value:
    """These classes."""
    return {NAME: sorted(found)}


def renamed(value: Value, names: Mapping[str, str]) -> Value:
    """With the names of the classes, each once, in their order."""
    return {NAME: sorted({names[key] for key in value[NAME]})}


def words(value: Value, names: Mapping[str, str], text: str) -> str:
    """The names of the classes."""
    return ", ".join(sorted(names.get(key, DROPPED) for key in value[NAME])) or "none of the classes"
