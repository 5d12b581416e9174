"""Requests and what belongs to them, by the trail and by the tables: verification finds an approval that was
written into the database, and words, gates or a comparison that were changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from registry.ground.ledger.accounts import Account, LoggedEvent
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.promotions.models import GateResult, PromotionComment, PromotionRequest, Verdict
from registry.promotions.rules import RESULT, Status

MOVES = {
    Verb.PROMOTION_REQUESTED: Status.CHECKING,
    Verb.PROMOTION_CHECK_REQUESTED: Status.CHECKING,
    Verb.PROMOTION_REJECTED: Status.REJECTED,
    Verb.PROMOTION_WITHDRAWN: Status.WITHDRAWN,
    Verb.PROMOTION_VOIDED: Status.VOIDED,
    Verb.PROMOTION_EXPIRED: Status.EXPIRED,
    Verb.PROMOTION_FULFILLED: Status.FULFILLED,
}
BY_SYSTEM = "was requested by the system"
STATED = frozenset({Verb.PROMOTION_CHECKED, Verb.PROMOTION_APPROVED})  # their events state the new state
ENDINGS = frozenset(
    {Verb.PROMOTION_REJECTED, Verb.PROMOTION_WITHDRAWN, Verb.PROMOTION_VOIDED, Verb.PROMOTION_EXPIRED}
)
NOTED, BECAUSE = "has a note with digest ", "has a reason with digest "


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about a request."""
    lasting: dict[str, str] = {}
    added: set[str] = set()
    for event in events:
        payload = event.payload
        if event.verb == Verb.PROMOTION_COMMENTED:
            added |= {
                commented(event.actor, payload["comment"]),
                reads(payload["comment"]) + payload["digest"],
            }
            continue
        if event.verb == Verb.PROMOTION_FULFILLED and lasting.get("status") != status(Status.APPROVED):
            added.add("is fulfilled without an approval")
        lasting["status"] = status(payload["new"] if event.verb in STATED else MOVES[Verb(event.verb)])
        if event.verb == Verb.PROMOTION_REQUESTED:
            lasting["asked"] = asked(event.actor, payload["version"], payload["endpoint"])
            lasting["note"], lasting["reason"] = NOTED + payload["note"], BECAUSE + digest_of("")
            if payload.get("by_system"):
                lasting["by_system"] = BY_SYSTEM
            lasting["plan"] = planned(payload["plan"])
        if event.verb == Verb.PROMOTION_CHECKED and "subject_digest" in payload:
            lasting["subject"] = rests(payload["subject_digest"])
            lasting["policy"] = by_policy(payload["policy"])
            added |= {found(payload["check"], gate, outcome) for gate, outcome in payload["gates"].items()}
        if event.verb in ENDINGS | {Verb.PROMOTION_CHECKED}:
            lasting["reason"] = BECAUSE + digest_of(payload["reason"])
        if event.verb in (Verb.PROMOTION_APPROVED, Verb.PROMOTION_REJECTED):
            added.add(
                verdict(
                    event.actor,
                    event.verb == Verb.PROMOTION_APPROVED,
                    payload["step"],
                    payload["subject_digest"],
                )
            )
            added.add(because(event.actor) + digest_of(payload["reason"]))
    return added | set(lasting.values())


def stored_facts(requests: list[str]) -> dict[str, set[str]]:
    """Facts from the tables about these requests."""
    facts: dict[str, set[str]] = defaultdict(set)
    results = results_of(requests)
    rows = PromotionRequest.objects.filter(uuid__in=requests).select_related(
        "requester", "version", "endpoint", "policy"
    )
    for row in rows.iterator(chunk_size=100):
        kept, checks = facts[str(row.uuid)], results[str(row.uuid)]
        kept |= {status(row.status), asked(row.requester.uuid, row.version.uuid, row.endpoint.uuid)}
        kept |= {NOTED + digest_of(row.note), BECAUSE + digest_of(row.reason)}
        kept |= {rests(row.subject_digest), by_policy(row.policy.digest)} if row.subject_digest else set()
        kept |= {planned(row.plan)} | ({BY_SYSTEM} if row.by_system else set())
        kept |= {
            found(number, gate, outcome) for number, each in checks.items() for gate, outcome, *_ in each
        }
        kept |= set(differing(row, checks[max(checks)] if checks else []))
    given = Verdict.objects.filter(request__uuid__in=requests)
    columns = ("request__uuid", "reviewer__uuid", "approves", "step", "subject_digest", "reason")
    for uuid, who, approves, step, digest, reason in given.values_list(*columns):
        facts[str(uuid)] |= {verdict(who, approves, step, digest), because(who) + digest_of(reason)}
    comments = PromotionComment.objects.filter(request__uuid__in=requests)
    for uuid, who, comment, text in comments.values_list(
        "request__uuid", "author__uuid", "uuid", "text"
    ).iterator(chunk_size=100):
        facts[str(uuid)] |= {commented(who, comment), reads(comment) + digest_of(text)}
    return facts


def results_of(requests: list[str]) -> dict[str, dict[int, list[list[Any]]]]:
    """What the gates of each request found, by the number of the check, in the order and by the columns that
    a subject's digest is of.
    """
    results: dict[str, dict[int, list[list[Any]]]] = defaultdict(lambda: defaultdict(list))
    rows = GateResult.objects.filter(request__uuid__in=requests).order_by("gate")
    for uuid, number, *result in rows.values_list("request__uuid", "check_number", *RESULT):
        results[str(uuid)][number].append(result)
    return results


def differing(request: PromotionRequest, newest: list[list[Any]]) -> Iterator[str]:
    """What of a request doesn't match its own digests. newest: the results of its newest check that came to
    an end.
    """
    subject = request.subject
    if subject and digest_of(subject) != request.subject_digest:
        yield "keeps another subject than that of its digest"
    if digest_of(request.comparison) != subject.get("comparison", digest_of(None)):
        yield "keeps another comparison than was judged"
    if digest_of(newest) != subject.get("gates", digest_of([])):
        yield "keeps other gate results than were judged"


def status(now: str) -> str:
    """The state of the request."""
    return f"is {Status(now)}"


def asked(who: object, version: object, endpoint: object) -> str:
    """Whose request it is, for what."""
    return f"{who} requested version {version} on endpoint {endpoint}"


def planned(plan: object) -> str:
    """By which plan it goes live."""
    return f"has rollout plan {digest_of(plan)}"


def rests(digest: str) -> str:
    """What its gates were checked for."""
    return f"rests on {digest}"


def by_policy(digest: str) -> str:
    """By which policy its gates were checked."""
    return f"is judged by policy {digest}"


def found(number: int, gate: str, outcome: str) -> str:
    """What one gate came to at one check."""
    return f"check {number}: {gate} {outcome}"


def commented(who: object, comment: object) -> str:
    """Whose comment it is."""
    return f"{who} wrote comment {comment}"


def reads(comment: object) -> str:
    """The start of the fact about a comment's text; its digest follows."""
    return f"comment {comment} has digest "


def because(who: object) -> str:
    """How one reviewer's reason begins; its digest follows."""
    return f"{who} decides for a reason with digest "


def verdict(who: object, approves: bool, step: str, digest: str) -> str:
    """One reviewer's decision."""
    return f"{who} {'approves' if approves else 'rejects'} {step} of {digest}"


REQUESTS = Account(
    "promotions",
    PromotionRequest,
    STATED | MOVES.keys() | {Verb.PROMOTION_COMMENTED},
    logged_facts,
    stored_facts,
)
