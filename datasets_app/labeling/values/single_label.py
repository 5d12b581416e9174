"""One class a text: {"label": id}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.labeling.values.parts import DROPPED, Subject, Value, find_class, refuse

NAME = "label"


def read(raw: Any, subject: Subject, known: Mapping[str, str]) -> Value:
    """The one class. Raises Refused."""
    if not isinstance(raw, Mapping) or set(raw) != {NAME}:
        raise refuse("An answer of this task is one class.", "Choose a class of the list.")
    return {NAME: find_class(raw[NAME], known)}


def parts(value: Value) -> list[str]:
    """The one class."""
    return [value[NAME]]


def class_of(part: str) -> str:
    """A part is its class."""
    return part


def joined(found: Sequence[str]) -> Value | None:
    """The class, where one is left."""
    return {NAME: found[0]} if len(found) == 1 else None


def renamed(value: Value, names: Mapping[str, str]) -> Value:
    """With the name of the class."""
    return {NAME: names[value[NAME]]}


def words(value: Value, names: Mapping[str, str], text: str) -> str:
    """The name of the class."""
    return names.get(value[NAME], DROPPED)
