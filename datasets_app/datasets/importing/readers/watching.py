"""Reading with a time limit: checked between steps, it ends when it takes too long or is no longer wanted.

A file's size doesn't predict its reading time: 30 kB of Parquet can hold five million rows. So readers check
a limit at every step.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO

MOST = 1 << 14  # bytes of a text between two steps
Check = Callable[[], None]
watcher: ContextVar[Check | None] = ContextVar("watcher", default=None)
elsewhere: ContextVar[deque[float]] = ContextVar("elsewhere", default=deque(maxlen=0))  # noqa: B039 — it keeps nothing


class TooSlow(Exception):
    """Reading took longer than the limit."""


def step() -> None:
    """Run the current check after a step of reading. Raises what the check raises."""
    if check := watcher.get():
        check()


def spent_elsewhere(seconds: float) -> None:
    """Count CPU time that another process spent on this thread's reading."""
    elsewhere.get().append(seconds)


@contextmanager
def watched(check: Check) -> Iterator[None]:
    """Run `check` at every step of reading in this thread."""
    token = watcher.set(check)
    try:
        yield
    finally:
        watcher.reset(token)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit reading: raises TooSlow after so many seconds of CPU time of this thread and of processes that
    read for it.
    """
    end = time.thread_time() + seconds
    others: deque[float] = deque()

    def check() -> None:
        if time.thread_time() + sum(others) > end:
            raise TooSlow

    token = elsewhere.set(others)
    try:
        with watched(check):
            yield
    finally:
        elsewhere.reset(token)


class Watched(io.BufferedIOBase):
    """The bytes of another stream; each read is a step."""

    def __init__(self, inner: IO[bytes]) -> None:
        self.inner = inner

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to so many bytes."""
        step()
        return self.inner.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        """Up to so many bytes, at most MOST, so that steps are small."""
        return self.read(min(size, MOST) if size >= 0 else MOST)

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Whether the other stream is."""
        return self.inner.seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to an offset."""
        return self.inner.seek(offset, whence)

    def tell(self) -> int:
        """The offset of the next byte."""
        return self.inner.tell()
