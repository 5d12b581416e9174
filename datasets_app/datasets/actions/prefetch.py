"""Prepare the next batches while the database writes the current one, which releases the GIL."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Full, Queue
from typing import TypeVar

T = TypeVar("T")
DEPTH = 2  # batches that wait at most
WAIT_SECONDS = 0.1  # until the thread checks again whether the caller stopped


class Ended:
    """The end of the source. error: what it raised, if anything."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetch(source: Iterable[T]) -> Generator[T, None, None]:
    """The source's elements in order, prefetched by a thread; the source must not use the database.

    Raises what the source raises. Close it, so that the thread ends at once when the caller stops early.
    """
    ready: Queue[T | Ended] = Queue(DEPTH)
    stopped = threading.Event()
    worker = threading.Thread(target=produce, args=(source, ready, stopped), name="ahead", daemon=True)
    worker.start()
    try:
        while not isinstance(found := ready.get(), Ended):
            yield found
        if found.error is not None:
            raise found.error
    finally:
        stopped.set()
        worker.join()


def produce(source: Iterable[T], ready: Queue[T | Ended], stopped: threading.Event) -> None:
    """Queue the source's elements until it ends or the caller stops."""
    try:
        for each in source:
            if not put(each, ready, stopped):
                return
        put(Ended(), ready, stopped)
    except BaseException as error:  # passed to the caller
        put(Ended(error), ready, stopped)


def put(each: T | Ended, ready: Queue[T | Ended], stopped: threading.Event) -> bool:
    """Put it into the queue. False when the caller has left."""
    while not stopped.is_set():
        try:
            ready.put(each, timeout=WAIT_SECONDS)
        except Full:
            continue
        return True
    return False
