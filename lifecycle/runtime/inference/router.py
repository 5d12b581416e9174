"""The live table: follows the routes document, loads its versions, swaps when they are ready, and reports in
status.json.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle.runtime import bundle
from lifecycle.runtime.inference import engines, signs
from lifecycle.runtime.inference.engines import Engine
from lifecycle.runtime.inference.faults import Faults
from lifecycle.runtime.inference.guard import Closed, Guard
from lifecycle.runtime.inference.routing import Routes, Table, build_table, parse_routes
from lifecycle.runtime.inference.writers import Writer
from lifecycle.runtime.refusals import Refused

POLL_SECONDS = 0.2
MAX_ROUTES_BYTES = 20_000_000
log = logging.getLogger("lifecycle.runtime.inference")


class Router:
    """Holds `table`, which requests read without a lock. One thread polls the document, one loads versions;
    both only call public methods.

    folder: DATA_DIR/serving, with routes.json, artifacts/ and status.json. drills: whether injected faults
    apply.
    """

    def __init__(
        self,
        folder: Path,
        public_key: Path,
        *,
        name: str = "",
        drills: bool = False,
        load: Callable[..., Engine | Writer] = engines.load,
    ) -> None:
        self.table = Table()
        self.problem = ""
        self.guard = Guard(folder / (f"guard.{name}.json" if name else "guard.json"), self._close)
        self.faults = Faults(folder / "faults.json", public_key) if drills else None
        self.on_close: Callable[[Closed], object] = lambda closed: None
        self._folder, self._public_key, self._load = folder, public_key, load
        self._status_path = folder / (f"status.{name}.json" if name else "status.json")
        self._routes: Routes | None = None
        self.settled = False  # a document was read, and every version of its arms is in the table or refused
        self._loaded: dict[str, Engine | Writer] = {}
        self._refused: dict[str, str] = {}
        self._seen: tuple[int, int, int] | None = None
        self._beat_at = 0.0
        self._floor = self._last_epoch()
        self._lock = threading.Lock()
        self._work, self._stop = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=run, name=run.__name__, daemon=True)
            for run in (self._keep_polling, self._keep_loading)
        ]

    def start(self) -> None:
        """Read the document once, then follow it in the background. Canaries closed before a restart stay
        closed and are reported again.
        """
        for closed in self.guard.start():
            self.on_close(closed)
        self.poll()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads; loaded versions continue to answer."""
        self._stop.set()
        self._work.set()

    @property
    def begins(self) -> bool:
        """A document was read, but a version that should answer isn't loaded yet: the server isn't ready for
        traffic.
        """
        return self._routes is not None and not self.answers

    @property
    def answers(self) -> bool:
        """A document was read and each endpoint that should answer does, or its version was refused;
        unaffected by a swap in progress.
        """
        routes, live = self._routes, self.table.endpoints
        return routes is not None and (
            self.settled
            or all(name in live and live[name].arms for name, each in routes.endpoints.items() if each.arms)
        )

    def poll(self) -> bool:
        """Apply the routes document if it is new, correctly signed, and of a higher epoch. True if it was
        applied.
        """
        if self.faults and self.faults.poll():
            with self._lock:
                self._write_status()
        if self._routes and self.guard.adopt(self._routes.canaries):
            with self._lock:
                self._rebuild()
        path = self._folder / "routes.json"
        try:
            found = path.stat()
        except OSError:
            return False
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            routes = self._read(path)
        except (Refused, OSError) as error:
            self._ignore(f"The routes document was ignored: {error}")
            return False
        with self._lock:
            self._routes, self._refused, self.problem = routes, {}, ""
            self.guard.keep(routes.canaries)
            self.guard.adopt(routes.canaries)
            self._rebuild()
        log.info("routes_taken epoch=%d endpoints=%d", routes.epoch, len(routes.endpoints))
        self._work.set()
        return True

    def beat(self) -> None:
        """Write the status when it is due, even if nothing changed: readers take a server that stopped
        writing for dead.
        """
        if time.monotonic() >= self._beat_at:
            with self._lock:
                self._write_status()

    def load_next(self) -> bool:
        """Verify, load and warm up one missing version of the document. False if there is none."""
        with self._lock:
            missing = self._missing()
        if not missing:
            return False
        digest = missing[0]
        try:
            engine, reason = self._open(digest), ""
        except Refused as error:
            reason = f"{error} {error.next_step}".strip()
        except Exception as error:  # a damaged model must never end the thread that loads all others
            log.exception("version_failed digest=%s", digest)
            reason = f"The version couldn't be loaded: {type(error).__name__}."
        with self._lock:
            if reason:
                self._refused[digest] = reason
                log.error("version_refused digest=%s reason=%r", digest, reason)
            else:
                self._loaded[digest] = engine
                log.info("version_ready digest=%s", digest)
            self._rebuild()
        return True

    def _close(self, closed: Closed) -> None:
        """Give the requests of a closed canary to the stable version."""
        with self._lock:
            self._rebuild()
        self.on_close(closed)

    def _open(self, digest: str) -> Engine | Writer:
        folder = self._folder / "artifacts" / digest
        return self._load(folder, bundle.verify(folder, self._public_key, expected_root=digest))

    def _read(self, path: Path) -> Routes:
        with path.open("rb") as file:
            data = file.read(MAX_ROUTES_BYTES + 1)
        if len(data) > MAX_ROUTES_BYTES:
            raise Refused(f"It is larger than {MAX_ROUTES_BYTES} bytes.")
        routes = parse_routes(bundle.verify_document(data, self._public_key))
        current = self._routes.epoch if self._routes else None
        if routes.epoch < self._floor or (current is not None and routes.epoch <= current):
            last = self._floor if current is None else current
            raise Refused(f"Its config version {routes.epoch} isn't newer than the applied v{last}.")
        return routes

    def _missing(self) -> list[str]:
        if self._routes is None:
            return []
        return [
            digest
            for digest in self._routes.digests
            if digest not in self._loaded and digest not in self._refused
        ]

    def _rebuild(self) -> None:
        """Swap in the table of the loaded versions, drop versions that are no longer used, and write the
        status.
        """
        if self._routes is None:
            return
        self.table = build_table(self._routes, self._loaded, self.table, self.guard.closed)
        kept = set(self._routes.digests) | self.table.digests
        self._loaded = {digest: engine for digest, engine in self._loaded.items() if digest in kept}
        wanted = {arm.root_digest for endpoint in self._routes.endpoints.values() for arm in endpoint.arms}
        # after the table: a starting server listens when it is set
        self.settled = wanted <= self._loaded.keys() | self._refused.keys()
        if self.settled:
            self._floor = self._routes.epoch
        self._write_status()

    def _ignore(self, problem: str) -> None:
        log.error("routes_ignored reason=%r", problem)
        with self._lock:
            self.problem = problem
            self._write_status()

    def _write_status(self) -> None:
        status = {
            "epoch_applied": self._floor,
            "epoch_seen": self._routes.epoch if self._routes else None,
            **signs.sign(),
            "problem": " ".join(filter(None, [self.problem, self.faults.problem if self.faults else ""])),
            "drills": self.faults is not None,
            "guard": self.guard.as_status(),
            "versions": self._versions(),
            "endpoints": {
                name: {
                    "epoch": live.epoch,
                    "versions": [arm.arm.version for arm in live.arms],
                    "digests": [arm.arm.root_digest for arm in live.arms],
                }
                for name, live in self.table.endpoints.items()
            },
        }
        self._beat_at = time.monotonic() + signs.BEAT_SECONDS
        part = self._status_path.with_name(f"{self._status_path.name}.{os.getpid()}")
        try:
            part.write_text(json.dumps(status, indent=1), encoding="utf-8")
            part.replace(self._status_path)
        except OSError as error:  # a full disk must not stop a swap
            log.error("status_not_written reason=%r", error.strerror)

    def _versions(self) -> dict[str, dict[str, Any]]:
        states = {digest: {"state": "loading", "reason": ""} for digest in self._missing()}
        states |= {digest: {"state": "ready", "reason": ""} for digest in self._loaded}
        return states | {
            digest: {"state": "refused", "reason": reason} for digest, reason in self._refused.items()
        }

    def _last_epoch(self) -> int:
        """The highest epoch that any server of this folder ever applied, under any name."""
        found = [0]
        for path in self._folder.glob("status*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(int(json.loads(path.read_bytes())["epoch_applied"]))
        return max(found)

    def _keep_polling(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self.poll()
            self.beat()

    def _keep_loading(self) -> None:
        while not self._stop.is_set():
            self._work.wait()
            self._work.clear()
            while not self._stop.is_set() and self.load_next():
                pass
