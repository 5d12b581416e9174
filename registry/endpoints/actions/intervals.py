"""Beginning and ending the intervals in which a version serves, under the locks of the action that does
it.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict
from registry.catalog.models import Alias, ModelVersion
from registry.endpoints import rules
from registry.endpoints.actions.publish import publish
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments as deployment_queries
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb
from registry.promotions.models import PromotionRequest


def begin(deployment: Deployment) -> Deployment:
    """Save a new interval; the servers get it on commit."""
    deployment.save(force_insert=True)
    transaction.on_commit(publish, robust=True)
    return deployment


def end(deployment: Deployment, actor: User | None, reason: str) -> None:
    """Write an interval's end; the servers get it on commit."""
    deployment.ended_at, deployment.ended_by, deployment.end_reason = (
        timezone.now(),
        actor,
        reason[: rules.REASON_MAX],
    )
    deployment.save(update_fields=["ended_at", "ended_by", "end_reason"])
    transaction.on_commit(publish, robust=True)


def ends(*deployments: Deployment | None) -> dict[str, dict[str, Any]]:
    """When and why these intervals ended, by uuid: as the event of what ended them states it."""
    return {str(each.uuid): {"at": each.ended_at, "reason": each.end_reason} for each in deployments if each}


def switch(
    alias: Alias,
    version: ModelVersion,
    actor: User | None,
    *,
    epoch: int,
    cause: str,
    reason: str = "",
    approval: PromotionRequest | None = None,
) -> Deployment:
    """End what is live, begin the new interval, move the alias."""
    live = deployment_queries.live_deployment(alias.endpoint)
    if live:
        end(live, actor, reason or f"Replaced by {version.semver}.")
    end_shadow_of(version, alias, actor)
    new = begin(
        Deployment(
            endpoint=alias.endpoint,
            version=version,
            cause=cause,
            approval=approval,
            previous=live,
            reason=reason,
            epoch=epoch,
            started_by=actor,
        )
    )
    alias.version, alias.moves = version, alias.moves + 1
    alias.save(update_fields=["version", "moves"])
    return new


def check_recorded(deployment: Deployment) -> None:
    """Raises Conflict for a deployment whose row names another version than the audit log: no one approved
    that one.
    """
    if not deployment_queries.is_recorded(deployment):
        text = f"The audit log doesn't say that {deployment.version} was deployed here."
        raise Conflict(text, next_step="Contact an auditor: the record doesn't match the audit log.")


def roll_back(alias: Alias, target: ModelVersion, actor: User | None, reason: str, epoch: int) -> Deployment:
    """What was live before has all traffic again."""
    new = switch(
        alias, target, actor, epoch=epoch, cause=Deployment.Cause.ROLLBACK, reason=reason[: rules.REASON_MAX]
    )
    record(
        actor,
        Verb.ROLLED_BACK,
        new.endpoint,
        project=new.endpoint.model.project.uuid,
        deployment=new.uuid,
        reason=new.reason,
        version=target.uuid,
        root_digest=target.root_digest,
        previous=new.previous.version.uuid if new.previous else None,
        epoch=epoch,
        ends=ends(new.previous),
    )
    return new


def end_shadow_of(version: ModelVersion, alias: Alias, actor: User | None) -> None:
    """A version that begins to answer is no shadow any more."""
    shadow = deployment_queries.shadow_of(alias.endpoint)
    if shadow and shadow.version_id == version.pk:
        stop_shadow(shadow, actor, "It serves clients now.")


def stop_shadow(shadow: Deployment, actor: User | None, reason: str) -> None:
    """No more copies go to it."""
    end(shadow, actor, reason)
    record_shadow_stopped(shadow, actor)


def record_deployed(
    new: Deployment, actor: User | None, canary: Deployment | None = None, **more: object
) -> None:
    """A version has all traffic by an approval. canary: the interval in which it had a share until now."""
    more |= {"canary": canary.uuid} if canary else {}
    record(
        actor,
        Verb.DEPLOYED,
        new.endpoint,
        project=new.endpoint.model.project.uuid,
        deployment=new.uuid,
        version=new.version.uuid,
        root_digest=new.version.root_digest,
        previous=new.previous.version.uuid if new.previous else None,
        request=new.approval.uuid if new.approval else None,
        epoch=new.epoch,
        ends=ends(new.previous, canary),
        **more,
    )


def record_shadow_stopped(shadow: Deployment, actor: User | None) -> None:
    """A shadow has ended."""
    record(
        actor,
        Verb.SHADOW_STOPPED,
        shadow.endpoint,
        project=shadow.endpoint.model.project.uuid,
        deployment=shadow.uuid,
        version=shadow.version.uuid,
        reason=shadow.end_reason,
        ends=ends(shadow),
    )
