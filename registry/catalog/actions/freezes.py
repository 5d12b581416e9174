"""Freezing an endpoint: a stop on promotions and deployments with an owner and an end."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.rules import check_reason
from registry.catalog import rules
from registry.catalog.models import Endpoint, Freeze
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def freeze(*, endpoint_id: UUID, reason: str, until: datetime, actor: User) -> Freeze:
    """Stop promotions to an endpoint and deployments on it until a moment; rolling back stays possible."""
    endpoint = (
        Endpoint.objects.select_for_update(of=("self",), no_key=True)
        .select_related("model__project")
        .get(uuid=endpoint_id)
    )
    access.require(actor, "catalog.freeze", endpoint)
    now = timezone.now()
    why = check_reason(reason, "A freeze", rules.REASON_MAX)
    rules.check_freeze(until, now)
    for old in endpoint.freezes.filter(lifted_at=None):
        if old.until > now:
            raise Conflict(f"{endpoint.slug} is already frozen.", next_step="Lift that freeze first.")
        old.lifted_at = old.until
        old.save(update_fields=["lifted_at"])
    made = Freeze.objects.create(endpoint=endpoint, owner=actor, reason=why, until=until)
    record(
        actor,
        Verb.ENDPOINT_FROZEN,
        endpoint,
        project=endpoint.model.project.uuid,
        reason=made.reason,
        until=until,
    )
    return made


@transaction.atomic
def lift_freeze(*, freeze_id: UUID, actor: User) -> Freeze:
    """End a freeze before its time."""
    found = (
        Freeze.objects.select_for_update(of=("self",))
        .select_related("endpoint__model__project")
        .get(uuid=freeze_id)
    )
    access.require(actor, "catalog.freeze", found)
    if found.lifted_at is not None:
        raise Conflict("This freeze has already ended.")
    found.lifted_at, found.lifted_by = timezone.now(), actor
    found.save(update_fields=["lifted_at", "lifted_by"])
    record(
        actor,
        Verb.ENDPOINT_UNFROZEN,
        found.endpoint,
        project=found.endpoint.model.project.uuid,
        freeze=found.uuid,
    )
    return found
