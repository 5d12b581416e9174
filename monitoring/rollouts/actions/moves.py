"""A rollout's own steps, under the lock of its row: following its deployment, changing its state, ending.
Nothing here changes traffic.

Locks are taken in one order: the rollout, then what endpoints takes (routes, request, version, alias), then
the audit log's chain.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.rules import check_move
from monitoring.rollouts import rules
from monitoring.rollouts.actions import notices
from monitoring.rollouts.models import FirstEvent, Rollout, Segment
from monitoring.rollouts.queries import rollouts, segments
from monitoring.rollouts.rules import State
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.endpoints.rules import ALL
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

REASON_MAX = rules.REASON_MAX


def lock(rollout_id: UUID) -> Rollout:
    """The rollout with everything it names, its row locked until the caller's transaction ends. Its plan is
    the one that it was started by, whatever its row says by now. Raises Conflict for one that no one started,
    or started for another version, endpoint or approval.
    """
    rollout = rollouts.with_all(Rollout.objects.select_for_update(of=("self",), no_key=True)).get(
        uuid=rollout_id
    )
    begun = rollouts.beginning(rollout)
    if begun is None:
        raise Conflict(
            "The audit log doesn't name who started this rollout.", next_step="Roll the endpoint back."
        )
    about = (rollout.endpoint.uuid, rollout.version.uuid, rollout.request.uuid, rollout.baseline.uuid)
    if [begun.payload[name] for name in ("endpoint", "version", "request", "baseline")] != [*map(str, about)]:
        raise Conflict(
            "The audit log and the database name different rollouts.", next_step="Roll the endpoint back."
        )
    rollout.plan = begun.payload["plan"]
    return rollout


def lock_open(rollout_id: UUID, seen: int) -> Rollout:
    """The locked rollout, as the person saw it. Raises Conflict when it has ended or moved since."""
    rollout = lock(rollout_id)
    if not rollout.is_open:
        raise Conflict(
            f"This rollout has ended: {rollout.get_state_display().lower()}.", next_step="Reload the page."
        )
    rules.check_same_state(str(seen), str(rollout.moves))
    return rollout


def note(actor: User | None, verb: Verb, rollout: Rollout, **more: Any) -> None:
    """One event about a rollout."""
    record(
        actor,
        verb,
        rollout,
        project=rollout.endpoint.model.project.uuid,
        endpoint=rollout.endpoint.uuid,
        version=rollout.version.uuid,
        **more,
    )


def move(rollout: Rollout, state: State, reason: str = "", **more: Any) -> None:
    """Give it a state that may follow its own."""
    check_move("rollout", rules.MOVES, State(rollout.state), state)
    change(rollout, state=state, reason=reason[:REASON_MAX], **more)


def change(rollout: Rollout, **fields: Any) -> None:
    """Save some of what may change, as one move."""
    for name, value in (fields | {"moves": rollout.moves + 1}).items():
        setattr(rollout, name, value)
    rollout.save(update_fields=[*fields, "moves"])


def begin_segment(rollout: Rollout, deployment: Deployment, at: datetime) -> Segment:
    """Evidence is counted again under a new share; what was counted before multiplies."""
    return Segment.objects.create(
        rollout=rollout,
        number=segments.next_number(rollout),
        deployment=deployment,
        share=deployment.share,
        started_at=at,
    )


def follow(rollout: Rollout, now: datetime) -> Segment | None:
    """Update the locked rollout to what runs: the present segment, or None when its canary has ended and the
    rollout with it.

    A share that was changed, here or elsewhere, becomes the rollout's; a canary that a server's guard or a
    person ended ends the rollout, with that reason.
    """
    segment = segments.present(rollout)
    while (deployment := segment.deployment).ended_at is not None:
        at = min(now, deployment.ended_at)
        segment.ended_at = at
        segment.save(update_fields=["ended_at"])
        after = segments.successor(deployment)
        if after is None:
            close(rollout, deployment, now)
            return None
        segment = begin_segment(rollout, after, at)
        widened(rollout, after, at)
    return segment


def widened(rollout: Rollout, deployment: Deployment, at: datetime) -> None:
    """Its canary has another share."""
    old = rollout.share
    change(
        rollout,
        share=deployment.share,
        step_started_at=at,
        window_started_at=at,
        asked_at=None,
        next_share=None,
        next_by=None,
        next_reason="",
        state=State.RUNNING if rollout.state == State.HOLDING else rollout.state,
        reason="",
    )
    notices.no_longer_holds(rollout, at)
    details = {
        "old": old,
        "new": deployment.share,
        "reason": deployment.reason,
        "deployment": deployment.uuid,
    }
    note(deployment.started_by, Verb.ROLLOUT_WIDENED, rollout, **details)


def close(rollout: Rollout, deployment: Deployment, now: datetime) -> None:
    """The canary has ended without continuing as one: it has all traffic, or none."""
    live = deployments.live_deployment(rollout.endpoint)
    if live and live.version_id == rollout.version_id:
        by, why = live.started_by, deployment.end_reason
        finish(rollout, State.PROMOTED, Verb.ROLLOUT_PROMOTED, by, why, now, share=ALL, deployment=live.uuid)
    else:
        finish(
            rollout,
            State.ROLLED_BACK,
            Verb.ROLLOUT_ROLLED_BACK,
            deployment.ended_by,
            deployment.end_reason,
            now,
            deployment=deployment.uuid,
        )


def finish(
    rollout: Rollout,
    state: State,
    verb: Verb,
    by: User | None,
    why: str,
    now: datetime,
    *,
    share: int | None = None,
    **more: Any,
) -> None:
    """The last move, its event, and those who should know."""
    share = rollout.share if share is None else share
    old = rollout.share
    move(
        rollout,
        state,
        why,
        ended_at=now,
        ended_by=by,
        share=share,
        next_share=None,
        next_by=None,
        next_reason="",
    )
    FirstEvent.objects.filter(segment__rollout=rollout).delete()
    note(
        by, verb, rollout, old=old, new=share if state == State.PROMOTED else 0, reason=rollout.reason, **more
    )
    notices.no_longer_holds(rollout, now)
    notices.ended(rollout, by, now)
