"""What servers report: refusals and problems are noted once and notify those on call, a closed canary is
stopped.
"""

from __future__ import annotations

import logging

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from lifecycle.ground.notices import outbox
from lifecycle.runtime.refusals import Damaged, Refused
from registry.catalog.actions.files import (
    hashing_alone,
    is_remembered,
    materialise,
    served_folder,
    verify_copy,
)
from registry.catalog.actions.quarantine import quarantine
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import servers
from registry.endpoints.actions.canary import stop_closed
from registry.endpoints.actions.notifying import notify_responders, page_of
from registry.endpoints.models import Deployment, Routes
from registry.endpoints.queries import deployments, published, reports
from registry.endpoints.routes import standbys
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

log = logging.getLogger(__name__)
PROBLEM_MAX = 300


def check_loads() -> int:
    """Look at what the servers wrote of each version that runs, in every arm. Returns how many refusals are
    new.

    A version whose files do not verify is quarantined, which takes it off all traffic: it may never be served
    again.
    """
    states, noted, missed = servers.server_states(), 0, reports.recently_dead(timezone.now())
    for deployment in deployments.running().select_related(
        "endpoint__model__project", "version__model__project", "version__folder"
    ):
        reason = next((reason for state in states if (reason := state.refusal_of(deployment.version))), "")
        if reason and not deployments.is_refusal_noted(deployment):
            note_refusal(deployment, reason)
            noted += 1
        elif any(state.refusal_of(deployment.version) for state in missed):
            continue  # a server that refused it and died has not loaded it
        elif {state.state_of(deployment.version) for state in states} - {""} == {
            "ready"
        } and deployments.is_refusal_noted(deployment):
            note_recovery(deployment)
    return noted


def lay_out_missing() -> bool:
    """Restore missing served files of running and standby versions, as after a restore of a backup. True if
    any were restored.
    """
    restored = False
    for version in in_use():
        restored |= lay_out_again(version)
    return restored


def in_use() -> set[ModelVersion]:
    """The versions that run in any arm, and those that a rollback would make live."""
    running = deployments.running().select_related("version__folder", "version__model")
    return {*(row.version for row in running), *standbys().values()}


def verify_in_use(*, changed: bool = False) -> int:
    """Hash the files of versions in use again, quarantine what does not hold, and return how many versions
    were hashed.

    changed: of those alone that were never hashed, or whose files are not as they were then. What holds is
    remembered, so that a rollback need not hash it while clients wait. A version that an earlier check still
    hashes is left to it. Call it outside a transaction.
    """
    return sum(verify_served(version, changed=changed) for version in in_use())


def verify_served(version: ModelVersion, *, changed: bool) -> bool:
    """Whether a version was hashed, and what does not hold quarantined. changed: as in `verify_in_use`."""
    if version.state != ModelVersion.State.ACTIVE or not served_folder(version).exists():
        return False
    with hashing_alone(version) as alone:
        if not alone or (changed and is_remembered(version)):
            return False
        if damage := damage_of(version):
            quarantine(version_id=version.uuid, reason=f"Its served files were changed: {damage}", actor=None)
        elif not is_remembered(version):  # a file is missing
            lay_out(version)
    return True


def lay_out_again(version: ModelVersion) -> bool:
    """Lay out an active version whose folder is missing. False where there was nothing to do, or the bytes
    are missing or damaged.
    """
    if version.state != ModelVersion.State.ACTIVE or served_folder(version).exists():
        return False
    return lay_out(version)


def lay_out(version: ModelVersion) -> bool:
    """Lay out a version for the servers, whole. False where the bytes are missing or damaged, or the key is
    another.
    """
    try:
        materialise(version)
    except Refused as refusal:
        log.error("event=not_laid_out version=%s reason=%s", version.uuid, refusal.code)
        return False
    return True


def damage_of(version: ModelVersion) -> str:
    """What is wrong with the files that the servers were given; empty when they verify."""
    try:
        verify_copy(version)
    except Damaged as refusal:
        return refusal.message
    except (Refused, OSError):
        return ""  # missing is not damaged
    return ""


