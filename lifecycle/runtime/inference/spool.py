"""The prediction spool: one JSON object per line, in segments that are renamed when complete. A request never
waits for the disk.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

SEGMENT_BYTES = 8_000_000
SEGMENT_SECONDS = 1.0
MAX_WAITING = 20_000
MAX_BATCH = 500
log = logging.getLogger("lifecycle.runtime.inference")

Row = dict[str, Any]


def timed_uuid() -> UUID:
    """A UUID of version 7: 48 bits of milliseconds since 1970, the rest random. Its time shows whether its
    line may still arrive.
    """
    chance = secrets.randbits(74)
    return UUID(
        int=time.time_ns() // 1_000_000 << 80
        | 7 << 76
        | chance >> 62 << 64
        | 2 << 62
        | chance & (1 << 62) - 1
    )


class Spool:
    """Takes rows in any thread and writes them in its own. Drops and counts rows when the disk or the queue
    is full.

    folder: DATA_DIR/spool. A segment is NAME.open while it is written (and locked by its writer), NAME.jsonl
    when complete.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int = 1_000_000_000, write: Callable[[int, bytes], int] = os.write
    ) -> None:
        self.written = 0
        self.dropped = 0
        self._folder, self._max_bytes, self._write = folder, max_bytes, write
        self._waiting: queue.Queue[Row | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._segment: Segment | None = None
        self._number = 0
        self._full = False

    def start(self) -> None:
        """Complete what a killed process left behind, then write in the background."""
        self._folder.mkdir(parents=True, exist_ok=True)
        recover(self._folder)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Hand over one row; returns at once."""
        try:
            self._waiting.put_nowait(row)
        except queue.Full:
            self.dropped += 1

    def stop(self) -> None:
        """Write everything handed over so far, complete the segment, end the thread."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            rows, going = self._collect()
            if rows:
                self._append(rows)
            if self._segment and (not going or self._segment.due):
                self._rotate()

    def _collect(self) -> tuple[list[Row], bool]:
        """Waiting rows, at least one unless the segment is due first; False when the spool should end."""
        rows: list[Row] = []
        timeout = self._segment.seconds_left if self._segment else None
        try:
            row = self._waiting.get(timeout=timeout)
            while row is not None:
                rows.append(row)
                if len(rows) == MAX_BATCH:
                    return rows, True
                row = self._waiting.get_nowait()
            return rows, False
        except queue.Empty:
            return rows, True

    def _append(self, rows: list[Row]) -> None:
        data = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
        try:
            if self._full:
                raise OSError("the spool limit is reached")
            if self._segment is None:
                self._number += 1
                self._segment = Segment(self._folder, self._number)
            self._segment.append(data, self._write)
            self.written += len(rows)
        except OSError as error:
            self.dropped += len(rows)
            log.error(
                "spool_dropped rows=%d dropped=%d reason=%r",
                len(rows),
                self.dropped,
                error.strerror or str(error),
            )
            self._full = self._size() >= self._max_bytes

    def _rotate(self) -> None:
        if self._segment:
            self._segment.complete()
            self._segment = None
        self._full = self._size() >= self._max_bytes

    def _size(self) -> int:
        try:
            with os.scandir(self._folder) as entries:
                return sum(entry.stat().st_size for entry in entries)
        except OSError:  # a segment was ingested and removed while we counted
            return 0


class Segment:
    """A file being written. It always ends in a whole line, truncated to one if needed."""

    def __init__(self, folder: Path, number: int) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}-{number:06d}.open"
        self._path = folder / name
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._size = 0
        self._until = time.monotonic() + SEGMENT_SECONDS

    @property
    def seconds_left(self) -> float:
        """Until the segment is due by age."""
        return max(0.0, self._until - time.monotonic())

    @property
    def due(self) -> bool:
        """Old or large enough to be completed."""
        return self._size >= SEGMENT_BYTES or self.seconds_left == 0

    def append(self, data: bytes, write: Callable[[int, bytes], int]) -> None:
        """Write whole lines, or on OSError none of them."""
        try:
            rest = data
            while rest:
                rest = rest[write(self._handle, rest) :]
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(data)

    def complete(self) -> None:
        """Rename NAME.open to NAME.jsonl, or remove it if nothing was written."""
        finish(self._path, self._size)
        os.close(self._handle)


def recover(folder: Path) -> int:
    """Complete the segments of dead writers, each truncated to its last whole line. Returns how many there
    were.
    """
    count = 0
    for path in sorted(folder.glob("*.open")):
        try:
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = path.read_bytes().rfind(b"\n") + 1
            os.ftruncate(handle, size)
            finish(path, size)
            count += 1
        except OSError:
            continue  # its writer is alive: another replica on the same folder
        finally:
            os.close(handle)
    return count


def finish(path: Path, size: int) -> None:
    """Make a segment visible to its reader. On failure it stays *.open until the next start."""
    try:
        if size:
            path.rename(path.with_suffix(".jsonl"))
        else:
            path.unlink()
    except OSError as error:
        log.error("spool_not_completed reason=%r", error.strerror)
