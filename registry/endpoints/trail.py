"""What served an endpoint and who may ask it, by the audit log and by the tables: verification finds a
deployment that no action made or ended, and a token that no one created.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from registry.catalog.models import Alias, Endpoint
from registry.endpoints.models import Deployment, EndpointToken
from registry.endpoints.rules import ALL
from registry.ground.ledger.accounts import Account, LoggedEvent, moment
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb

Cause = Deployment.Cause
STABLE, CANARY, SHADOW = Deployment.Arm.STABLE, Deployment.Arm.CANARY, Deployment.Arm.SHADOW
BEGINS = {
    Verb.DEPLOYED: STABLE,
    Verb.ROLLED_BACK: STABLE,
    Verb.CANARY_STARTED: CANARY,
    Verb.SHARE_SET: CANARY,
    Verb.SHADOW_STARTED: SHADOW,
}
# the others: by an approved promotion
CAUSES = {Verb.ROLLED_BACK: Cause.ROLLBACK, Verb.SHADOW_STARTED: Cause.SHADOW}
ENDS = {Verb.CANARY_STOPPED: CANARY, Verb.SHADOW_STOPPED: SHADOW, Verb.EMPTIED: STABLE}


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about an endpoint: every interval, and which continue."""
    facts: set[str] = set()
    running: dict[str, str] = {}
    # of canaries: a new share continues under the approval of the one before
    approvals: dict[str, str | None] = {}
    live = ""
    for event in events:
        payload, verb = event.payload, Verb(event.verb)
        if verb in ENDS:
            running.pop(ENDS[verb], None)
            facts |= ending(event, payload["deployment"])
            live = "" if verb == Verb.EMPTIED else live
            continue
        deployment, arm = payload["deployment"], BEGINS[verb]
        before = running.get(arm)
        request = approvals.get(payload["previous"]) if verb == Verb.SHARE_SET else payload.get("request")
        if arm == CANARY:
            approvals[deployment] = request
        if arm == STABLE:
            live = is_live(payload["version"])
        if "canary" in payload:
            running.pop(CANARY, None)
            facts |= ending(event, payload["canary"])
        if before:
            facts |= ending(event, before)
        why = payload["reason"] if verb in (Verb.ROLLED_BACK, Verb.SHARE_SET) else ""
        facts.add(follows(deployment, CAUSES.get(verb, Cause.PROMOTION), before, why))
        share = payload.get("new" if verb == Verb.SHARE_SET else "share", ALL)
        facts.add(interval(deployment, payload["version"], arm, share, event.actor, request))
        running[arm] = deployment
    return (
        facts | {runs(each) for each in running.values()} | ({live} if live else set()) | unapproved(events)
    )


def unapproved(events: list[LoggedEvent]) -> set[str]:
    """Deployments that continued with another version than their canary's, or back to one that was never
    live: a row that someone had changed, and has changed back since, was believed.
    """
    facts: set[str] = set()
    of_canaries: dict[str, str] = {}
    were_live: set[str] = set()
    for event in events:
        payload, verb = event.payload, Verb(event.verb)
        if verb in ENDS:
            continue
        deployment, version = payload["deployment"], payload["version"]
        canary = payload["previous"] if verb == Verb.SHARE_SET else payload.get("canary")
        is_never_live = verb == Verb.ROLLED_BACK and version not in were_live
        if is_never_live or (canary and of_canaries.get(canary) != version):
            facts.add(f"deployment {deployment}: version {version} without an approval")
        if BEGINS[verb] == CANARY:
            of_canaries[deployment] = version
        elif BEGINS[verb] == STABLE:
            were_live.add(version)
    return facts


