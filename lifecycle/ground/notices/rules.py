"""Outgoing messages: signatures, retries, and allowed addresses. Pure except for DNS look-ups."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import TextChoices

from lifecycle.runtime.refusals import Refused

# after the first, second … failure
BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 3600, 4 * 3600))
LEASE = timedelta(minutes=2)  # longer than any attempt takes; then another process may try
ADDRESSES_MAX = 20
# mapped, behind NAT64: IPv4 and nothing else
TRANSLATED = tuple(ipaddress.ip_network(net) for net in ("::ffff:0:0/96", "64:ff9b::/96"))
# all of IPv6 that is given out; the rest is local, reserved or another way to write IPv4
UNICAST = ipaddress.ip_network("2000::/3")
# What this Python's is_global lets through: IETF assignments, relays to 6to4, documentation.
NOT_PUBLIC = tuple(ipaddress.ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # the first half of an interface's id that ends in an IPv4 address
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ChannelKind(TextChoices):
    """Kinds of channels. People get notices in the product in any case."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class DeliveryState(TextChoices):
    """failed: given up after the last try."""

    WAITING = "waiting", "Queued"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


def next_try(attempts: int, now: datetime) -> datetime | None:
    """When to try again after so many failures; None: give up. Seven tries over some five hours."""
    return now + BACKOFF[attempts - 1] if attempts <= len(BACKOFF) else None


def body_of(message: dict[str, Any]) -> bytes:
    """The bytes that are sent and signed."""
    return json.dumps(message, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over "<timestamp>.<body>" in hex: a receiver that checks the age of the timestamp cannot be
    fooled by a replay.
    """
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def check_addresses(text: str) -> str:
    """Up to 20 e-mail addresses separated by commas, trimmed. Raises Refused naming the first that is
    none.
    """
    found = [part.strip() for part in text.split(",") if part.strip()]
    sentence = ""
    if not found or len(found) > ADDRESSES_MAX:
        sentence = f"Enter 1 to {ADDRESSES_MAX} comma-separated e-mail addresses."
    for each in found:
        try:
            validate_email(each)
            if not each.isprintable():  # quoted names may hold control characters
                raise ValidationError("")
        except ValidationError:
            sentence = f"{each!r} isn't an e-mail address."
            break
    if sentence:
        raise Refused(sentence, fields={"address": [sentence]})
    return ", ".join(found)


def check_url(url: str, *, allow_private: bool) -> httpx.URL:
    """A webhook's address, checked by its text. Raises Refused for anything but https (http on this machine
    where that is allowed).

    Read by the client that calls it, so that both see the same host. Where it leads is looked up at each
    sending: see targets.
    """
    try:
        parts = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise _refused("Enter a valid URL.") from None
    host = host_of(parts)
    if not url.strip().isprintable():
        raise _refused("Remove invisible characters from the URL.")
    if not host or parts.scheme not in ("http", "https"):
        raise _refused("Enter a URL that starts with https:// and has a host.")
    if parts.userinfo:
        raise _refused(
            "Remove the user name and password from the URL: they would appear in logs. Receivers check the"
            " signature instead."
        )
    if parts.scheme == "http" and not (allow_private and is_loopback(host)):
        raise _refused("Use https: messages contain endpoint names and failures.")
    return parts


def host_of(url: httpx.URL) -> str:
    """Its host in ASCII, as names are looked up and certificates are checked."""
    return url.raw_host.decode("ascii")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its text alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def targets(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses behind a host, all of them public. Raises Refused when it is unknown, or when any leads
    into a private network: a name that answers with both is how such a guard is tricked.
    """
    try:
        found = {
            str(info[4][0]).split("%")[0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        }
    except (OSError, UnicodeError):
        raise not_reachable(host) from None
    check_public(host, sorted(found), allow_private=allow_private)
    return sorted(found)


def check_public(host: str, addresses: Sequence[str], *, allow_private: bool) -> None:
    """Raises Refused for a host with an address that is not public."""
    for each in addresses:
        if not allow_private and not is_public(ipaddress.ip_address(each)):
            raise not_reachable(host)


def not_reachable(host: str) -> Refused:
    """The same error for unknown and for internal names: a channel must not reveal the names of internal
    networks.
    """
    return _refused(
        f"{host} can't be resolved, or resolves to a private address. WEBHOOK_ALLOW_PRIVATE=1 allows private"
        " addresses."
    )


def is_public(address: Address) -> bool:
    """Whether an address is on the open internet; an IPv4 address inside an IPv6 one is looked at as what it
    is.
    """
    if (
        not address.is_global
        and address not in TRANSLATED[0]
        or address.is_multicast
        or any(address in each for each in NOT_PUBLIC)
    ):
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in each for each in TRANSLATED):
        return is_public(last)
    inner = last if int(address) >> 32 & 0xFFFFFFFF in ISATAP else address.sixtofour
    return address in UNICAST and (inner is None or is_public(inner))


def _refused(sentence: str) -> Refused:
    return Refused(sentence, fields={"address": [sentence]})
