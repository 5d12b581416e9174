"""A shadow: a version that gets copies of requests. Its answers are compared and thrown away, so it needs no
approval.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from lifecycle.runtime.refusals import Conflict, Refused
from registry.catalog.actions.files import materialise
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import rules
from registry.endpoints.actions import intervals
from registry.endpoints.actions.publish import next_epoch
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb
from registry.promotions.actions.subject import check_not_frozen

ACTION = "endpoints.shadow"


def start_shadow(*, endpoint_id: UUID, version_id: UUID, share: int, actor: User) -> Deployment:
    """Let a version answer copies of a share (of 10,000) of an endpoint's requests, for no one to see but in
    the comparison.

    Raises PermissionDenied, Conflict (a shadow runs, or the version answers already) or Refused (of another
    model, not active, frozen, damaged files, nothing live to copy from).
    """
    endpoint = Endpoint.objects.select_related("model__project").get(uuid=endpoint_id)
    policy.require(actor, ACTION, endpoint)
    rules.check_share(share)
    version = (
        ModelVersion.objects.filter(uuid=version_id, model=endpoint.model)
        .select_related("model", "folder")
        .first()
    )
    if version is None:
        raise Refused(
            f"{endpoint} serves a different model.",
            fields={"version": ["Choose a version of the endpoint's model."]},
        )
    materialise(version)
    return _start_shadow(endpoint, version, share, actor)


@transaction.atomic
def _start_shadow(endpoint: Endpoint, version: ModelVersion, share: int, actor: User) -> Deployment:
    epoch = next_epoch()
    policy.require(actor, ACTION, endpoint)
    if (
        ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk).state
        != ModelVersion.State.ACTIVE
    ):
        raise Refused(
            f"{version} is no longer active and can't be served.", next_step="Choose an active version."
        )
    check_not_frozen(endpoint)
    if deployments.live_deployment(endpoint) is None:
        raise Refused(
            f"Nothing is live on {endpoint}, so there are no requests to copy.",
            next_step="Deploy an approved version first.",
        )
    if running := deployments.shadow_of(endpoint):
        raise Conflict(
            f"{running.version.semver} is already the shadow on {endpoint}, and only one can run at a time.",
            next_step="Stop it first.",
        )
    if deployments.serving(endpoint).filter(version=version).exists():
        raise Conflict(f"{version.semver} already serves {endpoint}.")
    new = intervals.begin(
        Deployment(
            endpoint=endpoint,
            version=version,
            arm=Deployment.Arm.SHADOW,
            share=share,
            cause=Deployment.Cause.SHADOW,
            epoch=epoch,
            started_by=actor,
        )
    )
    record(
        actor,
        Verb.SHADOW_STARTED,
        endpoint,
        project=endpoint.model.project.uuid,
        deployment=new.uuid,
        version=version.uuid,
        root_digest=version.root_digest,
        share=share,
        epoch=epoch,
    )
    return new


def stop_shadow(*, deployment_id: UUID, actor: User | None, reason: str) -> Deployment:
    """End a shadow. Always possible. For the system (actor None) one that has ended is returned as it is; a
    person gets Conflict.
    """
    given = deployments.in_arm(deployment_id, Deployment.Arm.SHADOW)
    if actor is not None:
        policy.require(actor, ACTION, given)
    return _stop_shadow(given, actor, reason.strip() or "Stopped.")


@transaction.atomic
def _stop_shadow(given: Deployment, actor: User | None, reason: str) -> Deployment:
    next_epoch()
    running = deployments.shadow_of(given.endpoint)
    if running is None or running.pk != given.pk:
        if actor is None:
            return deployments.deployments(given.endpoint).get(pk=given.pk)
        raise Conflict("This shadow has already ended.", next_step="Reload the page.")
    intervals.stop_shadow(running, actor, reason)
    return running
