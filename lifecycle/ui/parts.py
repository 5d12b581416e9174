"""Parts of a page that upper rooms add. The page names a place; an upper room registers a template for it in
`ready()`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

Request = Any  # of a signed-in user; this room knows nothing about the model behind it
Context = Callable[[Request, Any], dict[str, Any] | None]

_places: dict[str, list[tuple[str, Context]]] = defaultdict(list)


def register(place: str, template: str, context: Context) -> None:
    """Show a template at a place, after those registered before. context: its context for the page's subject
    and request; None leaves it out.
    """
    _places[place].append((template, context))


def places() -> frozenset[str]:
    """The places at which something is shown."""
    return frozenset(_places)


def render(place: str, request: Request, subject: Any) -> SafeString:
    """Everything that is shown at a place of the page of this subject."""
    shown = ((template, context(request, subject)) for template, context in _places.get(place, ()))
    parts = (render_to_string(template, found, request) for template, found in shown if found is not None)
    return mark_safe("".join(parts))  # noqa: S308