def stored_facts(endpoints: list[str]) -> dict[str, set[str]]:
    """Facts from the tables about these endpoints."""
    facts: dict[str, set[str]] = defaultdict(set)
    rows = Deployment.objects.filter(endpoint__uuid__in=endpoints)
    columns = ("uuid", "version__uuid", "arm", "share", "started_by__uuid", "approval__uuid")
    how, over = ("cause", "previous__uuid", "reason"), ("ended_at", "ended_by__uuid", "end_reason")
    for endpoint, *row in rows.values_list("endpoint__uuid", *columns, *how, *over).iterator(chunk_size=1000):
        uuid, version, arm, share, by, request, cause, previous, why, at, ender, end_reason = row
        facts[str(endpoint)] |= {
            interval(uuid, version, arm, share, by or "system", request),
            follows(uuid, cause, previous, why),
        }
        facts[str(endpoint)] |= (
            {runs(uuid)}
            if at is None
            else {ended_by(uuid, ender or "system"), ended(uuid) + end(at, end_reason)}
        )
    for endpoint, version in Alias.objects.filter(
        endpoint__uuid__in=endpoints, version__isnull=False
    ).values_list("endpoint__uuid", "version__uuid"):
        facts[str(endpoint)].add(is_live(version))
    return facts


def interval(deployment: object, version: object, arm: str, share: int, by: object, request: object) -> str:
    """Who let what serve, and by which approval."""
    by_approval = f" by request {request}" if request else ""
    return (
        f"deployment {deployment}: version {version} as {arm} at {share} of 10000, begun by {by}{by_approval}"
    )


def follows(deployment: object, cause: str, previous: object, reason: str) -> str:
    """What it took over from, and why."""
    why = f" for a reason with digest {digest_of(reason)}" if reason else ""
    return f"deployment {deployment}: {Cause(cause)} after {previous or 'nothing'}{why}"


def ending(event: LoggedEvent, deployment: str) -> set[str]:
    """The facts from the event that ended a deployment."""
    how = event.payload["ends"][deployment]
    return {ended_by(deployment, event.actor), ended(deployment) + end(how["at"], how["reason"])}


def ended_by(deployment: object, by: object) -> str:
    """Who ended it."""
    return f"deployment {deployment}: ended by {by}"


def ended(deployment: object) -> str:
    """The start of the fact about its end; when and why follow."""
    return f"deployment {deployment}: ended at "


def end(at: str | datetime, reason: str) -> str:
    """When and why it ended."""
    return f"{moment(at)} for a reason with digest {digest_of(reason)}"


def runs(deployment: object) -> str:
    """That it has not ended."""
    return f"deployment {deployment} runs"


def is_live(version: object) -> str:
    """What the endpoint's alias names."""
    return f"version {version} is live"


def logged_token_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about a program's token."""
    facts: set[str] = set()
    for event in events:
        if event.verb == Verb.ENDPOINT_TOKEN_REVOKED:
            facts.add(REVOKED)
            continue
        facts |= {
            opens(event.payload["endpoint"], event.payload["expires_at"], by=event.actor),
            KEPT + event.payload["digest"],
        }
    return facts


def stored_token_facts(tokens: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these tokens."""
    facts: dict[str, set[str]] = {}
    rows = EndpointToken.objects.filter(uuid__in=tokens)
    columns = ("uuid", "endpoint__uuid", "expires_at", "created_by__uuid", "digest", "revoked_at")
    for uuid, endpoint, until, by, digest, revoked in rows.values_list(*columns):
        facts[str(uuid)] = {opens(endpoint, until, by=by), KEPT + digest, *([REVOKED] if revoked else [])}
    return facts


def opens(endpoint: object, until: str | datetime, *, by: object) -> str:
    """What the token is good for, and who created it."""
    return f"opens endpoint {endpoint} until {moment(until)}, created by {by}"


REVOKED, KEPT = "is revoked", "is kept as "
TOKENS = Account(
    "endpoint tokens",
    EndpointToken,
    frozenset({Verb.ENDPOINT_TOKEN_CREATED, Verb.ENDPOINT_TOKEN_REVOKED}),
    logged_token_facts,
    stored_token_facts,
)
DEPLOYMENTS = Account("endpoints", Endpoint, frozenset({*BEGINS, *ENDS}), logged_facts, stored_facts)
