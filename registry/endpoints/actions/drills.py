"""Drills: a fault injected into a running deployment, so that people see what the guard, the rule and the
alerts make of it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from registry.endpoints import rules
from registry.endpoints.actions.publish import lock, sign_into_place, writer_lock
from registry.endpoints.models import Deployment, Fault
from registry.endpoints.queries import deployments, faults
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

ACTION = "endpoints.inject_fault"


@transaction.atomic
def inject_fault(
    *,
    deployment_id: UUID,
    share: int,
    kind: str,
    actor: User,
    delay_ms: int = 1_000,
    minutes: int = 60,
    reason: str = "",
) -> Fault:
    """Let a running deployment fail, or be slow, for a share (of 10,000) of its requests. It ends on its own
    after so many minutes.

    kind: error (status 500) or slow (delay_ms added). Raises PermissionDenied, Conflict (ended, or a fault is
    injected in it) or Refused (a shadow, whose failures no client sees; numbers out of range; no server that
    was started for drills, so nothing would happen).
    """
    lock()
    deployment = deployments.with_all(Deployment.objects.all()).get(uuid=deployment_id)
    policy.require(actor, ACTION, deployment)
    rules.check_fault(kind, share, delay_ms, minutes)
    check_can_inject(deployment)
    fault = Fault.objects.create(
        deployment=deployment,
        kind=kind,
        share=share,
        delay_ms=delay_ms if kind == Fault.Kind.SLOW else 0,
        reason=reason.strip()[: rules.REASON_MAX],
        until=timezone.now() + timedelta(minutes=minutes),
        injected_by=actor,
    )
    endpoint = deployment.endpoint
    record(
        actor,
        Verb.FAULT_INJECTED,
        endpoint,
        project=endpoint.model.project.uuid,
        fault=fault.uuid,
        deployment=deployment.uuid,
        version=deployment.version.uuid,
        kind=kind,
        share=share,
        delay_ms=fault.delay_ms,
        until=fault.until,
        reason=fault.reason,
    )
    transaction.on_commit(publish_faults, robust=True)
    return fault


def check_can_inject(deployment: Deployment) -> None:
    """Raises Conflict or Refused, see inject_fault."""
    if deployment.ended_at is not None:
        raise Conflict("This deployment has ended.", next_step="Reload the page.")
    if deployment.arm == Deployment.Arm.SHADOW:
        raise Refused(
            "Clients never see a shadow's predictions, so a drill there shows nothing.",
            next_step="Choose a deployment that serves clients.",
        )
    if faults.fault_in(deployment):
        raise Conflict("This deployment already has a fault.", next_step="Remove it first.")
    if not faults.drills_run():
        raise Refused(
            "No inference server is running with drills enabled, so nothing would happen.",
            next_step="Start one with INFERENCE_DRILLS=1.",
        )


@transaction.atomic
def remove_fault(*, deployment_id: UUID, actor: User) -> Fault:
    """End a drill. Raises PermissionDenied, or Conflict when nothing is injected any more."""
    lock()
    deployment = deployments.with_all(Deployment.objects.all()).get(uuid=deployment_id)
    policy.require(actor, ACTION, deployment)
    fault = faults.fault_in(deployment)
    if fault is None:
        raise Conflict("This deployment no longer has a fault.", next_step="Reload the page.")
    return lift(fault, actor)


def lift_expired_faults() -> int:
    """Lift the faults whose time has come, or whose deployment has ended. Returns how many."""
    return _lift_expired() if faults.expired_faults().exists() else 0


@transaction.atomic
def _lift_expired() -> int:
    lock()
    found = list(faults.expired_faults())
    for fault in found:
        lift(fault, None)
    return len(found)


def lift(fault: Fault, actor: User | None) -> Fault:
    """Write a fault's end under the caller's lock; the servers get it on commit."""
    fault.lifted_at, fault.lifted_by = timezone.now(), actor
    fault.save(update_fields=["lifted_at", "lifted_by"])
    endpoint = fault.deployment.endpoint
    record(
        actor,
        Verb.FAULT_REMOVED,
        endpoint,
        project=endpoint.model.project.uuid,
        fault=fault.uuid,
        deployment=fault.deployment.uuid,
    )
    transaction.on_commit(publish_faults, robust=True)
    return fault


def publish_faults() -> None:
    """Publish the faults in the database as the signed file. Does nothing when it is current; an installation
    without drills has none.
    """
    if is_published(rules.faults_document(faults.injected_faults())):
        return
    with writer_lock():
        document = rules.faults_document(faults.injected_faults())
        if not is_published(document):
            sign_into_place(document, faults.faults_path())


def is_published(document: dict[str, Any]) -> bool:
    """Whether the servers find this document, or find none where nothing is injected."""
    return document == faults.published_faults() or (
        not document["faults"] and not faults.faults_path().exists()
    )
