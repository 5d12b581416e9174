"""What servers refuse to load: noted once, told to those on call, and a damaged version quarantined."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from lifecycle import bundle
from lifecycle.notices.actions import notify
from lifecycle.refusals import Damaged, Refused
from registry.access.policy import holders
from registry.access.roles import Role
from registry.catalog.actions.files import materialise
from registry.catalog.actions.quarantine import quarantine
from registry.catalog.models import ModelVersion
from registry.endpoints import queries
from registry.endpoints.models import Deployment
from registry.ledger import keys
from registry.ledger.actions import record
from registry.ledger.verbs import Verb

log = logging.getLogger(__name__)


def check_loads() -> int:
    """Look at what the servers wrote of each live version. Returns how many refusals are new.

    A version whose files do not verify is quarantined: it may never be served again. The endpoint goes on with what it answered with
    before, since the servers do.
    """
    states, noted = queries.server_states(), 0
    for deployment in queries.live().select_related("endpoint__model__project", "version__model__project", "version__folder"):
        reason = next((reason for state in states if (reason := state.refusal_of(deployment.version))), "")
        if reason and not queries.is_refusal_noted(deployment):
            note_refusal(deployment, reason)
            noted += 1
    return noted


def folder_of(version: ModelVersion) -> Path:
    """Where the servers find the version's files."""
    return Path(settings.DATA_DIR) / "serving" / "artifacts" / version.root_digest


def lay_out_missing() -> bool:
    """Bring back the files of live and standby versions that are gone from where the servers look, as after a restore. True if any came."""
    came = False
    for deployment in queries.live().select_related("endpoint", "version__folder", "version__model"):
        for version in filter(None, [deployment.version, queries.rollback_target(deployment.endpoint)]):
            came |= lay_out_again(version)
    return came


def lay_out_again(version: ModelVersion) -> bool:
    """Lay out an active version whose folder is gone. False where there was nothing to do, or the bytes are missing or damaged."""
    if version.state != ModelVersion.State.ACTIVE or folder_of(version).exists():
        return False
    try:
        materialise(version)
    except Refused as refusal:
        log.error("event=not_laid_out version=%s reason=%s", version.uuid, refusal.code)
        return False
    return True


def damage_of(version: ModelVersion) -> str:
    """What is wrong with the files that the servers were given; empty when they verify."""
    try:
        bundle.verify(folder_of(version), keys.public_key_path(), expected_root=version.root_digest)
    except Damaged as refusal:
        return refusal.message
    except Refused:
        return ""  # missing is not damaged
    return ""


def note_refusal(deployment: Deployment, reason: str) -> None:
    """Record that a server did not load a live version, quarantine it if it is damaged, and tell those who can roll back."""
    endpoint, version = deployment.endpoint, deployment.version
    damage = damage_of(version)
    with transaction.atomic():
        if damage and version.state == ModelVersion.State.ACTIVE:
            quarantine(version_id=version.uuid, reason=f"A server refused it: {damage}", actor=None)
        record(
            None, Verb.LOAD_REFUSED, version, project=endpoint.model.project.uuid, endpoint=endpoint.uuid, deployment=deployment.uuid,
            root_digest=version.root_digest, reason=reason[:300], quarantined=bool(damage),
        )  # fmt: skip
        people = {*holders(Role.ONCALL, endpoint), *holders(Role.LEAD, endpoint)}
        text = f"{endpoint}: a server refused to load {version.semver}. {reason}"
        notify(sorted(people, key=lambda person: person.pk), text, reverse("endpoints:detail", args=[endpoint.uuid]))
