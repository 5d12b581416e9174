"""Reading with a time limit: checked between steps, it ends when it takes too long or is no longer wanted.

A file's size doesn't predict its reading time: 30 kB of Parquet can hold five million rows. So whoever reads is watched.
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
Look = Callable[[], None]
watcher: ContextVar[Look | None] = ContextVar("watcher", default=None)
elsewhere: ContextVar[deque[float]] = ContextVar("elsewhere", default=deque(maxlen=0))  # noqa: B039 — it keeps nothing


class TooSlow(Exception):
    """Reading took longer than the limit."""


def step() -> None:
    """Something that reads has come a little further. Raises what the watcher raises."""
    if look := watcher.get():
        look()


def spent_elsewhere(seconds: float) -> None:
    """Another process worked for so long on what this thread waits for."""
    elsewhere.get().append(seconds)


@contextmanager
def watched(look: Look) -> Iterator[None]:
    """Have every step of reading look, in this thread."""
    token = watcher.set(look)
    try:
        yield
    finally:
        watcher.reset(token)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Set a limit: reading raises TooSlow once this thread, and what reads for it, has worked for so many seconds, not counting those in
    which the machine does something else.
    """
    end = time.thread_time() + seconds
    others: deque[float] = deque()

    def look() -> None:
        if time.thread_time() + sum(others) > end:
            raise TooSlow

    token = elsewhere.set(others)
    try:
        with watched(look):
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
        """Up to so many bytes, as a text is read; few, so that steps are small."""
        return self.read(min(size, MOST) if size >= 0 else MOST)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """As the other stream."""
        return self.inner.seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        return self.inner.seek(offset, whence)

    def tell(self) -> int:
        """The place of the next byte."""
        return self.inner.tell()
