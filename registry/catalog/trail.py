"""Model cards, by the trail and by the table: verification finds a card that was altered, added or removed behind the product's back."""

from __future__ import annotations

from collections import defaultdict

from registry.catalog import signed_cards
from registry.catalog.models import Card, ModelVersion
from registry.catalog.signed_cards import digest_of
from registry.ledger.accounts import Account, Told
from registry.ledger.verbs import Verb


def told(events: list[Told]) -> set[str]:
    """What the events about a version say of its card's revisions."""
    facts: set[str] = set()
    for event in events:
        first = event.verb == Verb.VERSION_REGISTERED
        revision, digest = (1, event.payload["card"]) if first else (event.payload["revision"], event.payload["new"])
        facts.add(reads(revision, digest))
        if "card_signature" in event.payload:
            facts.add(signed(revision, event.payload["card_signature"]))
    return facts


def held(versions: list[str]) -> dict[str, set[str]]:
    """What the table says of the cards of these versions; digests are computed from the texts."""
    facts: dict[str, set[str]] = defaultdict(set)
    for card in Card.objects.filter(version__uuid__in=versions).select_related("version").iterator(chunk_size=100):
        found = facts[str(card.version.uuid)]
        found.add(reads(card.revision, digest_of(card.text)))
        if card.signature:
            found.add(signed(card.revision, digest_of(card.signature)))
        if signed_cards.is_altered(card):
            found.add(f"card revision {card.revision} isn't what was signed")
    return facts


def reads(revision: int, digest: str) -> str:
    """The text of a revision, by its digest."""
    return f"card revision {revision} has digest {digest}"


def signed(revision: int, digest: str) -> str:
    """The signature of a revision, by its digest."""
    return f"card revision {revision} has a signature with digest {digest}"


CARDS = Account("cards", ModelVersion, frozenset({Verb.VERSION_REGISTERED, Verb.CARD_CHANGED}), told, held)
