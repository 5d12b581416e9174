"""A version that goes into quarantine leaves all traffic in the same transaction: one decision, from the
click to the routes document.
"""

from __future__ import annotations

from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints import rules
from registry.endpoints.actions import canary, intervals
from registry.endpoints.actions.notifying import notify_responders, page_of
from registry.endpoints.actions.publish import next_epoch
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments, rollback
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

Arm = Deployment.Arm


def withdraw(version: ModelVersion, actor: User | None, reason: str) -> int:
    """End all that a version serves, under `lock`. Returns on how many endpoints it served. Possible in a
    freeze too.

    Where it is live, the endpoint is rolled back, or answers nothing where there is no earlier version; a
    canary that ran beside it ends with it, and without a live version the shadow too. The files of what comes
    back are not hashed here: it is by, so the servers have verified and loaded it, and none serves what does
    not verify.
    """
    found = list(
        Endpoint.objects.filter(deployments__in=deployments.running().filter(version=version))
        .distinct()
        .order_by("pk")
    )
    for endpoint in found:
        epoch, alias = next_epoch(), Alias.objects.select_for_update().get(endpoint=endpoint)
        arms = {row.arm: row for row in deployments.serving(endpoint)}
        live, beside, shadow = arms.get(Arm.STABLE), arms.get(Arm.CANARY), arms.get(Arm.SHADOW)
        leaves = live is not None and live.version_id == version.pk
        if beside and (leaves or beside.version_id == version.pk):
            canary.stop(beside, actor, reason, epoch=epoch)
        if shadow and shadow.version_id == version.pk:
            intervals.stop_shadow(shadow, actor, reason)
        if live and leaves:
            leave(alias, live, actor, reason, epoch)
        notify_responders([endpoint], f"{endpoint}: {reason} {now_answers(endpoint)}", page_of(endpoint))
    return len(found)


def leave(alias: Alias, live: Deployment, actor: User | None, reason: str, epoch: int) -> None:
    """Roll an endpoint back from a version in quarantine, or leave it without one: also where the audit log
    knows nothing of an earlier one.
    """
    endpoint, before = live.endpoint, rollback.last_live(live.endpoint)
    if before and deployments.is_recorded(before):
        intervals.roll_back(alias, before.version, actor, reason, epoch)
        return
    intervals.end(live, actor, reason)
    if shadow := deployments.shadow_of(endpoint):
        intervals.stop_shadow(shadow, actor, "No live version to shadow.")
    alias.version, alias.moves = None, alias.moves + 1
    alias.save(update_fields=["version", "moves"])
    record(
        actor,
        Verb.EMPTIED,
        endpoint,
        project=endpoint.model.project.uuid,
        deployment=live.uuid,
        version=live.version.uuid,
        root_digest=live.version.root_digest,
        reason=reason[: rules.REASON_MAX],
        epoch=epoch,
        ends=intervals.ends(live),
    )


def now_answers(endpoint: Endpoint) -> str:
    """What answers after that."""
    live = deployments.live_deployment(endpoint)
    return (
        f"{live.version.semver} is live."
        if live
        else "No version is live; requests get 503 until one is deployed."
    )


def effects(version: ModelVersion) -> list[str]:
    """What `withdraw` would do now, a sentence an arm, for anyone who is about to decide."""
    found = []
    for row in deployments.with_all(deployments.running().filter(version=version)):
        if row.arm != Arm.STABLE:
            found.append(f"{row.endpoint}: its {row.get_arm_display().lower()} stops.")
        elif target := rollback.rollback_target(row.endpoint):
            found.append(f"{row.endpoint}: all traffic goes to {target.semver} within a second.")
        else:
            found.append(
                f"{row.endpoint}: there's no earlier version, so requests get 503 until one is deployed."
            )
    return found
