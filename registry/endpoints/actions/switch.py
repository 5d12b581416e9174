"""Deploy an approved version, or go back to the last live one. Each is one transaction; the servers learn of it right after the commit."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.refusals import Conflict, Refused
from registry.access import policy
from registry.access.models import User
from registry.catalog.actions.files import materialise
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints import queries, rules
from registry.endpoints.actions.publish import next_epoch, publish
from registry.endpoints.models import Deployment
from registry.ledger.actions import record
from registry.ledger.verbs import Verb
from registry.promotions.actions.deploy import claim_approval, fulfilled, ready_to_deploy
from registry.promotions.models import PromotionRequest


def deploy(*, request_id: UUID, actor: User) -> Deployment:
    """Make the version of an approved request live on its endpoint, in place of the one before.

    Raises PermissionDenied, Conflict (not approved any more, used already, overtaken by a change) or Refused (frozen, damaged files).
    The files are laid out and verified before the transaction, since nothing slow happens under a lock.
    """
    policy.require(actor, "endpoints.deploy", PromotionRequest.objects.get(uuid=request_id))
    materialise(ready_to_deploy(request_id).version)
    return _deploy(request_id, actor)


@transaction.atomic
def _deploy(request_id: UUID, actor: User) -> Deployment:
    epoch = next_epoch()
    request = claim_approval(request_id)
    policy.require(actor, "endpoints.deploy", request)
    alias = Alias.objects.select_for_update().get(endpoint=request.endpoint)
    if alias.version_id == request.version_id:
        raise Conflict(f"{request.version} is live already.")
    new = switch(alias, request.version, actor, epoch=epoch, cause=Deployment.Cause.PROMOTION, reason="", approval=request)
    fulfilled(request, new, actor=actor)
    record(
        actor, Verb.DEPLOYED, request.endpoint, project=request.endpoint.model.project.uuid, deployment=new.uuid,
        version=request.version.uuid, root_digest=request.version.root_digest,
        previous=new.previous.version.uuid if new.previous else None, request=request.uuid, epoch=epoch,
    )  # fmt: skip
    return new


def roll_back(*, endpoint_id: UUID, actor: User, reason: str, typed: str, seen_moves: int) -> Deployment:
    """Make the last live version live again. Needs a role, a reason and the typed version; no approval.

    typed: the semver that becomes live. seen_moves: the alias' count of moves on the page the person looked at.
    Raises PermissionDenied, Conflict (another version is live meanwhile) or Refused (no version to go back to, wrong words, damaged files).
    """
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=endpoint_id)
    policy.require(actor, "endpoints.roll_back", endpoint)
    target = queries.rollback_target(endpoint)
    if target is None:
        raise Refused(f"No other version was ever live on {endpoint}.", next_step="Deploy an approved version instead.")
    rules.check_typed(typed, target.semver)
    reason = rules.check_reason(reason)
    materialise(target)
    return _roll_back(endpoint, target, actor, reason, seen_moves)


@transaction.atomic
def _roll_back(endpoint: Endpoint, target: ModelVersion, actor: User, reason: str, seen_moves: int) -> Deployment:
    epoch = next_epoch()
    alias = Alias.objects.select_for_update().get(endpoint=endpoint)
    policy.require(actor, "endpoints.roll_back", endpoint)
    rules.check_moves(seen_moves, alias.moves)
    if ModelVersion.objects.select_for_update().get(pk=target.pk).state != ModelVersion.State.ACTIVE:
        raise Refused(f"{target} is not active any more and is not served.", next_step="Deploy an approved version instead.")
    new = switch(alias, target, actor, epoch=epoch, cause=Deployment.Cause.ROLLBACK, reason=reason, approval=None)
    record(
        actor, Verb.ROLLED_BACK, endpoint, project=endpoint.model.project.uuid, deployment=new.uuid, reason=reason, version=target.uuid,
        root_digest=target.root_digest, previous=new.previous.version.uuid if new.previous else None, epoch=epoch,
    )  # fmt: skip
    return new


def switch(
    alias: Alias, version: ModelVersion, actor: User, *, epoch: int, cause: str, reason: str, approval: PromotionRequest | None
) -> Deployment:
    """End what is live, begin the new interval, move the alias; all under the caller's locks. The servers are told on commit."""
    live = Deployment.objects.filter(endpoint=alias.endpoint, arm=Deployment.Arm.STABLE, ended_at=None).first()
    if live:
        live.ended_at, live.ended_by, live.end_reason = timezone.now(), actor, reason or f"Replaced by {version.semver}."
        live.save(update_fields=["ended_at", "ended_by", "end_reason"])
    new = Deployment.objects.create(
        endpoint=alias.endpoint,
        version=version,
        cause=cause,
        approval=approval,
        previous=live,
        reason=reason,
        epoch=epoch,
        started_by=actor,
    )
    alias.version, alias.moves = version, alias.moves + 1
    alias.save(update_fields=["version", "moves"])
    transaction.on_commit(publish, robust=True)
    return new
