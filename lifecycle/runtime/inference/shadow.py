"""The shadow: a version that gets copies of requests, runs when slots are free, and is compared. No client
ever waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lifecycle.runtime.inference.protocol import Prediction
from lifecycle.runtime.inference.routing import LiveArm
from lifecycle.runtime.task_types.by_key.served import served_of

MAX_WAITING = 1024
IDLE_SECONDS = 0.01
STOP_SECONDS = 2.0
log = logging.getLogger("lifecycle.runtime.inference")


@dataclass(frozen=True, slots=True)
class Copy:
    """An answered request with its prediction. request: its uuid; primary_ms: duration of the primary model's
    run; key: digest of its sticky key, empty without one.
    """

    endpoint: str
    shadow: LiveArm
    request: str
    rows: tuple[Any, ...]
    answered: Prediction
    primary_ms: float
    key: str = ""


class Shadows:
    """A bounded queue of copies and one thread that runs them while slots are free. Copies beyond the bound
    are counted and dropped.

    busy: whether clients use every slot; put: called with each line of the comparison.
    """

    def __init__(self, busy: Callable[[], bool], put: Callable[[dict[str, Any]], object]) -> None:
        self.compared = 0
        self.dropped = 0
        self._busy, self._put = busy, put
        self._waiting: deque[Copy] = deque()
        self._work, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Answer copies in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waiting copies are dropped, and a hanging run is abandoned."""
        self._stop.set()
        self._work.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def offer(self, copy: Copy) -> None:
        """Hand over one copy; returns at once. Only the event loop's thread calls it, so that the bound
        holds.
        """
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append(copy)
        self._work.set()

    def run_next(self) -> bool:
        """Answer and compare the oldest copy. False if none waits."""
        try:
            copy = self._waiting.popleft()
        except IndexError:
            return False
        for line in compare(copy):
            self._put(line)
        self.compared += 1
        return True

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            while not self._stop.is_set():
                if self._busy():
                    self._stop.wait(IDLE_SECONDS)
                elif not self.run_next():
                    break
            if self._stop.is_set():
                return


def compare(copy: Copy) -> list[dict[str, Any]]:
    """The spool's lines for one copy, one per row. A failed shadow has code 500 and no label."""
    began = time.perf_counter()
    prediction: Prediction | None = None
    try:
        prediction = copy.shadow.engine.predict(copy.rows)
    except Exception as error:  # a failure of the shadow must never end the thread
        log.error(
            "shadow_failed endpoint=%s deployment=%s kind=%s",
            copy.endpoint,
            copy.shadow.arm.deployment,
            type(error).__name__,
        )
    latency_ms = round((time.perf_counter() - began) * 1000, 3)
    spooled = prediction.spooled() if prediction else [{}] * len(copy.rows)
    return [line(copy, index, prediction, each, latency_ms) for index, each in enumerate(spooled)]


def line(
    copy: Copy, index: int, prediction: Prediction | None, spooled: dict[str, Any], latency_ms: float
) -> dict[str, Any]:
    """The spool's line for one row. kl: of the shadow's scores from the client's, nats; null where it isn't
    defined.
    """
    arm = copy.shadow.arm
    request = uuid.UUID(copy.request)
    kept: dict[str, Any] = {
        "kind": "shadow",
        "uuid": str(uuid.uuid5(request, f"{arm.deployment}:{index}")),
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "endpoint": copy.endpoint,
        "version": arm.version,
        "root_digest": arm.root_digest,
        "deployment": arm.deployment,
        "prediction": str(request if index == 0 else uuid.uuid5(request, str(index))),
        "key": copy.key,
        "code": 500 if prediction is None else 200,
        "label": spooled.get("label", ""),
        "confidence": spooled.get("confidence"),
        "agrees": None,
        "kl": None,
        "latency_ms": latency_ms,
        "primary_latency_ms": copy.primary_ms,
    }
    if prediction is None:
        return kept
    served = served_of(prediction.card.task)
    ours, theirs = prediction.answers[index], copy.answered.answers[index]
    if prediction.card.task != copy.answered.card.task:
        return kept | {"agrees": False}
    return kept | {
        "agrees": served.identity(ours) == served.identity(theirs),
        "kl": served.divergence(
            copy.answered.decoded[index], copy.answered.card, prediction.decoded[index], prediction.card
        ),
    }
