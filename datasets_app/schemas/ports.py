"""Listeners of higher apps for published label schemas. Filled in ready()."""

from __future__ import annotations

from collections.abc import Callable

from datasets_app.schemas.models.schemas import LabelSchema
from registry.ground.access.models import User

Listener = Callable[[LabelSchema, User], None]

_listeners: list[Listener] = []


def on_published(listener: Listener) -> None:
    """Register a listener for each published version and its author; it's called in the publishing
    transaction.
    """
    _listeners.append(listener)


def published(schema: LabelSchema, actor: User) -> None:
    """Call all listeners with a published version."""
    for listener in _listeners:
        listener(schema, actor)
