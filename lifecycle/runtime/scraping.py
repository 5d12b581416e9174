"""Access to /metrics of the site and of the inference server, and its exposition format."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

# Headers that proxies add; a proxy that adds none looks like this machine.
PROXIED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-real-ip", "via")


def may_scrape(*, token: str, peer: str, headers: Mapping[str, str]) -> bool:
    """Whether the caller may read metrics: it sends the token or, where none is set, calls from this machine
    (see is_here).
    """
    return sends(token, headers) if token else is_here(peer, headers)


def is_here(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from this machine and wasn't forwarded by a proxy on it.

    peer: the address of the connection; headers: of the request, looked up case-insensitively.
    """
    return is_loopback(peer) and not any(name in headers for name in PROXIED)


def sends(token: str, headers: Mapping[str, str]) -> bool:
    """Whether a request carries this token."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("utf-8", "surrogateescape"), token.encode()
    )


def is_loopback(peer: str) -> bool:
    """Whether an address is this machine's own; False for anything that isn't an address."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


class Once(Collector):
    """A collector over given metric families, as an encoder expects it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families, once."""
        yield from self._families


def exposition(families: Iterable[Metric], accept: str) -> tuple[bytes, str]:
    """The body and its Content-Type, in the format that the scraper asks for: OpenMetrics, or Prometheus'
    plain text.
    """
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # an invalid version
        encode, content_type = choose_encoder("")
    return encode(Once(families)), content_type  # type: ignore[arg-type]  # it calls collect() and nothing else
