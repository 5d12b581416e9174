"""Which version answers: the routes document as immutable values, and the pure functions that decide over them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lifecycle.inference.engines import Engine
from lifecycle.refusals import Refused

BUCKETS = 10_000
STABLE = "stable"
ARMS = (STABLE, "canary")
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Arm:
    """A version's part of an endpoint's traffic. share: buckets of 10,000; root_digest: hex."""

    name: str
    share: int
    version: str
    label: str
    root_digest: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint as published. standby: root digests kept loaded for rollback; tokens: sha256 of each token that may ask, hex."""

    slug: str
    salt: str
    arms: tuple[Arm, ...]
    standby: tuple[str, ...]
    tokens: tuple[str, ...]
    keep_text: bool


@dataclass(frozen=True, slots=True)
class Routes:
    """A whole routes document. epoch grows with each publication and never falls."""

    epoch: int
    endpoints: Mapping[str, Endpoint]

    @property
    def digests(self) -> list[str]:
        """Root digests to have loaded, each once: what answers first, what stands by after it."""
        arms = [arm.root_digest for endpoint in self.endpoints.values() for arm in endpoint.arms]
        standby = [digest for endpoint in self.endpoints.values() for digest in endpoint.standby]
        return list(dict.fromkeys(arms + standby))


@dataclass(frozen=True, slots=True)
class LiveArm:
    """An arm whose version is loaded."""

    arm: Arm
    engine: Engine


@dataclass(frozen=True, slots=True)
class LiveEndpoint:
    """What answers now for one endpoint. epoch: of the document that its arms come from; arms: empty while nothing could be loaded."""

    endpoint: Endpoint
    epoch: int
    arms: tuple[LiveArm, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """All live endpoints. Replaced as a whole, never changed: a request keeps the table and the engines it began with."""

    endpoints: Mapping[str, LiveEndpoint] = field(default_factory=dict)

    @property
    def digests(self) -> set[str]:
        """Root digests of all versions that answer."""
        return {live.arm.root_digest for endpoint in self.endpoints.values() for live in endpoint.arms}


def build_table(routes: Routes, loaded: Mapping[str, Engine], previous: Table) -> Table:
    """The table for a document and the versions that are loaded.

    An endpoint with an arm that isn't loaded (yet, or because it was refused) goes on with its previous arms; its tokens and
    flags are the new ones at once, so that a revoked token is out even if the new version is damaged.
    """
    endpoints = {}
    for slug, endpoint in routes.endpoints.items():
        if all(arm.root_digest in loaded for arm in endpoint.arms):
            live = tuple(LiveArm(arm, loaded[arm.root_digest]) for arm in endpoint.arms)
            endpoints[slug] = LiveEndpoint(endpoint, routes.epoch, live)
        elif before := previous.endpoints.get(slug):
            endpoints[slug] = LiveEndpoint(endpoint, before.epoch, before.arms)
        else:
            endpoints[slug] = LiveEndpoint(endpoint, routes.epoch, ())
    return Table(endpoints)


def bucket(salt: str, key: str) -> int:
    """The bucket of a key, 0 to 9,999: the same for ever under one salt."""
    digest = hashlib.blake2b(f"{salt}{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def choose_arm(live: LiveEndpoint, key: str) -> LiveArm:
    """The arm that a key falls to. Other arms than stable own the lowest buckets, so a share that grows keeps the keys it has."""
    place, end = bucket(live.endpoint.salt, key), 0
    others = [candidate for candidate in live.arms if candidate.arm.name != STABLE]
    for candidate in others:
        end += candidate.arm.share
        if place < end:
            return candidate
    return next(candidate for candidate in live.arms if candidate.arm.name == STABLE)


def knows(tokens: tuple[str, ...], digest: str) -> bool:
    """Whether a token's digest is in the list, in a time that does not depend on where."""
    found = False
    for token in tokens:
        found |= hmac.compare_digest(token, digest)
    return found


def parse_routes(document: Mapping[str, Any]) -> Routes:
    """A routes document as values. Raises Refused, naming the endpoint, for anything that is not exactly as agreed."""
    try:
        if document["format"] != 1 or type(document["epoch"]) is not int or document["epoch"] < 0:
            raise Refused("The routes document has a format or an epoch that this server does not know.", next_step="Update the server.")
        published = dict(document["endpoints"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("The routes document lacks its format, epoch or endpoints.", next_step="Publish the routes again.") from error
    return Routes(document["epoch"], {slug: _endpoint(slug, raw) for slug, raw in published.items()})


def _endpoint(slug: str, raw: Mapping[str, Any]) -> Endpoint:
    try:
        arms = tuple(_arm(arm) for arm in raw["arms"])
        standby = tuple(_digest(version["root_digest"]) for version in raw.get("standby", ()))
        tokens = tuple(_digest(token) for token in raw["tokens"])
        endpoint = Endpoint(slug, str(raw["salt"]), arms, standby, tokens, raw["keep_text"] is True)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"Endpoint {slug[:100]!r} of the routes document is not as agreed: {error}.", next_step="Publish again.") from error
    names = [arm.name for arm in arms]
    if not SLUG.match(slug) or (
        arms and (sum(arm.share for arm in arms) != BUCKETS or names.count(STABLE) != 1 or len(set(names)) != len(names))
    ):
        raise Refused(
            f"Endpoint {slug[:100]!r} of the routes document must have one stable arm, and shares that add up to {BUCKETS}.",
            next_step="Publish the routes again.",
        )
    return endpoint


def _arm(raw: Mapping[str, Any]) -> Arm:
    arm = Arm(str(raw["arm"]), raw["share"], str(raw["version"]), str(raw.get("label", "")), _digest(raw["root_digest"]))
    if not VERSION.match(arm.version):
        raise ValueError("a version is not named by letters, digits, dots and dashes")
    if arm.name not in ARMS or type(arm.share) is not int or not 0 <= arm.share <= BUCKETS:
        raise ValueError(f"arm {arm.name[:20]!r} or its share")
    return arm


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not DIGEST.match(value):
        raise ValueError("a digest is not 64 hex digits")
    return value
