"""Links to rooms that may be missing or switched off, and parameters of the query string."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.urls import NoReverseMatch, reverse

from lifecycle.runtime.refusals import Unreadable


def find_url(name: str, **kwargs: Any) -> str:
    """The address of a URL name, or the empty text when no room has it."""
    try:
        return reverse(name, kwargs=kwargs or None)
    except NoReverseMatch:
        return ""


def key_in(given: Mapping[str, str], name: str = "before") -> int | None:
    """The key from which a list continues, as the page before wrote it; None for its beginning. Raises
    Unreadable.
    """
    text = given.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise unreadable({name: ["Use the value from the previous page's link."]})
    return int(text)


def choice_in(given: Mapping[str, str], name: str, choices: Collection[str], otherwise: str = "") -> str:
    """The choice in the query string; `otherwise` without one. Raises Unreadable for one that isn't
    offered.
    """
    word = given.get(name, "")
    if word and word not in choices:
        raise unreadable(
            {name: [f"Choose one of {', '.join(choices)}." if choices else "No options are available."]}
        )
    return word or otherwise


def typed_in(given: Mapping[str, str], name: str, most: int) -> str:
    """The typed text, cut to `most` characters. NUL becomes a blank: PostgreSQL accepts it in no text."""
    return given.get(name, "")[:most].replace("\0", " ")


def unreadable(fields: dict[str, list[str]]) -> Unreadable:
    """The refusal of an address. fields: what is wrong, by the name in the address."""
    wrong = ", ".join(fields)
    return Unreadable(f"Invalid filter: {wrong}.", next_step="Open the page without filters.", fields=fields)