def note_refusal(deployment: Deployment, reason: str) -> None:
    """Record that a server did not load a live version, quarantine it if it is damaged, and notify those who
    can roll back.
    """
    endpoint, version = deployment.endpoint, deployment.version
    damage = damage_of(version)
    with transaction.atomic():
        if damage and version.state == ModelVersion.State.ACTIVE:
            quarantine(version_id=version.uuid, reason=f"A server refused to load it: {damage}", actor=None)
        record(
            None,
            Verb.LOAD_REFUSED,
            version,
            project=endpoint.model.project.uuid,
            endpoint=endpoint.uuid,
            deployment=deployment.uuid,
            root_digest=version.root_digest,
            reason=reason[:300],
            quarantined=bool(damage),
        )
        outbox.append(
            "endpoints.load_refused",
            project=endpoint.model.project,
            endpoint=str(endpoint.uuid),
            deployment=str(deployment.uuid),
            version=str(version.uuid),
            arm=deployment.arm,
            quarantined=bool(damage),
        )
        notify_responders(
            [endpoint], f"{endpoint}: a server refused to load {version.semver}. {reason}", page_of(endpoint)
        )


@transaction.atomic
def note_recovery(deployment: Deployment) -> None:
    """Record that every server that should load the version has loaded it, which ends its refusal."""
    endpoint, version = deployment.endpoint, deployment.version
    about = {"endpoint": str(endpoint.uuid), "deployment": str(deployment.uuid)}
    record(None, Verb.LOAD_RECOVERED, version, project=endpoint.model.project.uuid, **about)
    outbox.append(
        "endpoints.load_recovered", project=endpoint.model.project, version=str(version.uuid), **about
    )


def take_out() -> int:
    """End the canaries that a server's guard closed, also one that has died since. Returns how many.

    A guard's line in the spool reports it too; whichever is read first stops the canary, the other finds it
    stopped.
    """
    taken, states = 0, servers.written_states()
    closed = {arm.deployment: arm for state in states for arm in state.closed}
    for row in deployments.running().filter(arm=Deployment.Arm.CANARY):
        if arm := closed.get(str(row.uuid)):
            stop_closed(deployment_id=row.uuid, failures=arm.failures, of=arm.of)
            taken += 1
    return taken


def check_problems() -> int:
    """Raise each problem that a server reports with its routes, once, and once more when it is resolved.

    Returns how many servers changed what they report. The topic `endpoints.server_problem` carries the
    server's message, empty when all is well. A server that died reports nothing: its problem stays, and what
    it reports when it runs again is raised even if it is the same.
    """
    changed, noted = 0, published.routes_row().problems
    problems = {state.name: (state.problem[:PROBLEM_MAX], state.epoch) for state in servers.server_states()}
    silent = {name: (None, 0) for name in noted if name not in problems}
    for server, (problem, epoch) in (problems | silent).items():
        if problem == noted.get(server, ""):
            continue
        with transaction.atomic():
            row = Routes.objects.select_for_update().get(pk=published.routes_row().pk)
            row.problems = {
                name: reported
                for name, reported in (row.problems | {server: problem}).items()
                if reported != ""
            }
            row.save(update_fields=["problems"])
            if problem is None:
                continue
            outbox.append("endpoints.server_problem", server=server, problem=problem, epoch=epoch)
            if problem:
                notify_everyone(server or "default", problem, epoch)
        changed += 1
    return changed


def notify_everyone(server: str, problem: str, epoch: int) -> None:
    """Notify the on-call people and leads of everything live, each once. Only a project's own people get text
    that names its endpoint.
    """
    texts: dict[str, list[Endpoint]] = {}
    for row in deployments.live().select_related("endpoint__model"):
        texts.setdefault(reports.problem_for(row.endpoint.model.project_id, problem), []).append(row.endpoint)
    notified: set[int] = set()
    # those who may see more get only that
    for sentence in sorted(texts, key=lambda text: text == reports.ELSEWHERE):
        message = f"Inference server {server}: {sentence} It stays on config v{epoch}."
        notified |= notify_responders(texts[sentence], message, reverse("endpoints:list"), besides=notified)
