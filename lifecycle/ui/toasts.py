"""Toasts: a reversible success, something started. Never the only place of an error."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest

LEVELS = {"ok": messages.SUCCESS, "live": messages.INFO, "warn": messages.WARNING, "bad": messages.ERROR}


def toast(
    request: HttpRequest, text: str, *, kind: str = "ok", open_url: str = "", undo_url: str = ""
) -> None:
    """Show `text` on this response's page or fragment, or on the next page after a redirect.

    kind: ok, live, warn, bad. undo_url: adds the button Undo, which posts there. open_url: adds the link
    Open.
    """
    action = f"undo {undo_url}" if undo_url else f"open {open_url}" if open_url else ""
    messages.add_message(request, LEVELS[kind], text, extra_tags=action)


def kind_of(level: int) -> str:
    """The kind that belongs to a level of django.contrib.messages."""
    return (
        "bad"
        if level >= messages.ERROR
        else "warn"
        if level >= messages.WARNING
        else "ok"
        if level >= messages.SUCCESS
        else "live"
    )
