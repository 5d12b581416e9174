"""Rollouts, by the trail and by the tables: verification finds a plan that is not the agreed one, a share
that no one decided on, a canary that the rollout never had, and a rollout that was paused, held or ended in
the database.
"""

from __future__ import annotations

from monitoring.rollouts.models import Rollout, Segment
from monitoring.rollouts.rules import State
from registry.endpoints.rules import ALL
from registry.ground.ledger.accounts import Account, LoggedEvent
from registry.ground.ledger.rules import SYSTEM, digest_of
from registry.ground.ledger.verbs import Verb

STATES = {
    Verb.ROLLOUT_STARTED: State.RUNNING,
    Verb.ROLLOUT_PAUSED: State.PAUSED,
    Verb.ROLLOUT_RESUMED: State.RUNNING,
    Verb.ROLLOUT_HELD: State.HOLDING,
    Verb.ROLLOUT_PROMOTED: State.PROMOTED,
    Verb.ROLLOUT_ROLLED_BACK: State.ROLLED_BACK,
    Verb.ROLLOUT_ABORTED: State.ABORTED,
}
ENDS = frozenset({Verb.ROLLOUT_PROMOTED, Verb.ROLLOUT_ROLLED_BACK, Verb.ROLLOUT_ABORTED})
MOVES = STATES.keys() | {Verb.ROLLOUT_WIDENED, Verb.ROLLOUT_STEP_DECIDED, Verb.ROLLOUT_STEP_DROPPED}


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """What is after these events about a rollout."""
    lasting: dict[str, str] = {}
    canaries: list[str] = []
    state, share = State.RUNNING, 0
    for event in events:
        verb, payload = Verb(event.verb), event.payload
        if verb == Verb.ROLLOUT_STEP_DECIDED:
            lasting["next"] = next_step(payload["new"], event.actor, payload["reason"])
            continue
        if verb == Verb.ROLLOUT_STARTED:
            about = (payload[name] for name in ("endpoint", "version", "request", "baseline"))
            lasting["started"], lasting["plan"] = started(event.actor, *about), by_plan(payload["plan"])
            share = payload["plan"]["steps"][0]
        if verb == Verb.ROLLOUT_WIDENED:
            state, share = State.RUNNING if state == State.HOLDING else state, payload["new"]
        if verb in (Verb.ROLLOUT_STARTED, Verb.ROLLOUT_WIDENED):
            canaries.append(steers(len(canaries) + 1, payload["deployment"], share))
        if verb in ENDS:
            share, lasting["ended"] = (
                ALL if verb == Verb.ROLLOUT_PROMOTED else payload["old"],
                ended(event.actor),
            )
        if verb in ENDS | {Verb.ROLLOUT_WIDENED, Verb.ROLLOUT_STEP_DROPPED}:
            lasting.pop("next", None)
        if verb != Verb.ROLLOUT_STEP_DROPPED:
            state = STATES.get(verb, state)
            lasting["reason"] = because(payload["reason"] if verb in ENDS | {Verb.ROLLOUT_HELD} else "")
        lasting["state"] = has(state, share)
    return {*lasting.values(), *canaries}


def stored_facts(rollouts: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these rollouts."""
    facts: dict[str, set[str]] = {}
    people = ("started_by", "next_by", "ended_by")
    for row in Rollout.objects.filter(uuid__in=rollouts).select_related(
        "endpoint", "version", "request", "baseline", *people
    ):
        about = (each.uuid for each in (row.endpoint, row.version, row.request, row.baseline))
        facts[str(row.uuid)] = found = {
            started(row.started_by.uuid, *about),
            by_plan(row.plan),
            has(State(row.state), row.share),
            because(row.reason),
        }
        if row.next_share is not None:
            found.add(next_step(row.next_share, row.next_by.uuid if row.next_by else SYSTEM, row.next_reason))
        if row.ended_at is not None:
            found.add(ended(row.ended_by.uuid if row.ended_by else SYSTEM))
    rows = Segment.objects.filter(rollout__uuid__in=facts)
    for uuid, number, deployment, share in rows.values_list(
        "rollout__uuid", "number", "deployment__uuid", "share"
    ):
        facts[str(uuid)].add(steers(number, deployment, share))
    return facts


def started(by: object, endpoint: object, version: object, request: object, baseline: object) -> str:
    """Who started it, of what, by which approval."""
    return (
        f"started by {by} on endpoint {endpoint}: version {version} by request {request}, beside version"
        f" {baseline}"
    )


def by_plan(plan: object) -> str:
    """What it goes by."""
    return f"goes by plan {digest_of(plan)}"


def steers(number: int, deployment: object, share: int) -> str:
    """Its canary under one share."""
    return f"steers deployment {deployment} at {share} of 10000, as its segment {number}"


def has(state: State, share: int) -> str:
    """Its state."""
    return f"is {state} at {share} of 10000"


def because(reason: str) -> str:
    """Why it holds or has ended."""
    return f"has a reason with digest {digest_of(reason)}"


def next_step(share: int, by: object, reason: str) -> str:
    """The wider share that was decided on and is not in force yet."""
    return f"goes to {share} of 10000, decided by {by} for a reason with digest {digest_of(reason)}"


def ended(by: object) -> str:
    """Who ended it."""
    return f"ended by {by}"


ROLLOUTS = Account("rollouts", Rollout, frozenset(MOVES), logged_facts, stored_facts)
