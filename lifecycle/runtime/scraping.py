"""Who is on this machine and who may read /metrics, of the site and of the inference server alike, and in which format they get it."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

# What proxies say of themselves; one that says nothing cannot be told from this machine.
PROXIED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-real-ip", "via")


def may_scrape(*, token: str, peer: str, headers: Mapping[str, str]) -> bool:
    """With a token set, whoever sends it; without one, only this machine. See is_here."""
    return sends(token, headers) if token else is_here(peer, headers)


def is_here(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from this machine, and not from somebody that a proxy on it speaks for.

    peer: the address that the connection came from; headers: of the request, found whatever their case.
    """
    return is_loopback(peer) and not any(name in headers for name in PROXIED)


def sends(token: str, headers: Mapping[str, str]) -> bool:
    """Whether a request carries this token."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())


def is_loopback(peer: str) -> bool:
    """Whether an address is this machine's own; False for what is no address."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


class Once(Collector):
    """Families that are there already, in the shape that an encoder reads."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families, once."""
        yield from self._families


def exposition(families: Iterable[Metric], accept: str) -> tuple[bytes, str]:
    """The body and its Content-Type, in the format that the scraper asks for: OpenMetrics, or Prometheus' plain text."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is none
        encode, content_type = choose_encoder("")
    return encode(Once(families)), content_type  # type: ignore[arg-type]  # it calls collect() and nothing else
