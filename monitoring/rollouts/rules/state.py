"""States of a rollout, and what may follow what. Pure."""

from __future__ import annotations

from django.db.models import TextChoices

from lifecycle.refusals import Conflict, Refused

REASON_MAX = 500


class State(TextChoices):
    """promoted, rolled_back and aborted are final. In all others a failing canary is still rolled back."""

    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    HOLDING = "holding", "Holding"
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
    State.RUNNING: "live", State.PAUSED: "stop", State.HOLDING: "warn",
    State.PROMOTED: "ok", State.ROLLED_BACK: "bad", State.ABORTED: "off",
}  # fmt: skip
WORDS = {State.RUNNING: "Canary running", State.PAUSED: "Canary paused", State.HOLDING: "Canary on hold"}


def check_move(old: State, new: State) -> None:
    """Raises Conflict unless a rollout may go from one state to the other."""
    if new not in MOVES.get(old, set()):
        raise Conflict(f"This rollout is {old.label.lower()} and can no longer become {new.label.lower()}.")


def check_same_state(seen: str, now: str) -> None:
    """Raises Conflict when the rollout moved since the person looked."""
    if seen != now:
        raise Conflict("The rollout changed while you had it open.", next_step="Reload the page and try again.")


def check_reason(reason: str, what: str) -> str:
    """The reason, trimmed. Raises Refused when there is none, or more than 500 characters."""
    text = reason.strip()
    if not text or len(text) > REASON_MAX:
        sentence = f"{what} needs a reason." if not text else f"A reason can have up to {REASON_MAX} characters."
        raise Refused(sentence, fields={"reason": [sentence]})
    return text
