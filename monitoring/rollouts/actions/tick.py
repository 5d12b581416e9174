"""The controller: every ten seconds it counts, looks and acts on each open rollout. Killed anywhere, the next
tick continues.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Refusal
from monitoring.rollouts import rules
from monitoring.rollouts.actions import notices
from monitoring.rollouts.actions.count import count
from monitoring.rollouts.actions.moves import change, finish, follow, lock, move, note
from monitoring.rollouts.actions.wider import Claim, carry_out, claim, cut_off
from monitoring.rollouts.models import Look, Rollout, Segment
from monitoring.rollouts.queries import chart_data, evidence, rollouts, segments
from monitoring.rollouts.rules import Kind, State
from registry.endpoints import actions as endpoints
from registry.ground.ledger.verbs import Verb

log = logging.getLogger(__name__)


def tick(now: datetime | None = None) -> int:
    """Look at every open rollout. Returns how many moved. What fails on one is logged and leaves the others
    alone.

    Idempotent: without news there is no look, and a move is made once. A beat that slept catches up with the
    minutes it missed.
    """
    moved = 0
    for rollout in rollouts.open_rollouts():
        try:
            moved += look_at(rollout, now or timezone.now())
        except Refusal as refusal:
            log.warning(
                "event=rollout_refused rollout=%s code=%s message=%s",
                rollout.uuid,
                refusal.code,
                refusal.message,
            )
        except Exception:
            log.exception("event=rollout_failed rollout=%s", rollout.uuid)
    return moved


def look_at(rollout: Rollout, now: datetime) -> bool:
    """Count, decide, act. Returns whether the rollout moved."""
    before = rollout.moves
    complete = count(rollout, now)
    claimed = decide(rollout.uuid, now, behind=not complete)
    if claimed:
        try:
            carry_out(rollout.uuid, claimed, now)
        except Refusal as refusal:
            refused(rollout.uuid, claimed.share, refusal, now)
    return Rollout.objects.values_list("moves", flat=True).get(pk=rollout.pk) != before


@transaction.atomic
def decide(rollout_id: UUID, now: datetime, *, behind: bool) -> Claim | None:
    """One look under the rollout's lock. Returns the share to go to, when it is to be widened.

    A rollback happens here, in this transaction: whatever the state, paused and holding ones included.
    """
    rollout = lock(rollout_id)
    segment = follow(rollout, now) if rollout.is_open else None
    if segment is None:
        return None
    found = evidence.evidence(rollout, now, behind=behind)
    decision = rules.decide(rollout.rule, found)
    remember(rollout, segment, found, decision, now)
    if decision.kind == Kind.ROLLBACK:
        roll_back_canary(rollout, segment, decision.why, now)
    elif claimed := cut_off(rollout):
        return claimed
    elif rollout.state == State.RUNNING and decision.kind == Kind.HOLD:
        hold(rollout, decision.why, now)
    elif rollout.state == State.RUNNING and decision.kind == Kind.PROMOTE:
        return may_widen(rollout, decision.why, now)
    return None


def remember(
    rollout: Rollout, segment: Segment, found: rules.Evidence, decision: rules.Decision, now: datetime
) -> None:
    """Keep the look, unless it saw and decided what the one before did."""
    last = chart_data.last_look(rollout)
    if last and (last.segment_id, last.counts, last.log_e, last.decision) == (
        segment.pk,
        found.counts,
        found.log_e,
        decision.kind,
    ):
        return
    bounds = found.interval(rollout.rule)
    Look.objects.create(
        rollout=rollout,
        segment=segment,
        at=now,
        decision=decision.kind,
        why=decision.why[:500],
        **Look.columns_of(found.counts),
        **{f"log_e_{metric}": value for metric, value in found.log_e.items()},
        **({"difference": bounds.value, "low": bounds.low, "high": bounds.high} if bounds else {}),
    )


def roll_back_canary(rollout: Rollout, segment: Segment, why: str, now: datetime) -> None:
    """All traffic to the version beside it; those on call are paged."""
    endpoints.stop_canary(deployment_id=segment.deployment.uuid, reason=why, actor=None)
    segment.ended_at = now
    segment.save(update_fields=["ended_at"])
    finish(
        rollout,
        State.ROLLED_BACK,
        Verb.ROLLOUT_ROLLED_BACK,
        None,
        why,
        now,
        deployment=segment.deployment.uuid,
    )


@transaction.atomic
def refused(rollout_id: UUID, share: int, refusal: Refusal, now: datetime) -> None:
    """Endpoints did not widen it: a changed approval, a damaged file. It would refuse again, so that a person
    has to look.
    """
    rollout = lock(rollout_id)
    if rollout.state == State.RUNNING and rollout.next_share is None and rollout.share < share:
        hold(rollout, f"The canary couldn't be widened: {refusal.message} {refusal.next_step}".strip(), now)


def hold(rollout: Rollout, why: str, now: datetime) -> None:
    """Stop and ask: never wider without evidence."""
    move(rollout, State.HOLDING, why)
    note(None, Verb.ROLLOUT_HELD, rollout, share=rollout.share, reason=rollout.reason)
    notices.holds(rollout, rollout.reason, now)


def may_widen(rollout: Rollout, why: str, now: datetime) -> Claim | None:
    """Claim the next step, or ask a person for it, once."""
    share = rollout.rule.next_share(segments.running_share(rollout))
    if rollout.rule.automatic:
        return claim(rollout, share, None, why)
    if rollout.asked_at is None:
        change(rollout, asked_at=now)
        notices.asks(rollout, share, why)
    return None
