"""What people do about alerts: acknowledge, resolve, silence."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_move, check_reason
from monitoring.alerts.actions.raising import close
from monitoring.alerts.models import Alert, Silence
from monitoring.alerts.rules.state import (
    MOVES,
    OBJECTIVE_SOURCE,
    REASON_MAX,
    State,
    check_same_state,
    check_until,
)
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import Project, User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

ACKNOWLEDGE, SILENCE = "alerts.acknowledge", "alerts.silence"


@transaction.atomic
def acknowledge(*, alert_id: UUID, actor: User, seen: str) -> Alert:
    """Acknowledge: the actor owns the alert; it doesn't notify again. seen: the state on the page. Raises
    PermissionDenied or Conflict.
    """
    alert = locked(alert_id)
    policy.require(actor, ACKNOWLEDGE, alert)
    check_same_state(seen, alert.state)
    check_move("alert", MOVES, State(alert.state), State.ACKNOWLEDGED)
    alert.state, alert.acknowledged_by, alert.acknowledged_at = State.ACKNOWLEDGED, actor, timezone.now()
    alert.save(update_fields=["state", "acknowledged_by", "acknowledged_at"])
    record(actor, Verb.ALERT_ACKNOWLEDGED, alert, project=alert.project.uuid, source=alert.source)
    return alert


@transaction.atomic
def resolve(*, alert_id: UUID, actor: User, reason: str, seen: str) -> Alert:
    """End an alert by hand, with what was found. Raises PermissionDenied, Conflict, or Refused: without a
    reason, or while an objective still burns, since the next evaluation would open it again.
    """
    alert = locked(alert_id)
    policy.require(actor, ACKNOWLEDGE, alert)
    check_same_state(seen, alert.state)
    text = check_reason(reason, "Resolving an alert", REASON_MAX)
    if alert.source == OBJECTIVE_SOURCE and alert.calm == 0 and alert.state != State.RESOLVED:
        raise Refused(
            "The burn rate is still above its limit, so the alert would reopen immediately.",
            next_step=(
                "Acknowledge it, or silence the endpoint. It resolves automatically when the burn rate falls."
            ),
        )
    close(alert, text, actor, timezone.now())
    return alert


def locked(alert_id: UUID) -> Alert:
    """The alert, under a lock."""
    return (
        Alert.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project", "endpoint")
        .get(uuid=alert_id)
    )


@transaction.atomic
def silence(
    *,
    project: Project,
    endpoint: Endpoint | None,
    until: datetime,
    reason: str,
    actor: User,
    source: str = "",
) -> Silence:
    """No messages about an endpoint, or about all of a project (endpoint None), until then. Alerts are raised
    and shown all the same.

    Raises PermissionDenied, or Refused for more than seven days, a past moment, or no reason.
    """
    policy.require(actor, SILENCE, endpoint or project)
    text, now = check_reason(reason, "A silence", REASON_MAX), timezone.now()
    if endpoint and endpoint.model.project_id != project.pk:
        raise Refused(
            "The endpoint belongs to another project.",
            fields={"endpoint": ["Choose an endpoint of this project."]},
        )
    made = Silence.objects.create(
        project=project,
        endpoint=endpoint,
        source=source,
        until=check_until(until, now),
        reason=text,
        author=actor,
    )
    record(
        actor,
        Verb.ALERT_SILENCED,
        made,
        project=project.uuid,
        endpoint=endpoint.uuid if endpoint else None,
        source=source,
        until=until,
        reason=text,
    )
    return made


@transaction.atomic
def end_silence(*, silence_id: UUID, actor: User) -> Silence:
    """End a silence; open alerts that were suppressed notify next. Raises PermissionDenied, or Conflict when
    it has ended.
    """
    found = (
        Silence.objects.select_for_update(of=("self",))
        .select_related("project", "endpoint")
        .get(uuid=silence_id)
    )
    policy.require(actor, SILENCE, found)
    now = timezone.now()
    if found.ended_at or found.until <= now:
        raise Conflict("This silence has already ended.")
    found.ended_at, found.ended_by = now, actor
    found.save(update_fields=["ended_at", "ended_by"])
    record(actor, Verb.SILENCE_ENDED, found, project=found.project.uuid)
    return found
