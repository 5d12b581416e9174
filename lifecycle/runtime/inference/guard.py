"""The guard: a canary whose requests fail one after another is closed inside the server, so that it holds with the web application down.

Closed means that the stable version gets its requests. The guard only closes: what becomes of the canary is decided in the registry, which
learns of it from the spool and the status file, and answers with a routes document that does not name the deployment any more. Each server
counts what it answered itself; what one of them closed, those on the same data folder close too.
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
    """A canary that was closed: failures among its last `of` requests. uuid: of the decision; deployment: which it was made about."""

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

    path: where closed canaries are written down, so that a restarted server keeps them closed. on_close: called with each new one.
    """

    def __init__(self, path: Path, on_close: Callable[[Closed], object]) -> None:
        self.closed: dict[str, Closed] = {}
        self._path, self._on_close = path, on_close
        self._last: dict[str, deque[bool]] = {}
        self._others: dict[Path, tuple[tuple[int, int], list[Closed]]] = {}
        self._lock = threading.Lock()

    def start(self) -> list[Closed]:
        """Read what an earlier process closed, and return it. A file that cannot be read is as none, and said so in the log."""
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
        log.error("guard_closed endpoint=%s deployment=%s failures=%d of=%d", endpoint, deployment, failures, len(last))
        self._on_close(closed)  # outside the lock: it asks the router for its own

    def adopt(self, deployments: Collection[str]) -> bool:
        """Close those of these canaries that another server on this folder closed; True if there was one. The other tells of it."""
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
        """Forget what is not among these deployments: the routes do not name it as a canary any more."""
        with self._lock:
            self._last = {name: last for name, last in self._last.items() if name in deployments}
            kept = {name: each for name, each in self.closed.items() if name in deployments}
            if kept != self.closed:
                self.closed = kept
                self._write()

    def as_status(self) -> list[dict[str, Any]]:
        """What the status file says of closed canaries."""
        return [{"deployment": each.deployment, "failures": each.failures, "of": each.of} for each in self.closed.values()]

    def _write(self) -> None:
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            part.write_text(json.dumps({"closed": [asdict(each) for each in self.closed.values()]}, indent=1), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:  # a full disk must not keep a broken canary open
            log.error("guard_not_written reason=%r", error.strerror)


def read(path: Path) -> list[Closed]:
    """What a file says was closed. One that cannot be read is as none, and said so in the log."""
    try:
        return [Closed(**raw) for raw in json.loads(path.read_bytes())["closed"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.error("guard_not_read reason=%r", str(error))
        return []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
