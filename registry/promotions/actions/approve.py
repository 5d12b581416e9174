"""Approving. A decision is bound to the digest of everything it looked at, and to one person."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict
from lifecycle.runtime.rules import check_reason
from registry.ground.access import policy as access
from registry.ground.access import step_up
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.policies.rules import Step
from registry.promotions import rules
from registry.promotions.actions.subject import check_not_frozen, overtaken, people_afresh
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import Status


def approve(
    *, request_id: UUID, actor: User, reason: str, password: str, seen: str, code: str = ""
) -> PromotionRequest:
    """Approve the step that is next; the request becomes approved with its last one. Approval alone changes
    no traffic.

    seen: the subject digest that the reviewer had on the page. code: of an authenticator app, where the actor
    has one. Raises PermissionDenied (took part in it, lacks the role or got it since), Refused (no reason,
    wrong password or code, frozen endpoint) or Conflict (decided already, or changed since: then the request
    is void and that is committed). Call it outside a transaction.
    """
    why = confirm("promotions.approve", request_id, actor, reason, password, code, "An approval")
    with transaction.atomic():
        outcome = _approve(request_id, actor, why, seen)
    if isinstance(outcome, Conflict):
        raise outcome
    return outcome


def confirm(
    action: str, request_id: UUID, actor: User, reason: str, password: str, code: str, what: str
) -> str:
    """The reason, once the person's role, password and second factor are confirmed. Raises PermissionDenied
    or Refused.
    """
    access.require(actor, action, PromotionRequest.objects.get(uuid=request_id))
    why = check_reason(reason, what, rules.REASON_MAX)
    step_up.confirm_password(actor, password, code)
    return why


def _approve(request_id: UUID, actor: User, reason: str, seen: str) -> PromotionRequest | Conflict:
    request = PromotionRequest.locked(request_id)
    access.require(actor, "promotions.approve", request)
    if refusal := overtaken(request, timezone.now()):
        return refusal
    rules.check_decidable(Status(request.status))
    rules.check_same_subject(seen, request.subject_digest)
    rules.check_separation(str(actor.uuid), people_afresh(request))
    check_not_frozen(request.endpoint)
    step = take_step(request, actor)
    give(request, step, actor, approves=True, reason=reason)
    if (
        request.next_step(Verdict.objects.filter(request=request, subject_digest=request.subject_digest))
        is None
    ):
        request.move(
            Status.APPROVED,
            expires_at=timezone.now() + timedelta(days=policies.read(request.policy).days_valid),
        )
    record(
        actor,
        Verb.PROMOTION_APPROVED,
        request,
        project=request.endpoint.model.project.uuid,
        step=step.name,
        reason=reason,
        subject_digest=request.subject_digest,
        new=request.status,
    )
    return request


def take_step(request: PromotionRequest, actor: User) -> Step:
    """The step that this person decides now. Raises PermissionDenied when it is not for their role, Conflict
    when they decided already.
    """
    verdicts = list(request.verdicts.all())
    if any(verdict.reviewer_id == actor.pk for verdict in verdicts):
        raise Conflict(
            "You've already decided on this request; each person decides once.",
            next_step="Someone else must take the next step.",
        )
    step = request.next_step(verdicts)
    if step is None or not access.holds(actor, step.role, request):
        raise PermissionDenied(rules.waiting_sentence(step))
    if not request.decides(actor, step.role):
        raise PermissionDenied(rules.LATE)
    return step


def give(request: PromotionRequest, step: Step, actor: User, *, approves: bool, reason: str) -> None:
    """Write one verdict. The database refuses a second one of the same person, and a second approval of the
    same step.
    """
    try:
        with transaction.atomic():
            Verdict.objects.create(
                request=request,
                step=step.name,
                reviewer=actor,
                approves=approves,
                reason=reason,
                subject_digest=request.subject_digest,
            )
    except IntegrityError as error:
        raise Conflict("Someone just decided this.", next_step="Reload the page.") from error
