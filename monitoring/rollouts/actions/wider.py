"""Giving a canary its next share, in three steps that may be cut off anywhere: claim, do, note.

The share itself is set by endpoints in a transaction of its own, since it verifies the model's files first
and that is no work for under a lock. The claim keeps others from pausing or widening in between; whatever is
cut off, the next tick finishes. Who claimed what, and why, is read from the audit log: the row could name
anyone.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction

from lifecycle.runtime.refusals import Conflict, Refusal
from monitoring.rollouts.actions.moves import change, follow, lock, note
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.queries import rollouts, segments
from monitoring.rollouts.rules import REASON_MAX
from registry.endpoints import actions as endpoints
from registry.ground.access.models import User
from registry.ground.ledger.rules import SYSTEM
from registry.ground.ledger.verbs import Verb


class Claim(NamedTuple):
    """The wider share that a person, or the rule (None), decided on."""

    share: int
    actor: User | None
    why: str


def claim(rollout: Rollout, share: int, actor: User | None, why: str) -> Claim:
    """Note on the locked rollout that it goes to this share. Raises Conflict when it is on its way
    already.
    """
    if rollout.next_share is not None:
        raise Conflict("The canary is being widened.", next_step="Try again in a moment.")
    made = Claim(share, actor, why[:REASON_MAX])
    change(rollout, next_share=share, next_by=actor, next_reason=made.why)
    note(actor, Verb.ROLLOUT_STEP_DECIDED, rollout, old=rollout.share, new=share, reason=made.why)
    return made


def cut_off(rollout: Rollout) -> Claim | None:
    """What the locked rollout is on its way to. What its row alone says is dropped."""
    if rollout.next_share is None:
        return None
    event = rollouts.open_claim(rollout)
    by = str(rollout.next_by.uuid) if rollout.next_by else SYSTEM
    if event and (rollout.next_share, by, rollout.next_reason) == (
        event.payload["new"],
        event.actor,
        event.payload["reason"],
    ):
        return Claim(rollout.next_share, rollout.next_by, rollout.next_reason)
    drop(rollout, "The audit log doesn't name who decided on it.")
    return None


def carry_out(rollout_id: UUID, claimed: Claim, now: datetime) -> Rollout:
    """Set the claimed share and note it. Raises what endpoints refuses; the claim is given up then, and the
    canary keeps its share.
    """
    share, actor, why = claimed
    segment = segments.present(Rollout.objects.get(uuid=rollout_id))
    try:
        endpoints.set_share(
            deployment_id=segment.deployment.uuid, share=share, actor=actor, reason=why, steered=True
        )
    except (Refusal, PermissionDenied) as refusal:
        give_up(rollout_id, str(refusal), now)
        raise
    with transaction.atomic():
        rollout = lock(rollout_id)
        if rollout.is_open:
            follow(rollout, now)
    return rollout


@transaction.atomic
def give_up(rollout_id: UUID, why: str, now: datetime) -> None:
    """The claimed share was refused, or another process has set it meanwhile: see what runs."""
    rollout = lock(rollout_id)
    if rollout.is_open and follow(rollout, now) is not None and rollout.next_share is not None:
        drop(rollout, why)


def drop(rollout: Rollout, why: str) -> None:
    """The locked rollout keeps its share."""
    note(None, Verb.ROLLOUT_STEP_DROPPED, rollout, new=rollout.next_share, reason=why[:REASON_MAX])
    change(rollout, next_share=None, next_by=None, next_reason="")
