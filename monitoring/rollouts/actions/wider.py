"""Giving a canary its next share, in three steps that may be cut off anywhere: claim, do, note.

The share itself is set by endpoints in a transaction of its own, since it verifies the model's files first and that is no work for under a
lock. The claim keeps others from pausing or widening in between; whatever is cut off, the next tick finishes.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction

from lifecycle.refusals import Conflict, Refusal
from monitoring.rollouts import queries
from monitoring.rollouts.actions.moves import change, follow, lock
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.rules import REASON_MAX
from registry.access.models import User
from registry.endpoints import actions as endpoints


def claim(rollout: Rollout, share: int, actor: User | None, why: str) -> int:
    """Note on the locked rollout that it goes to this share. Raises Conflict when it is on its way already."""
    if rollout.going_to is not None:
        raise Conflict("It is being widened just now.", next_step="Look again in a moment.")
    change(rollout, going_to=share, going_by=actor, going_why=why[:REASON_MAX])
    return share


def carry_out(rollout_id: UUID, share: int, actor: User | None, now: datetime) -> Rollout:
    """Set the claimed share and note it. Raises what endpoints refuses; the claim is given up then, and the canary keeps its share."""
    rollout = queries.with_all(Rollout.objects.all()).get(uuid=rollout_id)
    segment = queries.segments(rollout)[-1]
    try:
        endpoints.set_share(
            deployment_id=segment.deployment.uuid, share=share, actor=actor, reason=rollout.going_why, steered=True
        )  # fmt: skip
    except (Refusal, PermissionDenied):
        give_up(rollout_id, now)
        raise
    with transaction.atomic():
        rollout = lock(rollout_id)
        if rollout.is_open:
            follow(rollout, now)
    return rollout


@transaction.atomic
def give_up(rollout_id: UUID, now: datetime) -> None:
    """The claimed share was refused, or another process has set it meanwhile: see what runs."""
    rollout = lock(rollout_id)
    if rollout.is_open and follow(rollout, now) is not None and rollout.going_to is not None:
        change(rollout, going_to=None, going_by=None, going_why="")
