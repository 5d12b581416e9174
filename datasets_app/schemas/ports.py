"""What rooms above do when a version of a label schema is published. Filled in ready()."""

from __future__ import annotations

from collections.abc import Callable

from datasets_app.schemas.models.schemas import LabelSchema
from registry.ground.access.models import User

Follow = Callable[[LabelSchema, User], None]

_following: list[Follow] = []


def on_published(follow: Follow) -> None:
    """Have this called with each published version and its author, in the transaction that publishes it."""
    _following.append(follow)


def published(schema: LabelSchema, actor: User) -> None:
    """Tell whoever follows that a version was published."""
    for follow in _following:
        follow(schema, actor)
