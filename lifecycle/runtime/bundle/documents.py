"""Signed JSON documents: `{"document": …, "signature": …}`, the signature over the document's canonical
form.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from lifecycle.runtime.bundle.keys import load_private, load_public
from lifecycle.runtime.refusals import Refused

ALGORITHM = "ecdsa-p256-sha256"
ASK = "Get the document from its publisher again, and check which key signs it."


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value that is hashed and signed: sorted keys, no spaces, ASCII. ValueError
    for NaN and infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sign_document(document: dict[str, Any], private_key: Path) -> bytes:
    """The document with its signature, as the bytes of a JSON file."""
    value = load_private(private_key).sign(canonical_json(document), ec.ECDSA(hashes.SHA256()))
    signature = {"algorithm": ALGORITHM, "value": base64.b64encode(value).decode("ascii")}
    return (
        json.dumps({"document": document, "signature": signature}, indent=1, allow_nan=False).encode("ascii")
        + b"\n"
    )


def verify_document(data: bytes, public_key: Path) -> dict[str, Any]:
    """The document inside, once its signature is confirmed. Raises Refused for anything else."""
    document, signature = _open(data)
    try:
        load_public(public_key).verify(signature, canonical_json(document), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise Refused(
            "The document's signature doesn't match this installation's key.", next_step=ASK
        ) from error
    return document


def _open(data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        envelope = json.loads(data)
        document, signature = envelope["document"], envelope["signature"]
        algorithm, value = signature["algorithm"], base64.b64decode(signature["value"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("Not a signed document.", next_step=ASK) from error
    if algorithm != ALGORITHM or not isinstance(document, dict):
        raise Refused("Unknown type of signed document.", next_step=ASK)
    return document, value
