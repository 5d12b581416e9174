"""A canary: an approved version that answers a share of the requests beside the live one. Widened, stopped,
or made live at 100 %.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from lifecycle.ground.notices import outbox
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.runtime.rules import check_reason
from registry.catalog.actions.files import materialise
from registry.catalog.models import Alias
from registry.endpoints import rules, steering
from registry.endpoints.actions import intervals
from registry.endpoints.actions.publish import next_epoch
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments, reports
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb
from registry.promotions.actions.deploy import check_still_holds
from registry.promotions.models import PromotionRequest

ACTION = "endpoints.set_share"


def start(alias: Alias, request: PromotionRequest, actor: User, *, epoch: int, share: int) -> Deployment:
    """Begin a canary, under the locks of `deploy`. Raises Refused where nothing is live that it could be
    compared with.
    """
    live = deployments.live_deployment(alias.endpoint)
    if live is None:
        raise Refused(
            f"Nothing is live on {alias.endpoint}, so there's nothing to compare a canary with.",
            next_step="Deploy to all traffic.",
        )
    intervals.end_shadow_of(request.version, alias, actor)
    new = intervals.begin(
        Deployment(
            endpoint=alias.endpoint,
            version=request.version,
            arm=Deployment.Arm.CANARY,
            share=share,
            cause=Deployment.Cause.PROMOTION,
            approval=request,
            epoch=epoch,
            started_by=actor,
        )
    )
    record(
        actor,
        Verb.CANARY_STARTED,
        alias.endpoint,
        project=alias.endpoint.model.project.uuid,
        deployment=new.uuid,
        share=share,
        version=request.version.uuid,
        root_digest=request.version.root_digest,
        stable=live.version.uuid,
        request=request.uuid,
        epoch=epoch,
    )
    return new


def set_share(
    *,
    deployment_id: UUID,
    share: int,
    actor: User | None,
    reason: str = "",
    seen: int | None = None,
    steered: bool = False,
) -> Deployment:
    """Give a running canary another share of 10,000, and return the interval that takes over. At 10,000 it is
    live: the alias moves.

    actor: None for the system's own rule. seen: the alias' moves on the page the person looked at. steered:
    the room that steers the canary asks; without it a person is refused where a rule steers, and says why
    where the share grows. A wider share reads everything that the approval rests on again. Raises
    PermissionDenied, Conflict (not running any more, changed meanwhile, overtaken by a change, closed by a
    server) or Refused (frozen, damaged, no such share). Nothing has changed then: the canary holds its share.
    """
    found = deployments.running_canary(deployment_id)
    if actor is not None:
        policy.require(actor, ACTION, found)
    rules.check_share(share)
    by_hand = actor is not None and not steered
    if by_hand and share > found.share:
        check_reason(reason, "A wider share", rules.REASON_MAX)
    if share > found.share:
        materialise(found.version)
    return _set_share(found, share, actor, reason.strip(), seen, by_hand)


@transaction.atomic
def _set_share(
    found: Deployment, share: int, actor: User | None, reason: str, seen: int | None, by_hand: bool
) -> Deployment:
    epoch = next_epoch()
    approval = (
        check_still_holds(PromotionRequest.objects.get(deployments=found).uuid)
        if share > found.share
        else None
    )
    alias = Alias.objects.select_for_update().get(endpoint=found.endpoint)
    old = deployments.running_canary(found.uuid)
    if actor is not None:
        policy.require(actor, ACTION, old)
    if by_hand:
        steering.check_by_hand(old)
    if seen is not None:
        rules.check_moves(seen, alias.moves)
    if share == old.share:
        raise Conflict(f"{old.version.semver} already has this share.")
    check_approved(old, approval)
    if share > old.share and (closed := reports.guard_of(old)):
        raise Conflict(
            f"A server closed {old.version.semver}: {rules.guard_reason(closed.failures, closed.of)}",
            next_step="Stop it.",
        )
    return (
        wider(alias, old, actor, reason, epoch)
        if share == rules.ALL
        else changed(old, share, actor, reason, epoch)
    )


def check_approved(running: Deployment, approval: PromotionRequest | None) -> None:
    """Raises Conflict where the row of a running canary names another version than the audit log, or another
    approval than its version's.

    approval: that a wider share was checked by, None for a smaller one.
    """
    intervals.check_recorded(running)
    if approval and (approval.version_id, approval.endpoint_id) != (running.version_id, running.endpoint_id):
        text = f"{approval} isn't for {running.version} on {running.endpoint}."
        raise Conflict(text, next_step="Contact an auditor: the record doesn't match the audit log.")


def wider(alias: Alias, old: Deployment, actor: User | None, reason: str, epoch: int) -> Deployment:
    """The canary becomes the live version; what was live stays loaded for a rollback."""
    intervals.end(old, actor, reason or "It has all traffic now.")
    new = intervals.switch(alias, old.version, actor, epoch=epoch, cause=old.cause, approval=old.approval)
    intervals.record_deployed(new, actor, old, reason=reason)
    return new


def changed(old: Deployment, share: int, actor: User | None, reason: str, epoch: int) -> Deployment:
    """The canary continues under another share."""
    intervals.end(old, actor, reason or f"Its share changed to {rules.percent(share)}.")
    new = intervals.begin(
        Deployment(
            endpoint=old.endpoint,
            version=old.version,
            arm=old.arm,
            share=share,
            cause=old.cause,
            approval=old.approval,
            previous=old,
            reason=reason[: rules.REASON_MAX],
            epoch=epoch,
            started_by=actor,
        )
    )
    record(
        actor,
        Verb.SHARE_SET,
        old.endpoint,
        project=old.endpoint.model.project.uuid,
        deployment=new.uuid,
        previous=old.uuid,
        version=old.version.uuid,
        old=old.share,
        new=share,
        reason=reason,
        epoch=epoch,
        ends=intervals.ends(old),
    )
    return new


def stop_canary(*, deployment_id: UUID, reason: str, actor: User | None, steered: bool = False) -> Deployment:
    """End a canary: all traffic goes to the live version, which never stopped. Possible in a freeze too.

    For the system (actor None) it may come late and twice: a canary whose share changed meanwhile is stopped
    under its newer interval, and one that has ended is returned as it is. A person gets Conflict then.
    steered: the room that steers the canary asks. Raises PermissionDenied, or Refused without a reason, or
    where a rule steers it: there it is aborted, or the endpoint rolled back.
    """
    given = deployments.in_arm(deployment_id, Deployment.Arm.CANARY)
    if actor is not None:
        policy.require(actor, ACTION, given)
    reason = check_reason(reason, "Stopping a canary", rules.REASON_MAX)
    return _stop_canary(given, reason, actor, by_hand=actor is not None and not steered)


@transaction.atomic
def stop_closed(*, deployment_id: UUID, failures: int, of: int) -> Deployment:
    """Stop a canary that a server's guard closed, and note it, once, however often it is reported. Returns
    what was stopped.

    failures: among its last `of` requests. A canary that has ended meanwhile is returned as it is, and
    nothing is noted.
    """
    given = deployments.in_arm(deployment_id, Deployment.Arm.CANARY)
    epoch = next_epoch()
    Alias.objects.select_for_update().get(endpoint=given.endpoint)
    running = deployments.goes_on_as(given)
    if running is None:
        return deployments.deployments(given.endpoint).get(pk=given.pk)
    project = given.endpoint.model.project.uuid
    record(
        None,
        Verb.GUARD_TRIPPED,
        given.endpoint,
        project=project,
        deployment=given.uuid,
        failures=failures,
        of=of,
    )
    stop(running, None, rules.guard_reason(failures, of), epoch=epoch)
    return running


@transaction.atomic
def _stop_canary(given: Deployment, reason: str, actor: User | None, *, by_hand: bool) -> Deployment:
    epoch = next_epoch()
    Alias.objects.select_for_update().get(endpoint=given.endpoint)
    if actor is not None:
        policy.require(actor, ACTION, given)
        running: Deployment | None = deployments.running_canary(given.uuid)
    else:
        running = deployments.goes_on_as(given)
    if running is None:
        return deployments.deployments(given.endpoint).get(pk=given.pk)
    if by_hand:
        steering.check_by_hand(running)
    stop(running, actor, reason, epoch=epoch)
    return running


def stop(running: Deployment, actor: User | None, reason: str, *, epoch: int) -> None:
    """End a running canary under the caller's locks."""
    endpoint, steered = running.endpoint, bool(steering.page_of(running))
    intervals.end(running, actor, reason)
    record(
        actor,
        Verb.CANARY_STOPPED,
        endpoint,
        project=endpoint.model.project.uuid,
        deployment=running.uuid,
        reason=reason[: rules.REASON_MAX],
        version=running.version.uuid,
        root_digest=running.version.root_digest,
        share=running.share,
        epoch=epoch,
        ends=intervals.ends(running),
    )
    outbox.append(
        "endpoints.canary_stopped",
        project=endpoint.model.project,
        endpoint=str(endpoint.uuid),
        deployment=str(running.uuid),
        version=str(running.version.uuid),
        by=str(actor.uuid) if actor else None,
        steered=steered,
    )
