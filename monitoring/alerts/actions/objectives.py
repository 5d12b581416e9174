"""Setting, changing and switching off what an endpoint is held to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from monitoring.alerts.actions.raising import close
from monitoring.alerts.models import Alert, Objective
from monitoring.alerts.rules.objectives import Kind, check_objective
from monitoring.alerts.rules.state import OBJECTIVE_SOURCE, State
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

MANAGE = "alerts.manage"
STALE = "Someone else changed this objective while you had it open."


@transaction.atomic
def set_objective(
    *,
    endpoint_id: UUID,
    kind: str,
    target: float,
    window_days: int,
    threshold_ms: float | None,
    actor: User,
    seen: int,
    owner: User | None = None,
) -> Objective:
    """Hold an endpoint to a share of good events; the first of its kind, or instead of the one that is there.

    seen: the revision on the form, 0 where there was none. owner: whom tickets go to beside on-call; has to
    see the endpoint. Raises PermissionDenied, Refused (values that do not fit, named by field) or Conflict
    (someone changed it meanwhile).
    """
    endpoint = (
        Endpoint.objects.select_for_update(of=("self",), no_key=True)
        .select_related("model__project")
        .get(uuid=endpoint_id)
    )
    policy.require(actor, MANAGE, endpoint)
    if kind not in Kind.values:
        raise Refused("Objective not found.", fields={"kind": [f"Choose one of {', '.join(Kind.values)}."]})
    check_objective(kind, target, threshold_ms, window_days)
    if owner is not None and not policy.can(owner, "alerts.view", endpoint):
        raise Refused("The owner can't see this endpoint.", fields={"owner": [f"{owner} has no role here."]})
    wanted = {
        "target": target,
        "threshold_ms": threshold_ms,
        "window_days": window_days,
        "owner": owner,
        "is_on": True,
    }
    found = Objective.objects.filter(endpoint=endpoint, kind=kind).first()
    if seen != (found.revision if found else 0):
        raise Conflict(STALE, next_step="Reload the page and try again.")
    if found is None:
        return create(endpoint, kind, wanted, actor)
    was = facts(found)
    for name, value in wanted.items():
        setattr(found, name, value)
    if facts(found) == was:
        return found
    found.revision, found.reading, found.read_at = found.revision + 1, {}, None
    found.save()
    end_alerts(found, "The objective was changed.", actor)
    note_set(found, actor, was=was)
    return found


def create(endpoint: Endpoint, kind: str, wanted: dict[str, Any], actor: User) -> Objective:
    """The first objective of its kind."""
    try:
        with transaction.atomic():
            made = Objective.objects.create(endpoint=endpoint, kind=kind, **wanted)
    except IntegrityError:
        raise Conflict(STALE, next_step="Reload the page and try again.") from None
    note_set(made, actor, was=None)
    return made


@transaction.atomic
def switch_objective(*, objective_id: UUID, is_on: bool, actor: User, seen: int) -> Objective:
    """Stop evaluating an objective, or continue. Its open alerts end with it. Raises PermissionDenied or
    Conflict.
    """
    found = (
        Objective.objects.select_for_update(of=("self",))
        .select_related("endpoint__model__project")
        .get(uuid=objective_id)
    )
    policy.require(actor, MANAGE, found)
    if seen != found.revision:
        raise Conflict(STALE, next_step="Reload the page and try again.")
    if found.is_on == is_on:
        return found
    was = facts(found)
    found.is_on, found.revision, found.reading, found.read_at = is_on, found.revision + 1, {}, None
    found.save()
    if not is_on:
        end_alerts(found, "The objective was switched off.", actor)
    note_set(found, actor, was=was)
    return found


def end_alerts(objective: Objective, text: str, actor: User) -> None:
    """What was open about it is no longer measured by the same rule."""
    rows = (
        Alert.objects.select_for_update(no_key=True)
        .filter(endpoint=objective.endpoint, source=OBJECTIVE_SOURCE)
        .exclude(state=State.RESOLVED)
    )
    for alert in rows.select_related("project", "endpoint"):
        if alert.key.get("objective") == objective.kind:
            close(alert, text, actor, timezone.now())


def facts(objective: Objective) -> dict[str, Any]:
    """What an Event reports about it."""
    return {
        "target": objective.target,
        "threshold_ms": objective.threshold_ms,
        "window_days": objective.window_days,
        "owner": objective.owner.uuid if objective.owner else None,
        "is_on": objective.is_on,
    }


def note_set(objective: Objective, actor: User, was: dict[str, Any] | None) -> None:
    """The Event of a change."""
    endpoint = objective.endpoint
    record(
        actor,
        Verb.OBJECTIVE_SET,
        objective,
        project=endpoint.model.project.uuid,
        endpoint=endpoint.uuid,
        kind=objective.kind,
        revision=objective.revision,
        was=was,
        **facts(objective),
    )
