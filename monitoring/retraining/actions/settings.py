"""What makes the product propose on its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from lifecycle.runtime.refusals import Conflict
from monitoring.retraining import rules
from monitoring.retraining.models import Trigger
from monitoring.retraining.queries import triggers
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def set_trigger(
    *,
    endpoint_id: UUID,
    kind: str,
    actor: User,
    threshold: float,
    enabled: bool,
    start: str | None = None,
    seen: str | None = None,
    **numbers: int,
) -> Trigger:
    """Set one kind of trigger of an endpoint, as a whole. The actor answers from now on for what it proposes.

    start: one of rules.Start. numbers: rules.LIMITS. Those that are left out keep their value or get the
    usual one. seen:
    queries.settings_seen as the person read it, None for a program that sets it whatever it was. Raises
    PermissionDenied, Refused by field, or Conflict (set by someone meanwhile).
    """
    endpoint = (
        Endpoint.objects.select_for_update(of=("self",), no_key=True)
        .select_related("model__project")
        .get(uuid=endpoint_id)
    )
    policy.require(actor, "retraining.manage", endpoint)
    if seen is not None and seen != triggers.settings_seen(endpoint):
        raise Conflict(
            "Someone else changed these settings while you had them open.",
            next_step="Reload the page and save again.",
        )
    known = endpoint.triggers.filter(kind=kind).first()
    values: dict[str, Any] = {
        name: getattr(known, name) if known else limit.default for name, limit in rules.LIMITS.items()
    } | numbers
    rules.check_settings(kind, threshold, values)
    start = start or (known.start if known else rules.Start.BASE)
    values |= {"threshold": threshold, "enabled": enabled, "start": start}
    old = {name: getattr(known, name) for name in values} if known else None
    if old == values:
        return known  # type: ignore[return-value]  # there is one where there is an old state
    trigger, _ = Trigger.objects.update_or_create(
        endpoint=endpoint, kind=kind, defaults=values | {"author": actor}
    )
    record(
        actor,
        Verb.TRIGGER_SET,
        trigger,
        project=endpoint.model.project.uuid,
        endpoint=endpoint.uuid,
        kind=kind,
        old=old,
        new=values,
    )
    return trigger
