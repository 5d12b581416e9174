"""What versions are, by the trail and by the tables: a quarantine that was lifted in the database is found by verification."""

from __future__ import annotations

from registry.catalog.models import ModelVersion
from registry.catalog.rules import ACTIVE, QUARANTINED
from registry.ledger.accounts import Account, Told
from registry.ledger.verbs import Verb


def told(events: list[Told]) -> set[str]:
    """What stands after these events about a version."""
    facts: set[str] = set()
    for event in events:
        payload = event.payload
        if event.verb == Verb.VERSION_REGISTERED:
            about = (payload[name] for name in ("semver", "run", "evaluation", "root_digest", "key"))
            facts.add(registered(*about, by=event.actor))
        else:
            facts.add(is_now(QUARANTINED, payload["reason"]))
    return facts


def held(versions: list[str]) -> dict[str, set[str]]:
    """What the tables say of these versions."""
    facts: dict[str, set[str]] = {}
    columns = ("semver", "run__uuid", "evaluation__report_digest", "root_digest", "key_fingerprint", "registered_by__uuid")
    for row in ModelVersion.objects.filter(uuid__in=versions).values_list("uuid", "state", "state_reason", *columns):
        uuid, state, reason, *about, by = row
        facts[str(uuid)] = {registered(*about, by=by), *([] if state == ACTIVE else [is_now(state, reason)])}
    return facts


def registered(semver: str, run: object, evaluation: str, root_digest: str, key: str, *, by: object) -> str:
    """What the version is, and who registered it."""
    return f"{semver} of run {run}, judged by evaluation {evaluation}, files {root_digest} signed by {key}, registered by {by}"


def is_now(state: str, reason: str) -> str:
    """Why nobody may serve it."""
    return f"is {state}: {reason}"


VERSIONS = Account("versions", ModelVersion, frozenset({Verb.VERSION_REGISTERED, Verb.VERSION_QUARANTINED}), told, held)
