"""Two to five responses in order: {"ranking": [2, 0, 1]}, their numbers in the file from 0, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.labeling.values.parts import Subject, Value, only_list, refuse

NAME = "ranking"


def read(raw: Any, subject: Subject, known: Mapping[str, str]) -> Value:
    """Every response once. Raises Refused."""
    found = only_list(raw, NAME)
    count = len(subject.content.get("responses", []))
    if any(type(each) is not int for each in found) or sorted(found) != list(range(count)):
        raise refuse(f"A ranking names each of the {count} responses once, from 0 to {count - 1}.", "Put all of them in order.")
    return {NAME: found}


def parts(value: Value) -> list[tuple[int, ...]]:
    """The order, whole."""
    return [tuple(value[NAME])]


def class_of(part: tuple[int, ...]) -> str:
    """There are no classes."""
    return ""


def joined(found: Sequence[tuple[int, ...]]) -> Value | None:
    """The order, where one is left."""
    return {NAME: list(found[0])} if len(found) == 1 else None


def renamed(value: Value, names: Mapping[str, str]) -> Value:
    """As it is."""
    return value


def words(value: Value, names: Mapping[str, str], text: str) -> str:
    """The responses by their numbers in the file, from 1."""
    return " > ".join(str(each + 1) for each in value[NAME])
