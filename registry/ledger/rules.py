"""How an event becomes bytes and a hash. Pure: same input, same answer."""

from __future__ import annotations

import hashlib
from typing import Any

from lifecycle import bundle

GENESIS = "0" * 64
INSTALLATION = "installation"
SYSTEM = "system"
FORM = 3  # of an event: 3 states all that rows are compared by, 2 is hashed with digests of its names, before it there was no `form`


def form_of(document: dict[str, Any]) -> int:
    """The form of an event, by what was hashed."""
    return int(document.get("form", 1))


def event_hash(canonical: str) -> str:
    """sha256, in hex, of the stored bytes; they hold the chain, the seq and the hash before."""
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def digest_of(document: Any) -> str:
    """sha256, in hex, of the canonical form of any JSON value: for batches, specs, subjects of approval."""
    return hashlib.sha256(bundle.canonical_json({"document": document})).hexdigest()


def name_digest(salt: str, text: str) -> str:
    """What an event is hashed with for a name: nobody without the salt can tell the name from it, or find another name for it."""
    return digest_of([salt, text])
