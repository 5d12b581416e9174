"""What the inference servers write about themselves, as values. Reads files, never the database.

A file outlives its server. Its present state (ready, refused, a problem, drills) counts only for a running
server, which `server_states` gives; what was done (epochs that were applied, canaries that were closed) stays
true, and is read from `written_states`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from lifecycle.runtime.inference.signs import is_alive
from registry.catalog.models import ModelVersion


@dataclass(frozen=True)
class ClosedArm:
    """A canary that a server's guard closed on its own. deployment: uuid; failures: among its last `of`
    requests.
    """

    deployment: str
    failures: int
    of: int


@dataclass(frozen=True)
class ServerState:
    """What one inference server last wrote about itself. epoch: applied. answers: endpoint's full name →
    version uuids that answer now. lives: see lifecycle.runtime.inference.signs.
    """

    name: str
    epoch: int
    epoch_seen: int | None
    at: datetime | None
    problem: str
    versions: dict[str, dict[str, Any]]
    answers: dict[str, list[str]]
    closed: tuple[ClosedArm, ...] = ()
    drills: bool = False
    lives: bool = True

    def refusal_of(self, version: ModelVersion) -> str:
        """Why the server does not load a version; empty when it does, or reports nothing."""
        found = self.versions.get(version.root_digest, {})
        return str(found.get("reason") or "It gave no reason.") if found.get("state") == "refused" else ""

    def state_of(self, version: ModelVersion) -> str:
        """loading, ready or refused; empty when the server reports nothing about it."""
        return str(self.versions.get(version.root_digest, {}).get("state", ""))


def server_states() -> list[ServerState]:
    """What every inference server that lives and shares our data folder wrote last, by name."""
    return [state for state in written_states() if state.lives]


def written_states() -> list[ServerState]:
    """The same of those that are dead, too."""
    found = [
        server_state(path) for path in sorted((Path(settings.DATA_DIR) / "serving").glob("status*.json"))
    ]
    return [state for state in found if state]


def server_state(path: Path) -> ServerState | None:
    """One server's file; None when it cannot be read."""
    try:
        status = json.loads(path.read_bytes())
        answers = {
            name: [str(each) for each in entry["versions"]]
            for name, entry in status.get("endpoints", {}).items()
        }
        return ServerState(
            name=path.stem.removeprefix("status").removeprefix("."),
            epoch=int(status["epoch_applied"]),
            epoch_seen=status.get("epoch_seen"),
            at=parse_datetime(str(status["at"])),
            problem=str(status.get("problem") or "")[:300],
            versions=dict(status.get("versions", {})),
            answers=answers,
            drills=status.get("drills") is True,
            lives=is_alive(status, timezone.now()),
            closed=tuple(
                ClosedArm(str(arm["deployment"]), int(arm["failures"]), int(arm["of"]))
                for arm in status.get("guard", [])
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
