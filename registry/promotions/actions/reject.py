"""Rejecting a request in review, or taking back an approval that was not used yet."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy as access
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.policies.rules import Step
from registry.promotions import rules
from registry.promotions.actions.approve import confirm, give
from registry.promotions.actions.subject import overtaken
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status


def reject(
    *, request_id: UUID, actor: User, reason: str, password: str, seen: str, code: str = ""
) -> PromotionRequest:
    """End a request in review, or take back an approval that was not used yet. The reason is required and
    kept.

    Raises PermissionDenied, Refused (no reason, wrong password) or Conflict (decided already, or changed
    since).
    """
    why = confirm("promotions.reject", request_id, actor, reason, password, code, "A rejection")
    with transaction.atomic():
        outcome = _reject(request_id, actor, why, seen)
    if isinstance(outcome, Conflict):
        raise outcome
    return outcome


def _reject(request_id: UUID, actor: User, reason: str, seen: str) -> PromotionRequest | Conflict:
    request = PromotionRequest.locked(request_id)
    access.require(actor, "promotions.reject", request)
    if refusal := overtaken(request, timezone.now()):
        return refusal
    if request.status not in (Status.IN_REVIEW, Status.APPROVED):
        rules.check_decidable(Status(request.status))
    rules.check_same_subject(seen, request.subject_digest)
    if request.verdicts.filter(reviewer=actor).exists():
        raise Conflict(
            "You've already decided on this request; each person decides once.",
            next_step="Another reviewer can reject it.",
        )
    was, step = request.status, step_of(request, actor)
    give(request, step, actor, approves=False, reason=reason)
    request.move(Status.REJECTED, reason=reason)
    record(
        actor,
        Verb.PROMOTION_REJECTED,
        request,
        project=request.endpoint.model.project.uuid,
        step=step.name,
        reason=reason,
        old=was,
        subject_digest=request.subject_digest,
    )
    return request


def step_of(request: PromotionRequest, actor: User) -> Step:
    """The first step of the policy by whose role this person decides. Raises PermissionDenied for a role that
    was given since.
    """
    steps = policies.read(request.policy).steps
    for step in steps:
        if request.decides(actor, step.role):
            return step
    if any(access.holds(actor, step.role, request) for step in steps):
        raise PermissionDenied(rules.LATE)
    raise Refused(
        "No step of this policy is for your role.", next_step="A reviewer named on the page can reject it."
    )
