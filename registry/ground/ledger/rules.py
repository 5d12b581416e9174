"""How an event becomes bytes and a hash. Pure: same input, same answer."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DataError

from lifecycle.runtime import bundle

GENESIS = "0" * 64
INSTALLATION = "installation"
SYSTEM = "system"
PARTS = ("chain", "at", "verb", "actor", "object_type", "object_id", "previous")  # texts, in every event
# What reading something raises that no action wrote.
UNREADABLE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, DataError)
FORM = 1  # of an event; one of any other form is a fault


def is_chain(name: object) -> bool:
    """Whether a chain can have this name: the installation's, or the uuid of a project."""
    return name == INSTALLATION or is_uuid(name)


def is_uuid(text: object) -> bool:
    """Whether an object can have this id, as events write it."""
    try:
        return isinstance(text, str) and str(UUID(text)) == text
    except ValueError:
        return False


def event_hash(canonical: str) -> str:
    """sha256, in hex, of the stored bytes; they hold the chain, the seq and the hash before."""
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def document_of(canonical: str) -> dict[str, Any] | None:
    """The content of the stored bytes; None for bytes that are no event, whatever hash they were given."""
    try:
        document: dict[str, Any] = json.loads(canonical)
        fits = [
            isinstance(canonical, str),
            all(isinstance(digest, str) for digest in document["names"].values()),
        ]
        fits += [isinstance(document[part], str) for part in PARTS] + [
            datetime.fromisoformat(document["at"]).tzinfo is not None
        ]
        fits += [isinstance(document["payload"], dict), "project" in document]
        fits.append(type(document["form"]) is int)
    except UNREADABLE:
        return None
    return document if all(fits) else None


def digest_of(document: Any) -> str:
    """sha256, in hex, of the canonical form of any JSON value: for batches, specs, subjects of approval."""
    return hashlib.sha256(bundle.canonical_json({"document": document})).hexdigest()


def plain(value: Any) -> Any:
    """The same with numbers of six digits and no negative zero, so that every database gives back exactly
    what was written.
    """
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return round(value, 6) + 0.0 if isinstance(value, float) else value


def name_digest(salt: str, text: str) -> str:
    """What an event is hashed with for a name: without the salt the name can't be recovered from it, nor
    another name found for it.
    """
    return digest_of([salt, text])
