"""Messages to the outside: how they are signed, when they are tried again, and where they may go. Pure but for looking up a host's name."""

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

from lifecycle.refusals import Refused

BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 3600, 4 * 3600))  # after the first, second … failure
LEASE = timedelta(minutes=2)  # longer than any attempt takes; then another process may try
ADDRESSES_MAX = 20
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # IPv4 behind a translator
# What this Python's is_global lets through: a translator's local prefix, IPv4 in IPv6 as it once was, site-local, IETF assignments.
NOT_PUBLIC = tuple(ipaddress.ip_network(net) for net in ("64:ff9b:1::/48", "::/96", "fec0::/10", "192.0.0.0/24"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ChannelKind(TextChoices):
    """Ways out of the product. People are told in the product in any case."""

    EMAIL = "email", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class DeliveryState(TextChoices):
    """failed: given up after the last try."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


def next_try(attempts: int, now: datetime) -> datetime | None:
    """When to try again after so many failures; None: give up. Seven tries over some five hours."""
    return now + BACKOFF[attempts - 1] if attempts <= len(BACKOFF) else None


def body_of(message: dict[str, Any]) -> bytes:
    """The bytes that are sent and signed."""
    return json.dumps(message, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over "<timestamp>.<body>" in hex: a receiver that checks the age of the timestamp cannot be fooled by a replay."""
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def check_addresses(text: str) -> str:
    """Up to 20 e-mail addresses separated by commas, trimmed. Raises Refused naming the first that is none."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    sentence = ""
    if not found or len(found) > ADDRESSES_MAX:
        sentence = f"Give 1 to {ADDRESSES_MAX} e-mail addresses, separated by commas."
    for each in found:
        try:
            validate_email(each)
            if not each.isprintable():  # quoted names may hold control characters
                raise ValidationError("")
        except ValidationError:
            sentence = f"{each!r} is no e-mail address."
            break
    if sentence:
        raise Refused(sentence, fields={"address": [sentence]})
    return ", ".join(found)


def check_url(url: str, *, allow_private: bool) -> httpx.URL:
    """A webhook's address, as far as its text says. Raises Refused for anything but https (http on this machine where that is allowed).

    Read by the client that calls it, so that both see the same host. Where it leads is looked up at each sending: see targets.
    """
    try:
        parts = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise _refused("This is no address.") from None
    host = host_of(parts)
    if not url.strip().isprintable():
        raise _refused("An address has no characters that cannot be seen.")
    if not host or parts.scheme not in ("http", "https"):
        raise _refused("An address begins with https:// and names a host.")
    if parts.userinfo:
        raise _refused("An address with a name and password in it would stand in logs. The signature tells the receiver that it is us.")
    if parts.scheme == "http" and not (allow_private and is_loopback(host)):
        raise _refused("Only https is allowed, since messages name endpoints and their faults.")
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
    """The addresses behind a host, all of them public. Raises Refused when it is unknown, or when any leads into a private network:
    a name that answers with both is how such a guard is tricked."""
    try:
        found = {str(info[4][0]).split("%")[0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise _refused(f"The host {host} is not known.") from None
    check_public(host, sorted(found), allow_private=allow_private)
    return sorted(found)


def check_public(host: str, addresses: Sequence[str], *, allow_private: bool) -> None:
    """Raises Refused for a host with an address that is not public; the sentence keeps to itself how networks here are laid out."""
    for each in addresses:
        if not allow_private and not is_public(ipaddress.ip_address(each)):
            raise _refused(f"{host} leads to an address that is not public. WEBHOOK_ALLOW_PRIVATE=1 allows it.")


def is_public(address: Address) -> bool:
    """Whether an address is on the open internet; an IPv4 address inside an IPv6 one is looked at as what it is."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    if address in NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network or inner in network for network in NOT_PUBLIC):
        return False
    return address.is_global and inner.is_global and not inner.is_multicast and not address.is_multicast


def _refused(sentence: str) -> Refused:
    return Refused(sentence, fields={"address": [sentence]})
