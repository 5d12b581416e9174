"""Which approvals count: those that the audit trail knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from registry.catalog import queries as catalog
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.policies.models import Policy
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import part_of


def recorded(request: PromotionRequest) -> list[Verdict]:
    """The approvals of what the request now rests on that have an event with their person, step and digest. A
    row that someone wrote into the database has none.
    """
    events = accounts.events_about(request.uuid, {Verb.PROMOTION_APPROVED})
    known = {(event.actor, event.payload["step"], event.payload["subject_digest"]) for event in events}
    votes = Verdict.objects.filter(
        request=request, approves=True, subject_digest=request.subject_digest
    ).select_related("reviewer")
    return [vote for vote in votes if (str(vote.reviewer.uuid), vote.step, vote.subject_digest) in known]


def suffice(request: PromotionRequest, people: Mapping[str, Iterable[str]]) -> bool:
    """Whether each step of the policy is approved, each by another person who took no part, by a recount in
    the audit log.

    The policy is the one whose digest the approvals are bound to, with the text that has it: the request's
    row may name another one. people: whose own work is judged, as uuids by part, read afresh: the row may
    have named others when they approved.
    """
    if digest_of(request.subject) != request.subject_digest:
        return False
    policy, given = request.policy, recorded(request)
    bound = policy.digest == request.subject.get("policy") and governs(policy, request)
    apart = not any(part_of(str(vote.reviewer.uuid), people) for vote in given)
    return (
        bound
        and apart
        and request.next_step(given) is None
        and len({vote.reviewer_id for vote in given}) == len(given)
    )


def governs(policy: Policy, request: PromotionRequest) -> bool:
    """Whether the audit log knows that the policy was published, and that the request's endpoint is governed
    by it.
    """
    return (
        policy.name == request.endpoint.policy.name
        and policies.is_published(policy)
        and catalog.is_governed(request.endpoint)
    )
