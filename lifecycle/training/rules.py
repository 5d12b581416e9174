"""States of a run. Pure."""

from __future__ import annotations

from django.db.models import TextChoices

from lifecycle.refusals import Conflict


class RunState(TextChoices):
    """A run that ended as succeeded, failed or stopped stays what it is; a stopped or failed one may be resumed from its checkpoint."""

    QUEUED = "queued", "Queued"
    TRAINING = "training", "Training"
    STOPPING = "stopping", "Stopping"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


FINISHED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED})
MOVES = {
    RunState.QUEUED: {RunState.TRAINING, RunState.STOPPED, RunState.FAILED},
    RunState.TRAINING: {RunState.STOPPING, RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED},
    RunState.STOPPING: {RunState.STOPPED, RunState.SUCCEEDED, RunState.FAILED},
    RunState.STOPPED: {RunState.QUEUED},
    RunState.FAILED: {RunState.QUEUED},
}


def check_move(old: RunState, new: RunState) -> None:
    """Raises Conflict unless a run may go from one state to the other."""
    if new not in MOVES.get(old, set()):
        raise Conflict(f"This run is {old.label.lower()} and can no longer become {new.label.lower()}.")
