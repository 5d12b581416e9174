"""What the inference servers are told, and which version an endpoint can go back to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lifecycle.refusals import Conflict, Refused

FORMAT = 1


@dataclass(frozen=True)
class ServedVersion:
    """A version as the routes document names it."""

    version: str
    label: str
    root_digest: str

    def as_json(self) -> dict[str, Any]:
        """The members that every mention of a version has."""
        return {"version": self.version, "label": self.label, "root_digest": self.root_digest}


@dataclass(frozen=True)
class Route:
    """One endpoint of the document. stable: what answers; standby: what is kept loaded for a rollback."""

    slug: str
    uuid: str
    task: str
    stable: ServedVersion
    standby: ServedVersion | None
    tokens: tuple[str, ...]
    keep_text: bool


def endpoints_document(routes: Iterable[Route]) -> dict[str, Any]:
    """The `endpoints` member of the routes document, in order of slug: equal content gives equal JSON."""
    return {
        route.slug: {
            "uuid": route.uuid,
            "task": route.task,
            "salt": route.uuid,
            "arms": [{"arm": "stable", "share": 10_000, **route.stable.as_json()}],
            "standby": [route.standby.as_json()] if route.standby else [],
            "tokens": sorted(route.tokens),
            "keep_text": route.keep_text,
        }
        for route in sorted(routes, key=lambda route: route.slug)
    }


def epoch_to_publish(ours: int, outside: int) -> int:
    """The number of the next document: the one that the change took, unless something with that number or a higher one is out already."""
    return ours if ours > outside else outside + 1


def check_typed(typed: str, semver: str) -> None:
    """Raises Refused unless the person typed the version that they are about to make live."""
    if typed.strip() != semver:
        raise Refused(f"You typed {typed.strip() or 'nothing'}; type {semver} to go back to it.", fields={"typed": [f"Type {semver}."]})


def check_moves(seen: int, now: int) -> None:
    """Raises Conflict when the live version changed since the person looked."""
    if seen != now:
        raise Conflict("Changed while you were reading: another version is live now.", next_step="Look at the page again, then decide.")


def check_reason(reason: str) -> str:
    """The reason, trimmed. Raises Refused when there is none."""
    if not reason.strip():
        raise Refused("A rollback needs a reason.", fields={"reason": ["Say why; it stands in the audit trail."]})
    return reason.strip()
