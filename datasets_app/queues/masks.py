"""Opaque numbers for keys whose size would reveal how new a row is. Keyed by the site's secret.

A slot of gold is made when it is handed out, so its larger key would reveal it.
"""

from __future__ import annotations

import hmac

from django.utils.crypto import salted_hmac

BITS = 24  # of each half: a masked number has 48, which a script's number holds exactly
HALF = (1 << BITS) - 1
ROUNDS = 4


def mask(number: int, kind: str) -> int:
    """A number below 2 ** 48 for a key below that; one-to-one and always the same. kind: "slot" or
    "prelabel".
    """
    secret = salted_hmac("labeling.mask", kind, algorithm="sha256").digest()
    left, right = number >> BITS, number & HALF
    for turn in range(ROUNDS):
        left, right = right, left ^ stirred(secret, turn, right)
    return left << BITS | right


def unmask(number: int, kind: str) -> int:
    """The key behind a masked number; 0 for an invalid one."""
    if not 0 <= number < 1 << (2 * BITS):
        return 0
    secret = salted_hmac("labeling.mask", kind, algorithm="sha256").digest()
    left, right = number >> BITS, number & HALF
    for turn in reversed(range(ROUNDS)):
        left, right = right ^ stirred(secret, turn, left), left
    return left << BITS | right


def stirred(secret: bytes, turn: int, half: int) -> int:
    """The round function of a Feistel network: 24 bits to combine with the other half."""
    digest = hmac.digest(secret, bytes([turn]) + half.to_bytes(3, "big"), "sha256")
    return int.from_bytes(digest[:3], "big")
