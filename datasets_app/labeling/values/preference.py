"""The better of two responses: {"choice": "first" | "second" | "tie" | "neither"}, as the file has them, whatever side they stood on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets_app.labeling.values.parts import Subject, Value, refuse

NAME = "choice"
CHOICES = {"first": "the first response", "second": "the second response", "tie": "about the same", "neither": "both are bad"}


def read(raw: Any, subject: Subject, known: Mapping[str, str]) -> Value:
    """The choice. Raises Refused."""
    if not isinstance(raw, Mapping) or set(raw) != {NAME} or not isinstance(raw[NAME], str) or raw[NAME] not in CHOICES:
        raise refuse(f"An answer of this task is one of {', '.join(CHOICES)}.", "Choose one of the two, or say that neither is better.")
    return {NAME: raw[NAME]}


def parts(value: Value) -> list[str]:
    """The choice."""
    return [value[NAME]]


def class_of(part: str) -> str:
    """There are no classes."""
    return ""


def joined(found: Sequence[str]) -> Value | None:
    """The choice, where one is left."""
    return {NAME: found[0]} if len(found) == 1 else None


def renamed(value: Value, names: Mapping[str, str]) -> Value:
    """As it is."""
    return value


def words(value: Value, names: Mapping[str, str], text: str) -> str:
    """The choice."""
    return CHOICES[value[NAME]]
