"""Taking a version out of service for good."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from lifecycle.runtime.rules import check_move, check_reason
from registry.catalog import rules, serving
from registry.catalog.models import ModelVersion
from registry.catalog.rules import State
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def quarantine(*, version_id: UUID, reason: str, actor: User | None) -> ModelVersion:
    """Take a version off all traffic and keep it from being served or downloaded, for good. actor: None when
    the system found its files or signature damaged.
    """
    serving.lock()
    version = (
        ModelVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("model__project")
        .get(uuid=version_id)
    )
    if actor is not None:
        access.require(actor, "catalog.quarantine", version)
    why = check_reason(
        reason if actor else reason.strip()[: rules.REASON_MAX], "A quarantine", rules.REASON_MAX
    )
    if version.state == State.QUARANTINED:
        return version
    check_move("version", rules.MOVES, State(version.state), State.QUARANTINED)
    version.state, version.state_reason = State.QUARANTINED, why
    version.save(update_fields=["state", "state_reason"])
    record(
        actor,
        Verb.VERSION_QUARANTINED,
        version,
        project=version.model.project.uuid,
        reason=version.state_reason,
        root_digest=version.root_digest,
    )
    serving.withdraw(version, actor, f"{version.semver} was quarantined: {version.state_reason}")
    return version
