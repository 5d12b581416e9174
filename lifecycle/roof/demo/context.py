"""The demo's people for one-click sign-in."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from lifecycle.roof.demo.people import PEOPLE, one_click_allowed


def people(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `demo_people`, used only by the sign-in page."""
    return {"demo_people": lambda: PEOPLE if one_click_allowed(request) else ()}
