"""The guard: closes a canary whose requests fail, inside the server, so that it works while the web
application is down.

Closed means that the stable version gets its requests. The guard only closes: the registry reads it from the
spool and the status file, decides on the canary, and publishes routes without the deployment. Each server
counts its own responses; servers on the same data folder also close what one of them closed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LAST = 20
FAILURES = 10
log = logging.getLogger("lifecycle.runtime.inference")


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed canary: failures among its last `of` requests. uuid: of the decision; deployment: the
    canary's.
    """

    uuid: str
    at: str
    endpoint: str
    deployment: str
    failures: int
    of: int

    def as_line(self) -> dict[str, Any]:
        """The spool's line."""
        return {"kind": "guard", **asdict(self)}


class Guard:
    """Counts the failures of each canary. `closed` is replaced as a whole, so that any thread may read it.

    path: file of closed canaries, so that a restarted server keeps them closed. on_close: called with each
    new one.
    """

    def __init__(self, path: Path, on_close: Callable[[Closed], object]) -> None:
        self.closed: dict[str, Closed] = {}
        self._path, self._on_close = path, on_close
        self._last: dict[str, deque[bool]] = {}
        self._others: dict[Path, tuple[tuple[int, int], list[Closed]]] = {}
        self._lock = threading.Lock()

    def start(self) -> list[Closed]:
        """Read what an earlier process closed, and return it. An unreadable file is logged and counts as
        empty.
        """
        found = read(self._path)
        self.closed = {each.deployment: each for each in found}
        return found

    def observe(self, endpoint: str, deployment: str, *, failed: bool) -> None:
        """Count one answered request of a canary, and close it when FAILURES of its LAST requests failed."""
        with self._lock:
            if deployment in self.closed:
                return
            last = self._last.setdefault(deployment, deque(maxlen=LAST))
            last.append(failed)
            if (failures := sum(last)) < FAILURES:
                return
            closed = Closed(str(uuid.uuid4()), _now(), endpoint, deployment, failures, len(last))
            self.closed = self.closed | {deployment: closed}
            self._write()
        log.error(
            "guard_closed endpoint=%s deployment=%s failures=%d of=%d",
            endpoint,
            deployment,
            failures,
            len(last),
        )
        self._on_close(closed)  # outside the lock: it asks the router for its own

    def adopt(self, deployments: Collection[str]) -> bool:
        """Close those of these canaries that another server on this folder closed; True if there was one. The
        other server reports it.
        """
        found: dict[str, Closed] = {}
        for path in self._path.parent.glob("guard*.json"):
            with contextlib.suppress(OSError):
                its = path.stat()
                seen = (its.st_mtime_ns, its.st_ino)
                if path != self._path and self._others.get(path, (None,))[0] != seen:
                    self._others[path] = (seen, read(path))
        for _, closed in self._others.values():
            found |= {each.deployment: each for each in closed if each.deployment in deployments}
        with self._lock:
            new = {name: each for name, each in found.items() if name not in self.closed}
            if new:
                self.closed = self.closed | new
                self._write()
        return bool(new)

    def keep(self, deployments: Collection[str]) -> None:
        """Forget deployments other than these: they are no longer canaries of the routes."""
        with self._lock:
            self._last = {name: last for name, last in self._last.items() if name in deployments}
            kept = {name: each for name, each in self.closed.items() if name in deployments}
            if kept != self.closed:
                self.closed = kept
                self._write()

    def as_status(self) -> list[dict[str, Any]]:
        """Closed canaries, for the status file."""
        return [
            {"deployment": each.deployment, "failures": each.failures, "of": each.of}
            for each in self.closed.values()
        ]

    def _write(self) -> None:
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            part.write_text(
                json.dumps({"closed": [asdict(each) for each in self.closed.values()]}, indent=1),
                encoding="utf-8",
            )
            part.replace(self._path)
        except OSError as error:  # a full disk must not keep a broken canary open
            log.error("guard_not_written reason=%r", error.strerror)


def read(path: Path) -> list[Closed]:
    """The closed canaries in a file. An unreadable file is logged and counts as empty."""
    try:
        return [Closed(**raw) for raw in json.loads(path.read_bytes())["closed"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.error("guard_not_read reason=%r", str(error))
        return []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
