"""Working out the next batches while the database is busy with the one before: it releases the GIL."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Full, Queue
from typing import TypeVar

T = TypeVar("T")
DEPTH = 2  # batches that wait at most
WAIT_SECONDS = 0.1  # until the thread checks whether its next batch is still wanted


class Ended:
    """The source gives no more. error: what it raised, if it did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(source: Iterable[T]) -> Generator[T, None, None]:
    """What the source gives, in order, worked out by a thread ahead of the caller; the source must not use the database.

    Raises what the source raises. Close it, so that the thread ends at once when the caller stops early.
    """
    ready: Queue[T | Ended] = Queue(DEPTH)
    left = threading.Event()
    worker = threading.Thread(target=work, args=(source, ready, left), name="ahead", daemon=True)
    worker.start()
    try:
        while not isinstance(found := ready.get(), Ended):
            yield found
        if found.error is not None:
            raise found.error
    finally:
        left.set()
        worker.join()


def work(source: Iterable[T], ready: Queue[T | Ended], left: threading.Event) -> None:
    """Hand over everything the source gives until it ends or is no longer wanted."""
    try:
        for each in source:
            if not hand_over(each, ready, left):
                return
        hand_over(Ended(), ready, left)
    except BaseException as error:  # passed to the caller
        hand_over(Ended(error), ready, left)


def hand_over(each: T | Ended, ready: Queue[T | Ended], left: threading.Event) -> bool:
    """Put it into the queue. False when the caller has left."""
    while not left.is_set():
        try:
            ready.put(each, timeout=WAIT_SECONDS)
        except Full:
            continue
        return True
    return False
