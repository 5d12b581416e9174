"""The documents for the inference servers, and which version an endpoint can roll back to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from lifecycle.runtime.inference.names import BUCKETS
from lifecycle.runtime.refusals import Conflict, Refused

FAULTS_FORMAT = 1
MAX_DELAY_MS = 30_000
MAX_DRILL_MINUTES = 24 * 60
ALL = BUCKETS
REASON_MAX = 500
NOTHING_BEFORE = (
    "There's no earlier version to roll back to. A rolled-back version needs a new approval to serve again."
)


@dataclass(frozen=True)
class ServedVersion:
    """A version as the routes document names it. share: of 10,000 requests. deployment: the interval in which
    it serves; empty for a standby version.
    """

    version: str
    label: str
    root_digest: str
    share: int = 0
    deployment: str = ""

    def as_json(self) -> dict[str, Any]:
        """The members that every mention of a version has."""
        return {"version": self.version, "label": self.label, "root_digest": self.root_digest}

    def as_arm(self, share: int) -> dict[str, Any]:
        """A version that answers, or is compared, with its share of 10,000."""
        return {"share": share, **self.as_json(), "deployment": self.deployment}


@dataclass(frozen=True)
class Token:
    """The sha256 of a token that may ask, and when it stops being good: ISO 8601 in UTC, or None for the
    site's own.
    """

    digest: str
    until: str | None = None


@dataclass(frozen=True)
class Route:
    """One endpoint of the document. name: project/slug; salt: what the arm of a sticky key hangs on.

    stable: None where nothing may answer; canary: what answers a share; shadow: what gets copies; standby:
    what is kept loaded for a rollback; withdrawn: root digests of versions in quarantine that ever served it,
    which no server continues with.
    """

    name: str
    uuid: str
    salt: str
    task: str
    stable: ServedVersion | None
    canary: ServedVersion | None
    shadow: ServedVersion | None
    standby: ServedVersion | None
    tokens: tuple[Token, ...]
    keep_text: bool
    withdrawn: tuple[str, ...] = ()

    def arms(self) -> list[dict[str, Any]]:
        """What answers, the live version first; the shares add up to 10,000."""
        if self.stable is None:
            return []
        rest = ALL - (self.canary.share if self.canary else 0)
        arms = [{"arm": "stable", **self.stable.as_arm(rest)}]
        return [*arms, {"arm": "canary", **self.canary.as_arm(self.canary.share)}] if self.canary else arms


def endpoints_document(routes: Iterable[Route]) -> dict[str, Any]:
    """The `endpoints` member of the routes document, in order of name: equal content gives equal JSON."""
    return {
        route.name: {
            "uuid": route.uuid,
            "task": route.task,
            "salt": route.salt,
            "arms": route.arms(),
            "shadow": route.shadow.as_arm(route.shadow.share) if route.shadow else None,
            "standby": [route.standby.as_json()] if route.standby else [],
            "tokens": [
                {"digest": token.digest, "until": token.until}
                for token in sorted(route.tokens, key=lambda token: token.digest)
            ],
            "keep_text": route.keep_text,
            "withdrawn": sorted(route.withdrawn),
        }
        for route in sorted(routes, key=lambda route: route.name)
    }


@dataclass(frozen=True)
class InjectedFault:
    """A fault as the document of faults names it. share: of 10,000 requests; until: ISO 8601 in UTC."""

    deployment: str
    kind: str
    share: int
    delay_ms: int
    until: str


def faults_document(faults: Iterable[InjectedFault]) -> dict[str, Any]:
    """What the servers that run drills shall obey, in order of deployment: equal content gives equal JSON."""
    return {
        "format": FAULTS_FORMAT,
        "faults": [asdict(fault) for fault in sorted(faults, key=lambda fault: fault.deployment)],
    }


def check_fault(kind: str, share: int, delay_ms: int, minutes: int) -> None:
    """Raises Refused unless it is a fault that a server can obey, for a day at most."""
    if kind not in ("error", "slow"):
        raise Refused(
            f"Unknown fault {kind[:20]!r}. Choose error or slow.", fields={"kind": ["Choose error or slow."]}
        )
    check_share(share)
    if kind == "slow" and not 1 <= delay_ms <= MAX_DELAY_MS:
        raise Refused(
            f"The delay must be 1 to {MAX_DELAY_MS:,} ms, not {delay_ms}.",
            fields={"delay_ms": [f"Enter 1 to {MAX_DELAY_MS:,}."]},
        )
    if not 1 <= minutes <= MAX_DRILL_MINUTES:
        raise Refused(
            f"A drill must last 1 to {MAX_DRILL_MINUTES:,} minutes, not {minutes}.",
            fields={"minutes": ["One day at most."]},
        )


def epoch_to_publish(ours: int, outside: int) -> int:
    """The number of the next document: the one that the change took, unless something with that number or a
    higher one is out already.
    """
    return ours if ours > outside else outside + 1


def check_share(share: int) -> None:
    """Raises Refused unless the share is of 10,000 buckets and not none of them."""
    if not 1 <= share <= ALL:
        raise Refused(
            f"The share must be 1 to {ALL:,} of {ALL:,}, not {share}.",
            fields={"share": [f"Enter 1 to {ALL:,}."]},
        )


def percent(share: int) -> str:
    """A share of 10,000 in words: 5 %, 12.5 %."""
    return f"{share / 100:g} %"


def guard_reason(failures: int, of: int) -> str:
    """Why a server closed an arm, as a sentence."""
    return f"The server's guard closed it: {failures} of its last {of} requests failed."


def check_typed(typed: str, *semvers: str) -> None:
    """Raises Refused unless the person typed a version that they may go back to."""
    if typed.strip() not in semvers:
        words = " or ".join(semvers)
        raise Refused(
            f"You typed {typed.strip() or 'nothing'}. Type {words} to roll back to it.",
            fields={"typed": [f"Type {words}."]},
        )


def check_moves(seen: int, now: int) -> None:
    """Raises Conflict when the live version changed since the person looked."""
    if seen != now:
        raise Conflict(
            "Another version went live while you were reading.", next_step="Reload the page, then decide."
        )
