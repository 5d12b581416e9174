"""Which version answers: the routes document as immutable values, and pure functions over them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lifecycle.runtime.inference.engines import Engine
from lifecycle.runtime.inference.names import BUCKETS, CANARY, FORMAT, NAME, STABLE
from lifecycle.runtime.inference.writers import Writer
from lifecycle.runtime.refusals import Refused

ARMS = (STABLE, CANARY)
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Arm:
    """A version's part of an endpoint's traffic. share: buckets of 10,000; root_digest: hex; deployment: ID
    of this period of serving.
    """

    name: str
    share: int
    version: str
    label: str
    root_digest: str
    deployment: str


@dataclass(frozen=True, slots=True)
class Token:
    """An allowed token. digest: sha256, hex; until: when it expires, seconds since 1970; None for never."""

    digest: str
    until: float | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint as published. name: project/slug; arms: none where no version may answer. shadow: gets
    copies of a share of requests; standby: root digests kept loaded for rollback; withdrawn: root digests of
    quarantined versions, which never answer again.
    """

    name: str
    salt: str
    arms: tuple[Arm, ...]
    shadow: Arm | None
    standby: tuple[str, ...]
    tokens: tuple[Token, ...]
    keep_text: bool
    withdrawn: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Routes:
    """A whole routes document. epoch grows with each publication and never falls."""

    epoch: int
    endpoints: Mapping[str, Endpoint]

    @property
    def digests(self) -> list[str]:
        """Root digests to load, each once: arms first, then standby versions, then shadows."""
        arms = [arm.root_digest for endpoint in self.endpoints.values() for arm in endpoint.arms]
        standby = [digest for endpoint in self.endpoints.values() for digest in endpoint.standby]
        shadows = [endpoint.shadow.root_digest for endpoint in self.endpoints.values() if endpoint.shadow]
        return list(dict.fromkeys(arms + standby + shadows))

    @property
    def canaries(self) -> set[str]:
        """The deployments that are canaries now."""
        return {
            arm.deployment
            for endpoint in self.endpoints.values()
            for arm in endpoint.arms
            if arm.name == CANARY
        }


@dataclass(frozen=True, slots=True)
class LiveArm:
    """An arm whose version is loaded."""

    arm: Arm
    engine: Engine | Writer


@dataclass(frozen=True, slots=True)
class LiveEndpoint:
    """The loaded arms of one endpoint, the stable one first. epoch: of the document that its arms come from.

    arms: empty while nothing could be loaded. A missing arm leaves its share to the stable one.
    """

    endpoint: Endpoint
    epoch: int
    arms: tuple[LiveArm, ...]
    shadow: LiveArm | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """All live endpoints. Replaced as a whole, never changed: a request keeps the table and the engines it
    started with.
    """

    endpoints: Mapping[str, LiveEndpoint] = field(default_factory=dict)

    @property
    def digests(self) -> set[str]:
        """Root digests of all versions that answer."""
        return {live.arm.root_digest for endpoint in self.endpoints.values() for live in endpoint.arms}


def build_table(
    routes: Routes, loaded: Mapping[str, Engine | Writer], previous: Table, closed: Collection[str] = ()
) -> Table:
    """The table for a document and the versions that are loaded. closed: deployments of canaries that the
    guard closed.

    An endpoint whose stable version isn't loaded (yet, or because it was refused) keeps its previous arms;
    its tokens and flags are the new ones at once, so that a revoked token is invalid even if the new version
    is damaged. A canary that isn't loaded takes no request from the stable version, and one that is no longer
    in the document is dropped even if its successor is damaged. A withdrawn version never continues: nothing
    answers until its replacement is loaded.
    """
    endpoints = {}
    for name, endpoint in routes.endpoints.items():
        before = previous.endpoints.get(name)
        if all(arm.root_digest in loaded for arm in endpoint.arms if arm.name == STABLE):
            epoch, arms = (
                routes.epoch,
                tuple(
                    LiveArm(arm, loaded[arm.root_digest])
                    for arm in endpoint.arms
                    if arm.root_digest in loaded
                ),
            )
        elif before:
            epoch, arms = before.epoch, kept_arms(before, endpoint)
        else:
            epoch, arms = routes.epoch, ()
        shadow = endpoint.shadow
        copied = (
            LiveArm(shadow, loaded[shadow.root_digest]) if shadow and shadow.root_digest in loaded else None
        )
        endpoints[name] = LiveEndpoint(
            endpoint, epoch, tuple(live for live in arms if live.arm.deployment not in closed), copied
        )
    return Table(endpoints)


