"""What the tasks share: finding a class by what somebody sent, and saying no."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lifecycle.refusals import Refused

Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an answer is about. content: as Item.content; empty where the text is all."""

    text: str
    content: Mapping[str, Any]


DROPPED = "a dropped class"
TEXT_LIMIT = 100_000  # characters of one written text


def refuse(told: str, next_step: str = "") -> Refused:
    """The answer is not kept."""
    return Refused(told, next_step=next_step, fields={"value": [told]})


def find_class(raw: Any, known: Mapping[str, str]) -> str:
    """The stable id of the class that somebody named. Raises Refused, with the nearest name."""
    if isinstance(raw, str) and raw in known:
        return known[raw]
    shown = str(raw)[:80]
    near = get_close_matches(shown, known, n=1)
    raise refuse(f"{shown!r} is no class of the queue's schema.", f"Did you mean {near[0]!r}?" if near else "Choose a class of the list.")


def plain(raw: Any, what: str) -> str:
    """A text that somebody wrote, as it is. Raises Refused for none, a blank or too long one, or one that no database keeps."""
    if not isinstance(raw, str) or not raw.strip():
        raise refuse(f"{what} is empty.", "Write something, or skip the item.")
    if len(raw) > TEXT_LIMIT:
        raise refuse(f"{what} has {len(raw):,} characters; at most {TEXT_LIMIT:,} are kept.", "Shorten it.")
    if any(unicodedata.category(character) == "Cs" or character == "\0" for character in raw):
        raise refuse(f"{what} holds a NUL character or half of a surrogate pair.", "Remove it.")
    return raw


def only_list(raw: Any, name: str) -> list[Any]:
    """The list under the one name that the value has. Raises Refused."""
    found = raw.get(name) if isinstance(raw, Mapping) and set(raw) == {name} else None
    if not isinstance(found, list):
        raise refuse(f"An answer of this task is an object with a list of {name}.", "Reload the page.")
    return found
