"""What served an endpoint, by the trail and by the tables: a deployment that no action made is found by verification."""

from __future__ import annotations

from collections import defaultdict

from registry.catalog.models import Alias, Endpoint
from registry.endpoints.models import Deployment
from registry.endpoints.rules import ALL
from registry.ledger.accounts import Account, Told
from registry.ledger.verbs import Verb

STABLE, CANARY, SHADOW = Deployment.Arm.STABLE, Deployment.Arm.CANARY, Deployment.Arm.SHADOW
BEGINS = {
    Verb.DEPLOYED: STABLE, Verb.ROLLED_BACK: STABLE, Verb.CANARY_STARTED: CANARY, Verb.SHARE_SET: CANARY, Verb.SHADOW_STARTED: SHADOW,
}  # fmt: skip
ENDS = {Verb.CANARY_STOPPED: CANARY, Verb.SHADOW_STOPPED: SHADOW, Verb.EMPTIED: STABLE}


def told(events: list[Told]) -> set[str]:
    """What stands after these events about an endpoint: every interval, and which go on."""
    facts: set[str] = set()
    running: dict[str, str] = {}
    approvals: dict[str, str | None] = {}  # of canaries: a new share goes on under the approval of the one before
    live = ""
    for event in events:
        payload, verb = event.payload, Verb(event.verb)
        if verb in ENDS:
            running.pop(ENDS[verb], None)
            live = "" if verb == Verb.EMPTIED else live
            continue
        deployment, arm = payload["deployment"], BEGINS[verb]
        request = approvals.get(payload["previous"]) if verb == Verb.SHARE_SET else payload.get("request")
        if arm == CANARY:
            approvals[deployment] = request
        if arm == STABLE:
            live = is_live(payload["version"])
        if "canary" in payload:
            running.pop(CANARY, None)
        share = payload.get("new" if verb == Verb.SHARE_SET else "share", ALL)
        facts.add(interval(deployment, payload["version"], arm, share, event.actor, request))
        running[arm] = runs(deployment)
    return facts | set(running.values()) | ({live} if live else set())


def held(endpoints: list[str]) -> dict[str, set[str]]:
    """What the tables say of these endpoints."""
    facts: dict[str, set[str]] = defaultdict(set)
    rows = Deployment.objects.filter(endpoint__uuid__in=endpoints)
    columns = ("uuid", "version__uuid", "arm", "share", "started_by__uuid", "approval__uuid")
    for endpoint, ended, uuid, version, arm, share, by, request in rows.values_list("endpoint__uuid", "ended_at", *columns):
        facts[str(endpoint)].add(interval(uuid, version, arm, share, by or "system", request))
        if ended is None:
            facts[str(endpoint)].add(runs(uuid))
    for endpoint, version in Alias.objects.filter(endpoint__uuid__in=endpoints, version__isnull=False).values_list(
        "endpoint__uuid", "version__uuid"
    ):
        facts[str(endpoint)].add(is_live(version))
    return facts


def interval(deployment: object, version: object, arm: str, share: int, by: object, request: object) -> str:
    """Who let what serve, and by which approval."""
    by_approval = f" by request {request}" if request else ""
    return f"deployment {deployment}: version {version} as {arm} at {share} of 10000, begun by {by}{by_approval}"


def runs(deployment: object) -> str:
    """That it has not ended."""
    return f"deployment {deployment} runs"


def is_live(version: object) -> str:
    """What the endpoint's alias names."""
    return f"version {version} is live"


DEPLOYMENTS = Account("endpoints", Endpoint, frozenset({*BEGINS, *ENDS}), told, held)
