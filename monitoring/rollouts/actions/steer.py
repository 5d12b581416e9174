"""What people do to a running rollout. Each carries what they saw: a rollout that moved meanwhile answers
409.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_reason
from monitoring.rollouts import rules
from monitoring.rollouts.actions import notices
from monitoring.rollouts.actions.moves import finish, follow, lock_open, move, note
from monitoring.rollouts.actions.wider import Claim, carry_out, claim
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.queries import evidence, segments
from monitoring.rollouts.rules import State
from registry.endpoints import actions as endpoints
from registry.endpoints.rules import check_typed
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def pause(*, rollout_id: UUID, actor: User, seen: int, now: datetime | None = None) -> Rollout:
    """Stop widening. The canary keeps its share, and is still rolled back if the evidence says so.

    seen: the rollout's moves on the page. Raises PermissionDenied or Conflict (moved, paused or ended
    meanwhile).
    """
    rollout = lock_open(rollout_id, seen)
    policy.require(actor, "rollouts.steer", rollout)
    if rollout.next_share is not None:
        raise Conflict(
            f"The canary is being widened to {rules.share_text(rollout.next_share)}.",
            next_step="Try again in a moment.",
        )
    move(rollout, State.PAUSED)
    notices.no_longer_holds(rollout, now or timezone.now())
    note(actor, Verb.ROLLOUT_PAUSED, rollout, share=rollout.share)
    return rollout


@transaction.atomic
def resume(*, rollout_id: UUID, actor: User, seen: int, now: datetime | None = None) -> Rollout:
    """Let the rule widen again after a pause, or after it held; the longest time of a step begins again.
    Raises as pause does.
    """
    now = now or timezone.now()
    rollout = lock_open(rollout_id, seen)
    policy.require(actor, "rollouts.steer", rollout)
    move(rollout, State.RUNNING, window_started_at=now, asked_at=None)
    notices.no_longer_holds(rollout, now)
    note(actor, Verb.ROLLOUT_RESUMED, rollout, share=rollout.share)
    return rollout


def widen(
    *, rollout_id: UUID, actor: User, seen: int, reason: str = "", now: datetime | None = None
) -> Rollout:
    """Go to the next step now. Where the rule does not say so itself, a reason is needed.

    Raises PermissionDenied, Conflict (moved meanwhile, being widened already) or Refused (no reason, frozen,
    quarantined, the evidence is against it). Nothing has changed then.
    """
    now = now or timezone.now()
    return carry_out(rollout_id, decide_to_widen(rollout_id, actor, seen, reason, now), now)


@transaction.atomic
def decide_to_widen(rollout_id: UUID, actor: User, seen: int, reason: str, now: datetime) -> Claim:
    """Check and claim the next step."""
    rollout = lock_open(rollout_id, seen)
    policy.require(actor, "rollouts.steer", rollout)
    plan, found = rollout.rule, evidence.evidence(rollout, now)
    decision = rules.decide(plan, found)
    if found.blocked:
        raise Refused(
            f"The canary can't be widened: {found.blocked[0].lower()}{found.blocked[1:]}",
            next_step="It keeps its current share.",
        )
    if decision.kind == rules.Kind.ROLLBACK:
        raise Refused(decision.why, next_step="It's rolled back within seconds.")
    why = reason.strip()
    if decision.kind != rules.Kind.PROMOTE:
        why = check_reason(reason, "Widening ahead of the rule", rules.REASON_MAX)
    return claim(rollout, plan.next_share(segments.running_share(rollout)), actor, why or decision.why)


@transaction.atomic
def abort(
    *, rollout_id: UUID, actor: User, seen: int, reason: str, typed: str, now: datetime | None = None
) -> Rollout:
    """Stop the canary: all traffic goes to the version beside it. Always possible, in a freeze too.

    typed: the semver that has all traffic afterwards. Raises PermissionDenied, Conflict (moved or ended
    meanwhile) or Refused (no reason, wrong words).
    """
    now = now or timezone.now()
    rollout = lock_open(rollout_id, seen)
    policy.require(actor, "rollouts.abort", rollout)
    check_typed(typed, rollout.baseline.semver)
    reason = check_reason(reason, "Stopping a canary", rules.REASON_MAX)
    segment = follow(rollout, now)
    if segment is None:
        raise Conflict("The canary has ended.", next_step="Reload the page.")
    endpoints.stop_canary(deployment_id=segment.deployment.uuid, reason=reason, actor=actor, steered=True)
    segment.ended_at = now
    segment.save(update_fields=["ended_at"])
    finish(
        rollout, State.ABORTED, Verb.ROLLOUT_ABORTED, actor, reason, now, deployment=segment.deployment.uuid
    )
    return rollout
