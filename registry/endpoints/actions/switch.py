"""Deploy an approved version, or go back to the last live one. Each is one transaction; the servers learn of
it right after the commit.

Locks are taken in one order: the row of the routes, the request, its version, the alias, then the audit log's
chain.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_reason
from registry.catalog.actions.files import is_remembered, materialise
from registry.catalog.models import Alias, Endpoint, ModelVersion
from registry.endpoints import rules
from registry.endpoints.actions import canary, intervals
from registry.endpoints.actions.publish import next_epoch
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments, rollback
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.promotions import plans
from registry.promotions.actions.deploy import claim_approval, fulfilled, ready_to_deploy
from registry.promotions.models import PromotionRequest


def deploy(
    *, request_id: UUID, actor: User, steered: Callable[[Deployment], object] | None = None
) -> Deployment:
    """Let the version of an approved request serve its endpoint by the approved plan: in place of the live
    one, or at a share of the requests beside it.

    steered: of the room whose rule steers the canary, where the plan is such a canary; called with the new
    deployment inside the same transaction. Raises PermissionDenied, Conflict (not approved any more, used
    already, overtaken by a change, a canary runs) or Refused (approved for a rule and none steers, or the
    reverse, frozen, damaged files, nothing live to compare with). The files are laid out and verified before
    the transaction, since nothing slow happens under a lock.
    """
    policy.require(actor, "endpoints.deploy", PromotionRequest.objects.get(uuid=request_id))
    ready = ready_to_deploy(request_id)
    if (plans.canary_of(ready.plan) is None) != (steered is None):
        raise plans.different_plan(ready.plan)
    materialise(ready.version)
    return _deploy(request_id, actor, steered)


@transaction.atomic
def _deploy(request_id: UUID, actor: User, steered: Callable[[Deployment], object] | None) -> Deployment:
    epoch = next_epoch()
    request = claim_approval(request_id)
    policy.require(actor, "endpoints.deploy", request)
    alias = Alias.objects.select_for_update().get(endpoint=request.endpoint)
    if alias.version_id == request.version_id:
        raise Conflict(f"{request.version} is already live.")
    if running := deployments.canary_of(request.endpoint):
        raise Conflict(
            f"{running.version.semver} is a canary on {request.endpoint}, and only one can run at a time.",
            next_step="Stop it or widen it to all traffic first.",
        )
    share = plans.share_of(request.plan)
    if share < rules.ALL:
        new = canary.start(alias, request, actor, epoch=epoch, share=share)
    else:
        new = intervals.switch(
            alias, request.version, actor, epoch=epoch, cause=Deployment.Cause.PROMOTION, approval=request
        )
        intervals.record_deployed(new, actor)
    fulfilled(request, new, actor=actor)
    if steered:
        steered(new)
    return new


def roll_back(*, endpoint_id: UUID, actor: User, reason: str, typed: str, seen_moves: int) -> Deployment:
    """Send all traffic back to the version that was live before the approval in force. Needs a role, a reason
    and the typed version; no approval. What is newer, or was itself rolled back, is no target
    (`rollback.goes_back`): it needs an approval again.

    Clients wait for this, so the files of the version are not hashed where they are those that were hashed
    last (every hour, and within half a minute of a change); else they are, now.

    typed: the semver that has all traffic afterwards. While a canary runs, typing the live version stops the
    canary; typing the version before it stops the canary and makes that one live. seen_moves: the alias'
    count of moves on the page the person looked at. Returns the deployment that has all traffic. Raises
    PermissionDenied, Conflict (another version is live meanwhile, or the audit log doesn't say that the one
    before was ever) or Refused (no version to go back to, wrong words, damaged files).
    """
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=endpoint_id)
    policy.require(actor, "endpoints.roll_back", endpoint)
    live, running = deployments.live_deployment(endpoint), deployments.canary_of(endpoint)
    if live and running and typed.strip() == live.version.semver:
        return _back_from_canary(
            endpoint, live, running, actor, check_reason(reason, "A rollback", rules.REASON_MAX), seen_moves
        )
    target = rollback.rollback_target(endpoint)
    if target is None:
        raise Refused(rules.NOTHING_BEFORE, next_step="Request promotion of another version and deploy it.")
    if live and typed.strip() == live.version.semver:
        raise Refused(
            f"{live.version.semver} already has all traffic.",
            fields={"typed": [f"Type {target.semver} to roll back to it."]},
        )
    rules.check_typed(typed, *([live.version.semver] if live and running else []), target.semver)
    reason = check_reason(reason, "A rollback", rules.REASON_MAX)
    if not is_remembered(target):
        materialise(target)
    return _roll_back(endpoint, target, actor, reason, seen_moves)


@transaction.atomic
def _back_from_canary(
    endpoint: Endpoint, live: Deployment, running: Deployment, actor: User, reason: str, seen_moves: int
) -> Deployment:
    epoch = next_epoch()
    alias = Alias.objects.select_for_update().get(endpoint=endpoint)
    policy.require(actor, "endpoints.roll_back", endpoint)
    rules.check_moves(seen_moves, alias.moves)
    now = deployments.canary_of(endpoint)
    if now is None or now.version_id != running.version_id:
        raise Conflict("The canary has ended.", next_step="Reload the page, then decide.")
    canary.stop(now, actor, reason, epoch=epoch)
    return live


@transaction.atomic
def _roll_back(
    endpoint: Endpoint, target: ModelVersion, actor: User, reason: str, seen_moves: int
) -> Deployment:
    epoch = next_epoch()
    alias = Alias.objects.select_for_update().get(endpoint=endpoint)
    policy.require(actor, "endpoints.roll_back", endpoint)
    rules.check_moves(seen_moves, alias.moves)
    ModelVersion.objects.select_for_update(no_key=True).get(pk=target.pk)
    before = rollback.last_live(endpoint)
    if before is None or before.version != target:
        raise Conflict(
            f"The rollback target of {endpoint} changed.", next_step="Reload the page, then decide."
        )
    intervals.check_recorded(before)
    if running := deployments.canary_of(endpoint):
        canary.stop(
            running, actor, f"The endpoint was rolled back: {reason}"[: rules.REASON_MAX], epoch=epoch
        )
    return intervals.roll_back(alias, target, actor, reason, epoch)
