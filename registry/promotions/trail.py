"""Requests and their verdicts, by the trail and by the tables: verification finds an approval that somebody wrote into the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from registry.ledger.accounts import Account, Told
from registry.ledger.rules import digest_of
from registry.ledger.verbs import Verb
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import Status

MOVES = {
    Verb.PROMOTION_REQUESTED: Status.CHECKING, Verb.PROMOTION_CHECK_ASKED: Status.CHECKING, Verb.PROMOTION_REJECTED: Status.REJECTED,
    Verb.PROMOTION_WITHDRAWN: Status.WITHDRAWN, Verb.PROMOTION_VOIDED: Status.VOIDED, Verb.PROMOTION_EXPIRED: Status.EXPIRED,
    Verb.PROMOTION_FULFILLED: Status.FULFILLED,
}  # fmt: skip
BY_SYSTEM = "was asked for by the product"
STATED = frozenset({Verb.PROMOTION_CHECKED, Verb.PROMOTION_APPROVED})  # their events say the new state


def told(events: list[Told]) -> set[str]:
    """What stands after these events about a request."""
    lasting: dict[str, str] = {}
    verdicts: set[str] = set()
    for event in events:
        payload = event.payload
        if event.verb == Verb.PROMOTION_FULFILLED and lasting.get("status") != status(Status.APPROVED):
            verdicts.add("is fulfilled without an approval")
        lasting["status"] = status(payload["new"] if event.verb in STATED else MOVES[Verb(event.verb)])
        if event.verb == Verb.PROMOTION_REQUESTED:
            lasting["asked"] = asked(event.actor, payload["version"], payload["endpoint"])
            if payload.get("by_system"):
                lasting["by_system"] = BY_SYSTEM
            if payload.get("plan"):
                lasting["plan"] = planned(payload["plan"])
            if payload.get("behind"):
                lasting["behind"] = is_work_of(payload["behind"])
        if event.verb == Verb.PROMOTION_CHECKED and "subject_digest" in payload:
            lasting["subject"] = rests(payload["subject_digest"])
            lasting["policy"] = by_policy(payload["policy"])
        if event.verb in (Verb.PROMOTION_APPROVED, Verb.PROMOTION_REJECTED):
            verdicts.add(verdict(event.actor, event.verb == Verb.PROMOTION_APPROVED, payload["step"], payload["subject_digest"]))
    return verdicts | set(lasting.values())


def held(requests: list[str]) -> dict[str, set[str]]:
    """What the tables say of these requests."""
    facts: dict[str, set[str]] = defaultdict(set)
    rows = PromotionRequest.objects.filter(uuid__in=requests)
    columns = ("uuid", "status", "requester__uuid", "version__uuid", "endpoint__uuid", "subject_digest", "policy__digest", "plan")
    for uuid, now, who, version, endpoint, digest, policy, plan, by_system, behind in rows.values_list(*columns, "by_system", "behind"):
        facts[str(uuid)] = {status(now), asked(who, version, endpoint), *([rests(digest), by_policy(policy)] if digest else [])}
        facts[str(uuid)] |= ({planned(plan)} if plan else set()) | ({BY_SYSTEM} if by_system else set())
        facts[str(uuid)] |= {is_work_of(behind)} if behind else set()
    given = Verdict.objects.filter(request__uuid__in=requests)
    for uuid, who, approves, step, digest in given.values_list("request__uuid", "reviewer__uuid", "approves", "step", "subject_digest"):
        facts[str(uuid)].add(verdict(who, approves, step, digest))
    return facts


def status(now: str) -> str:
    """The state of the request."""
    return f"is {Status(now)}"


def asked(who: object, version: object, endpoint: object) -> str:
    """Whose request it is, for what."""
    return f"{who} asked for version {version} on endpoint {endpoint}"


def planned(plan: object) -> str:
    """By which plan it goes live."""
    return f"has rollout plan {digest_of(plan)}"


def is_work_of(people: Iterable[str]) -> str:
    """Whose work it is beside the requester's."""
    return f"is the work of {', '.join(people)}"


def rests(digest: str) -> str:
    """What its gates were checked for."""
    return f"rests on {digest}"


def by_policy(digest: str) -> str:
    """By which policy its gates were checked."""
    return f"is judged by policy {digest}"


def verdict(who: object, approves: bool, step: str, digest: str) -> str:
    """One reviewer's decision."""
    return f"{who} {'approves' if approves else 'rejects'} {step} of {digest}"


REQUESTS = Account("promotions", PromotionRequest, STATED | MOVES.keys(), told, held)
