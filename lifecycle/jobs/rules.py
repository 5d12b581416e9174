"""What may happen to a job, and when. Pure: no queries, no clock."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import TextChoices

from lifecycle.refusals import Conflict

TICK_SECONDS = 1.0  # how often a worker writes progress and looks for a cancel


class Queue(TextChoices):
    """Which kind of worker takes a job: small work, long scans, or the one that holds the training device."""

    DEFAULT = "default", "Default"
    SCANS = "scans", "Scans"
    TRAINING = "training", "Training"


class State(TextChoices):
    """Where a job stands. The last three are final."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
MOVES: dict[State, set[State]] = {
    State.QUEUED: {State.RUNNING, State.CANCELLED},
    State.RUNNING: {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.QUEUED},
}


def check_move(old: State, new: State) -> None:
    """Raise Conflict unless a job in state `old` may enter state `new`."""
    if new not in MOVES.get(old, set()):
        raise Conflict(
            f"This job is {old.label.lower()} and can no longer become {new.label.lower()}.",
            next_step="Reload the page to see where it stands.",
        )


def heartbeat_seconds(lease_seconds: float) -> float:
    """How often a lease is renewed: five times as often as it would run out."""
    return lease_seconds / 5


def backoff(attempt: int) -> timedelta:
    """How long a job waits before its next attempt after attempt number `attempt` (from 1) met a passing obstacle: 2, 4, 8 … 300 s."""
    return timedelta(seconds=min(2**attempt, 300))


def rate(*, done_then: int, done_now: int, seconds: float) -> float | None:
    """Units per second since the stage began here, or None while it cannot be told."""
    return (done_now - done_then) / seconds if seconds > 0 and done_now > done_then else None


def eta_seconds(*, done: int, total: int | None, rate: float | None) -> float | None:
    """Seconds that are left at this rate, or None while total or rate is unknown."""
    if total is None or not rate:
        return None
    return max(total - done, 0) / rate


def percent(done: int, total: int | None) -> int | None:
    """Whole percent that is done (0 to 100), or None while the total is unknown."""
    if not total:
        return None
    return min(100 * done // total, 100)
