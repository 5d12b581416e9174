"""The interface for the room of endpoints: what it checks before it deploys, and reports afterwards. An
approval is used once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict
from registry.ground.access.models import User
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.promotions import rules, votes
from registry.promotions.actions import subject
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status


def ready_to_deploy(request_id: UUID) -> PromotionRequest:
    """The approved request, everything it rests on read again. For the time before the deployment's
    transaction, such as laying out files.

    Raises Conflict when it is not approved, has expired, or something changed (it is then expired or void,
    and that is committed), and Refused while the endpoint is frozen. Call it outside a transaction.
    """
    with transaction.atomic():
        request = PromotionRequest.locked(request_id)
        refusal = subject.overtaken(request, timezone.now())
        if refusal is None:
            check_usable(request, subject.people_afresh(request))
    if refusal is not None:
        raise refusal
    return request


def claim_approval(request_id: UUID) -> PromotionRequest:
    """The approved request, locked in the caller's transaction with everything it rests on read again under
    that lock.

    Raises Conflict or Refused and writes nothing, so that the caller's transaction can roll back;
    `ready_to_deploy` ends what was overtaken.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An approval is claimed inside the transaction that deploys.")
    request = PromotionRequest.locked(request_id)
    now = subject.read(request, request.locked_version(), from_nothing=True)
    check_usable(request, now["people"])
    if request.is_overdue(timezone.now()):
        raise Conflict(f"{request} has expired.", next_step="Request promotion again.")
    # the subject has the event's plan; the version goes live by the row's
    if changed := subject.changes(request, now) or subject.changes(
        request, now | {"plan": digest_of(request.plan)}
    ):
        raise Conflict(
            rules.change_sentence(changed), next_step="Request promotion again to re-run the gates."
        )
    if lost := subject.lost(request):
        raise Conflict(subject.lost_sentence(request, lost), next_step="Request promotion again.")
    return request


def check_still_holds(request_id: UUID) -> PromotionRequest:
    """The used approval of a canary, locked in the caller's transaction, with everything it rests on read
    again under that lock.

    Raises Conflict when something changed since the gates were checked, the version's state included: the
    canary may keep the share it has, and may not get more. Refused while the endpoint is frozen.
    """
    request = PromotionRequest.locked(request_id)
    subject.check_not_frozen(request.endpoint)
    now = subject.read(request, request.locked_version(), from_nothing=True)
    if changed := subject.changes(request, now):
        raise Conflict(
            rules.change_sentence(changed), next_step="Stop the canary and request promotion again."
        )
    if lost := subject.lost(request):
        raise Conflict(
            subject.lost_sentence(request, lost), next_step="Stop the canary and request promotion again."
        )
    if not votes.suffice(request, now["people"]):
        raise Conflict(
            f"{request} lacks approvals that its policy requires.",
            next_step="Contact an auditor: the record doesn't match the audit log.",
        )
    return request


def check_usable(request: PromotionRequest, people: Mapping[str, Iterable[str]]) -> None:
    """Raises Conflict unless the locked request is approved, by a recount of the approvals in the audit log;
    Refused while the endpoint is frozen. people: whose own work is judged, read afresh.
    """
    if request.status != Status.APPROVED:
        state = Status(request.status).label.lower()
        raise Conflict(
            f"{request} is {state}; only an approved request can be deployed.",
            next_step="Open the request to see what's missing.",
        )
    if not votes.suffice(request, people):
        raise Conflict(
            f"{request} lacks approvals that its policy requires.",
            next_step="Contact an auditor: the record doesn't match the audit log.",
        )
    subject.check_not_frozen(request.endpoint)


def fulfilled(request: PromotionRequest, deployment: Any, *, actor: User) -> PromotionRequest:
    """Note that the approval was used, in the transaction that wrote the deployment. deployment: a saved row
    with a uuid.
    """
    request.move(Status.FULFILLED)
    record(
        actor,
        Verb.PROMOTION_FULFILLED,
        request,
        project=request.endpoint.model.project.uuid,
        deployment=deployment.uuid,
        subject_digest=request.subject_digest,
    )
    return request
