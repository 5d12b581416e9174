"""Faults injected for a drill: a signed document of deployments that fail or are slow. Only servers started
for drills apply it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifecycle.runtime import bundle
from lifecycle.runtime.inference.names import BUCKETS
from lifecycle.runtime.inference.routing import moment
from lifecycle.runtime.refusals import Refused

FORMAT = 1
ERROR, SLOW = "error", "slow"
MAX_DELAY_MS = 30_000
MAX_BYTES = 1_000_000
log = logging.getLogger("lifecycle.runtime.inference")


class InjectedError(Exception):
    """The failure of a request that a drill injected."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a deployment for a share (of 10,000) of its requests. until: seconds since 1970; delay_ms:
    of kind slow.
    """

    kind: str
    share: int
    delay_ms: int
    until: float


class Faults:
    """Follows DATA_DIR/serving/faults.json. An invalid document injects nothing: a drill ends rather than
    continues unnoticed.
    """

    def __init__(self, path: Path, public_key: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.problem = ""
        self._path, self._public_key, self._clock = path, public_key, clock
        self._injected: Mapping[str, Fault] = {}
        self._seen: tuple[int, int, int] | None = None

    def poll(self) -> bool:
        """Apply the current document. True if the file changed."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            seen = None
        if seen == self._seen:
            return False
        self._seen, self._injected, self.problem = seen, {}, ""
        if seen:
            try:
                self._injected = self._read()
                log.warning("drill planted=%d", len(self._injected))
            except (Refused, OSError) as error:
                self.problem = f"The injected-faults document was ignored: {error}"
                log.error("faults_ignored reason=%r", str(error))
        return True

    def of(self, deployment: str, place: int) -> Fault | None:
        """The fault for a request in this bucket (0 to 9,999) of a deployment, or None."""
        fault = self._injected.get(deployment)
        return fault if fault and place < fault.share and self._clock() < fault.until else None

    def _read(self) -> dict[str, Fault]:
        with self._path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise Refused(f"It is larger than {MAX_BYTES} bytes.")
        return parse_faults(bundle.verify_document(data, self._public_key))


def parse_faults(document: Mapping[str, Any]) -> dict[str, Fault]:
    """Injected faults by deployment. Raises Refused for an invalid document."""
    try:
        if document["format"] != FORMAT:
            raise ValueError("unknown format")
        return {str(raw["deployment"]): _fault(raw) for raw in document["faults"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(
            f"It is invalid: {error}.", next_step="End the drill, then inject the fault again."
        ) from error


def _fault(raw: Mapping[str, Any]) -> Fault:
    fault = Fault(str(raw["kind"]), raw["share"], raw["delay_ms"], moment(raw["until"]))
    if fault.kind not in (ERROR, SLOW):
        raise ValueError(f"kind {fault.kind[:20]!r}")
    if type(fault.share) is not int or not 1 <= fault.share <= BUCKETS:
        raise ValueError("a share")
    if type(fault.delay_ms) is not int or not 0 <= fault.delay_ms <= MAX_DELAY_MS:
        raise ValueError("a delay")
    return fault
