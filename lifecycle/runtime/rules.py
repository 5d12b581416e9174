"""Rules that many rooms share: allowed state changes, and required reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol, TypeVar

from lifecycle.runtime.refusals import Conflict, Refused


class State(Protocol):
    """A member of TextChoices."""

    @property
    def label(self) -> str:
        """As people read it."""


S = TypeVar("S", bound=State)


def check_move(noun: str, moves: Mapping[S, Collection[S]], old: S, new: S) -> None:
    """Raises Conflict unless `new` is among the states that may follow `old`. noun: what has the state."""
    if new not in moves.get(old, ()):
        raise Conflict(
            f"This {noun} is {old.label.lower()} and can no longer become {new.label.lower()}.",
            next_step="Reload the page.",
        )


def check_reason(reason: str, what: str, most: int) -> str:
    """The reason, stripped. what: the thing that needs it.

    Raises Refused if it is empty or has more than `most` characters.
    """
    text = reason.strip()
    if not text or len(text) > most:
        sentence = f"{what} needs a reason." if not text else f"A reason can have up to {most:,} characters."
        raise Refused(sentence, fields={"reason": [sentence]})
    return text
