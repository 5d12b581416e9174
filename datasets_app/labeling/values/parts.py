"""What the tasks share: finding a class by what somebody sent, and saying no."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from lifecycle.refusals import Refused

Value = dict[str, Any]
DROPPED = "a dropped class"


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


def only_list(raw: Any, name: str) -> list[Any]:
    """The list under the one name that the value has. Raises Refused."""
    found = raw.get(name) if isinstance(raw, Mapping) and set(raw) == {name} else None
    if not isinstance(found, list):
        raise refuse(f"An answer of this task is an object with a list of {name}.", "Reload the page.")
    return found
