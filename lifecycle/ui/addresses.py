"""Links to rooms that may not have been built or switched on."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse


def find_url(name: str, **kwargs: Any) -> str:
    """The address of a URL name, or the empty text when no room answers to it."""
    try:
        return reverse(name, kwargs=kwargs or None)
    except NoReverseMatch:
        return ""
