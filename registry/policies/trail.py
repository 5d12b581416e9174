"""Policies, by the audit log and by the table: verification finds one that no one published, and a text that
was changed.
"""

from __future__ import annotations

from registry.ground.ledger.accounts import Account, LoggedEvent
from registry.ground.ledger.verbs import Verb
from registry.policies.models import Policy
from registry.policies.rules import digest_of


def logged_facts(events: list[LoggedEvent]) -> set[str]:
    """What the event of a policy reports about it."""
    return {
        published(event.payload["name"], event.payload["version"], event.payload["digest"], by=event.actor)
        for event in events
    }


def stored_facts(policies: list[str]) -> dict[str, set[str]]:
    """Facts from the table about these policies; digests are computed from the texts."""
    facts: dict[str, set[str]] = {}
    for row in (
        Policy.objects.filter(uuid__in=policies).select_related("published_by").iterator(chunk_size=100)
    ):
        by = row.published_by.uuid if row.published_by else "system"
        found = facts[str(row.uuid)] = {published(row.name, row.version, digest_of(row.text), by=by)}
        if row.digest != digest_of(row.text):
            found.add(f"has digest {row.digest}, which isn't its text's")
    return facts


def published(name: str, version: int, digest: str, *, by: object) -> str:
    """What the policy is, and who published it."""
    return f"is version {version} of {name} with digest {digest}, published by {by}"


POLICIES = Account("policies", Policy, frozenset({Verb.POLICY_PUBLISHED}), logged_facts, stored_facts)
