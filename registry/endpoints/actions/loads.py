"""What servers refuse to load: noted once, told to those on call, and a damaged version quarantined."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from lifecycle import bundle
from lifecycle.notices.actions import notify
from lifecycle.refusals import Refused
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


def check_loads() -> int:
    """Look at what the servers wrote of each live version. Returns how many refusals are new.

    A version whose files are missing is laid out again; one whose files do not verify is quarantined: it may never be served again. The
    endpoint goes on with what it answered with before, since the servers do.
    """
    states, noted = queries.server_states(), 0
    for deployment in queries.live().select_related("endpoint__model__project", "version__model__project", "version__folder"):
        lay_out_again(deployment.version)
        reason = next((reason for state in states if (reason := state.refusal_of(deployment.version))), "")
        if reason and not queries.is_refusal_noted(deployment):
            note_refusal(deployment, reason)
            noted += 1
    return noted


def folder_of(version: ModelVersion) -> Path:
    """Where the servers find the version's files."""
    return Path(settings.DATA_DIR) / "serving" / "artifacts" / version.root_digest


def lay_out_again(version: ModelVersion) -> None:
    """Bring back the files of an active version that are gone from where the servers look."""
    if version.state == ModelVersion.State.ACTIVE and not folder_of(version).exists():
        try:
            materialise(version)
        except Refused:
            return  # it is quarantined now, which is recorded


def damage_of(version: ModelVersion) -> str:
    """What is wrong with the files that the servers were given; empty when they verify."""
    try:
        bundle.verify(folder_of(version), keys.public_key_path(), expected_root=version.root_digest)
    except Refused as refusal:
        return refusal.message
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
