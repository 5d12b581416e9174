"""Versions and their cards, by the trail and by the tables: verification finds a quarantine that was lifted in the database, and a card
that was altered, added or removed behind the product's back."""

from __future__ import annotations

from collections import defaultdict

from registry.catalog import signed_cards
from registry.catalog.models import Card, ModelVersion
from registry.catalog.rules import ACTIVE, QUARANTINED
from registry.catalog.signed_cards import digest_of
from registry.ledger.accounts import Account, Told
from registry.ledger.verbs import Verb


def told_of_versions(events: list[Told]) -> set[str]:
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


def held_of_versions(versions: list[str]) -> dict[str, set[str]]:
    """What the tables say of these versions."""
    facts: dict[str, set[str]] = {}
    columns = ("semver", "run__uuid", "evaluation__report_digest", "root_digest", "key_fingerprint", "registered_by__uuid")
    for row in ModelVersion.objects.filter(uuid__in=versions).values_list("uuid", "state", "state_reason", *columns):
        uuid, state, reason, *about, by = row
        facts[str(uuid)] = {registered(*about, by=by or "system"), *([] if state == ACTIVE else [is_now(state, reason)])}
    return facts


def registered(semver: str, run: object, evaluation: str, root_digest: str, key: str, *, by: object) -> str:
    """What the version is, and who registered it."""
    return f"{semver} of run {run}, judged by evaluation {evaluation}, files {root_digest} signed by {key}, registered by {by}"


def is_now(state: str, reason: str) -> str:
    """Why nobody may serve it."""
    return f"is {state}: {reason}"


def told_of_cards(events: list[Told]) -> set[str]:
    """What the events about a version say of its card's revisions."""
    facts: set[str] = set()
    for event in events:
        first = event.verb == Verb.VERSION_REGISTERED
        revision, digest = (1, event.payload["card"]) if first else (event.payload["revision"], event.payload["new"])
        facts.add(reads(revision, digest))
        if "card_signature" in event.payload:
            facts.add(signed(revision, event.payload["card_signature"]))
    return facts


def held_of_cards(versions: list[str]) -> dict[str, set[str]]:
    """What the table says of the cards of these versions; digests are computed from the texts."""
    facts: dict[str, set[str]] = defaultdict(set)
    known = signed_cards.signed_revisions(versions)
    for card in Card.objects.filter(version__uuid__in=versions).select_related("version").iterator(chunk_size=100):
        found = facts[str(card.version.uuid)]
        found.add(reads(card.revision, digest_of(card.text)))
        if card.signature:
            found.add(signed(card.revision, digest_of(card.signature)))
        if signed_cards.is_altered(card, known):
            found.add(f"card revision {card.revision} isn't what was signed")
    return facts


def reads(revision: int, digest: str) -> str:
    """The text of a revision, by its digest."""
    return f"card revision {revision} has digest {digest}"


def signed(revision: int, digest: str) -> str:
    """The signature of a revision, by its digest."""
    return f"card revision {revision} has a signature with digest {digest}"


VERSIONS = Account(
    "versions", ModelVersion, frozenset({Verb.VERSION_REGISTERED, Verb.VERSION_QUARANTINED}), told_of_versions, held_of_versions
)
CARDS = Account("cards", ModelVersion, frozenset({Verb.VERSION_REGISTERED, Verb.CARD_CHANGED}), told_of_cards, held_of_cards)
