"""How an event becomes bytes and a hash. Pure: same input, same answer."""

from __future__ import annotations

import hashlib
import json
from typing import Any

GENESIS = "0" * 64
INSTALLATION = "installation"
SYSTEM = "system"


def canonical_bytes(document: dict[str, Any]) -> bytes:
    """The one JSON form of a document: sorted keys, no blanks, UTF-8; numbers must be whole or plain floats."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def event_hash(canonical: str) -> str:
    """sha256, in hex, of the stored bytes; they hold the chain, the seq and the hash before."""
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def digest_of(document: Any) -> str:
    """sha256, in hex, of the canonical form of any JSON value: for batches, specs, subjects of approval."""
    return hashlib.sha256(canonical_bytes({"document": document})).hexdigest()
