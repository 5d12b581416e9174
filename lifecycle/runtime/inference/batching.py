"""The bounded queue before the engines: as many concurrent runs as cores, a limit on what waits, and a 429
beyond it.

Requests aren't merged. On a CPU, texts of unlike length in one run cost more than one run each; the texts of
one request are grouped by length inside the engine.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lifecycle.runtime.inference.protocol import ProtocolError

T = TypeVar("T")


class Slots:
    """Runs work in `slots` threads. At most `max_texts` texts run or wait; a request beyond that is refused
    with 429.
    """

    def __init__(self, slots: int, max_texts: int) -> None:
        self.texts = 0
        self._slots, self._max_texts = slots, max_texts
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="slot")
        self._seconds_per_text = 0.01

    async def run(self, texts: int, work: Callable[[], T]) -> tuple[T, float]:
        """The result of the work, and the seconds it waited. Raises ProtocolError (429) when the queue is
        full.
        """
        if self.texts and self.texts + texts > self._max_texts:
            raise busy(self.texts * self._seconds_per_text / self._slots)
        self.texts += texts
        entered = time.perf_counter()
        try:
            result, began, ended = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._timed, work
            )
        finally:
            self.texts -= texts
        self._seconds_per_text += 0.1 * ((ended - began) / texts - self._seconds_per_text)
        return result, began - entered

    def close(self) -> None:
        """Wait for running work to finish."""
        self._pool.shutdown(wait=True)

    @staticmethod
    def _timed(work: Callable[[], T]) -> tuple[T, float, float]:
        began = time.perf_counter()
        return work(), began, time.perf_counter()


def busy(seconds: float) -> ProtocolError:
    """The refusal of a request while too much waits. seconds: until there should be room."""
    return ProtocolError(
        429,
        "The server is busy. Send the request again after the time in Retry-After.",
        retry_after_seconds=max(1, math.ceil(seconds)),
    )