def kept_arms(before: LiveEndpoint, endpoint: Endpoint) -> tuple[LiveArm, ...]:
    """The previous arms that may continue to answer; none without the stable one."""
    arms = tuple(live for live in before.arms if live.arm.name == STABLE or live.arm in endpoint.arms)
    return (
        ()
        if any(live.arm.name == STABLE and live.arm.root_digest in endpoint.withdrawn for live in arms)
        else arms
    )


def key_digest(salt: str, key: str) -> str:
    """The stored form of a sticky key: the first 16 hex digits of the sha256 of salt and key, constant under
    one salt.
    """
    return hashlib.sha256(f"{salt}:{key}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def bucket(digest: str) -> int:
    """The bucket of a key, 0 to 9,999. digest: 16 hex digits, such as those of key_digest."""
    return int(digest, 16) % BUCKETS


def choose_arm(live: LiveEndpoint, place: int) -> LiveArm:
    """The arm that owns a bucket. Arms other than stable own the lowest buckets, so a share that grows keeps
    its keys.
    """
    end = 0
    for candidate in live.arms:
        if candidate.arm.name != STABLE:
            end += candidate.arm.share
            if place < end:
                return candidate
    return live.arms[0]


def knows(tokens: tuple[Token, ...], digest: str, now: float) -> bool:
    """Whether a token's digest is in the list and hasn't expired, in constant time. now: seconds since
    1970.
    """
    found = False
    for token in tokens:
        found |= hmac.compare_digest(token.digest, digest) and (token.until is None or now < token.until)
    return found


def parse_routes(document: Mapping[str, Any]) -> Routes:
    """The parsed routes document. Raises Refused, naming the endpoint, if it is invalid."""
    try:
        if document["format"] != FORMAT:
            raise Refused(
                f"The routes document is of format {str(document['format'])[:20]}, and this server reads"
                f" format {FORMAT}.",
                next_step="Run the same release of the server and the web application.",
            )
        if type(document["epoch"]) is not int or document["epoch"] < 0:
            raise Refused(
                "The routes document's epoch must be a non-negative number.",
                next_step="Publish the routes again.",
            )
        published = dict(document["endpoints"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            "The routes document has no format, epoch, or endpoints.", next_step="Publish the routes again."
        ) from error
    return Routes(document["epoch"], {name: _endpoint(name, raw) for name, raw in published.items()})


def _endpoint(name: str, raw: Mapping[str, Any]) -> Endpoint:
    try:
        arms = tuple(_arm(arm, ARMS) for arm in raw["arms"])
        shadow = (
            _arm({"arm": "shadow"} | dict(raw["shadow"]), ("shadow",)) if raw["shadow"] is not None else None
        )
        standby = tuple(_digest(version["root_digest"]) for version in raw["standby"])
        tokens = tuple(_token(token) for token in raw["tokens"])
        withdrawn = frozenset(_digest(each) for each in raw["withdrawn"])
        endpoint = Endpoint(
            name, str(raw["salt"]), arms, shadow, standby, tokens, raw["keep_text"] is True, withdrawn
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(
            f"Endpoint {name[:111]!r} of the routes document is invalid: {error}.", next_step="Publish again."
        ) from error
    names = [arm.name for arm in arms]
    if not NAME.match(name) or (
        arms
        and (sum(arm.share for arm in arms) != BUCKETS or names[0] != STABLE or len(set(names)) != len(names))
    ):
        raise Refused(
            f"Endpoint {name[:111]!r} of the routes document needs a project and slug, one stable arm, and"
            f" shares that add up to {BUCKETS}.",
            next_step="Publish the routes again.",
        )
    return endpoint


def _arm(raw: Mapping[str, Any], names: Collection[str]) -> Arm:
    arm = Arm(
        str(raw["arm"]),
        raw["share"],
        str(raw["version"]),
        str(raw["label"]),
        _digest(raw["root_digest"]),
        str(raw["deployment"]),
    )
    if not VERSION.match(arm.version) or not VERSION.match(arm.deployment):
        raise ValueError(
            "a version or deployment name contains characters other than letters, digits, dots, and dashes"
        )
    if arm.name not in names or type(arm.share) is not int or not 0 <= arm.share <= BUCKETS:
        raise ValueError(f"arm {arm.name[:20]!r} or its share")
    return arm


def _token(raw: Mapping[str, Any]) -> Token:
    until = raw["until"]
    return Token(_digest(raw["digest"]), None if until is None else moment(until))


def moment(value: str) -> float:
    """Seconds since 1970 of an ISO time with a time zone. Raises ValueError."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time has no time zone")
    return at.timestamp()


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not DIGEST.match(value):
        raise ValueError("a digest isn't 64 hex digits")
    return value
