"""A text that is written, such as a completion or a summary: {"text": "…"}. Two of them are equal or they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.labeling.values.parts import Subject, Value, plain, refuse

NAME = "text"


def read(raw: Any, subject: Subject, known: Mapping[str, str]) -> Value:
    """The text as it was written. Raises Refused."""
    if not isinstance(raw, Mapping) or set(raw) != {NAME}:
        raise refuse("An answer of this task is a text.", "Write it, then save.")
    return {NAME: plain(raw[NAME], "The text")}


def parts(value: Value) -> list[str]:
    """The text, whole."""
    return [value[NAME]]


def class_of(part: str) -> str:
    """There are no classes."""
    return ""


def joined(found: Sequence[str]) -> Value | None:
    """The text, where one is left."""
    return {NAME: found[0]} if len(found) == 1 else None


def renamed(value: Value, names: Mapping[str, str]) -> Value:
    """As it is."""
    return value


def words(value: Value, names: Mapping[str, str], text: str) -> str:
    """The text."""
    return str(value[NAME])
