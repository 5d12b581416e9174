"""States of a rollout, and what may follow what. Pure."""

from __future__ import annotations

from django.db.models import TextChoices

from lifecycle.runtime.refusals import Conflict

REASON_MAX = 500


class State(TextChoices):
    """promoted, rolled_back and aborted are final. In all others a failing canary is still rolled back."""

    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    HOLDING = "holding", "On hold"
    PROMOTED = "promoted", "Promoted"
    ROLLED_BACK = "rolled_back", "Rolled back"
    ABORTED = "aborted", "Aborted"


OPEN = frozenset({State.RUNNING, State.PAUSED, State.HOLDING})
ENDS = frozenset({State.PROMOTED, State.ROLLED_BACK, State.ABORTED})
MOVES = {
    State.RUNNING: {State.PAUSED, State.HOLDING} | ENDS,
    State.PAUSED: {State.RUNNING} | ENDS,
    State.HOLDING: {State.RUNNING, State.PAUSED} | ENDS,
}
MARKS = {
    State.RUNNING: "live",
    State.PAUSED: "stop",
    State.HOLDING: "warn",
    State.PROMOTED: "ok",
    State.ROLLED_BACK: "bad",
    State.ABORTED: "off",
}
WORDS = {State.RUNNING: "Canary running", State.PAUSED: "Canary paused", State.HOLDING: "Canary on hold"}


def check_same_state(seen: str, now: str) -> None:
    """Raises Conflict when the rollout moved since the person looked."""
    if seen != now:
        raise Conflict(
            "The rollout changed while you had it open.", next_step="Reload the page and try again."
        )
