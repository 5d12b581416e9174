"""Parquet and Excel, read by a separate process with a memory limit: their unpacked size is only known after
unpacking.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from datasets_app.datasets.importing.readers.shapes import Header, Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.readers.watching import spent_elsewhere, step
from datasets_app.datasets.importing.report import Problem
from lifecycle.ground.compute.environment import ROOT, scrubbed

MEMORY = 512 * 1024**2  # bytes that reading one file may take
STEP_SECONDS = 600.0  # of CPU time, between two groups of rows
WAIT_MS = 50  # between two measurements of the other process's CPU time
PROGRAM = (sys.executable, "-m", "datasets_app.datasets.importing.confinement")
LEAN = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
FIX = {
    "parquet": (
        "Write it again with pyarrow, polars, or datasets, in smaller row groups, or export CSV or JSONL."
    ),
    "xlsx": "Save it as CSV (UTF-8), or split it.",
}
Message = dict[str, Any]


class Server:
    """The process that forks the readers of this process; started on demand, again after it exited or this
    process forked.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.control: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def forget(self) -> None:
        """Drop the server in a fork of this process: it belongs to the parent."""
        if self.control is not None:
            self.control.close()
        self.__init__()  # type: ignore[misc]

    def connect(self) -> socket.socket:
        """A socket that is connected to a new child."""
        with self.lock:
            for _ in range(2):
                here, there = socket.socketpair()
                with there, suppress(OSError):
                    socket.send_fds(self.running(), [b"r"], [there.fileno()])
                    return here
                here.close()
                self.stop()
        raise OSError("The process that reads files couldn't be started.")

    def running(self) -> socket.socket:
        """The control socket of a running process."""
        if self.control is None or self.process is None or self.process.poll() is not None:
            self.stop()
            self.control, there = socket.socketpair()
            with there:
                self.process = subprocess.Popen(
                    [*PROGRAM, str(there.fileno())],
                    pass_fds=[there.fileno()],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    env=scrubbed(os.environ, threads=1, extra=LEAN),
                    start_new_session=True,
                )
        return self.control

    def stop(self) -> None:
        """End it. Its children continue."""
        if self.control is not None:
            self.control.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
        self.control = self.process = None


server = Server()
atexit.register(server.stop)
os.register_at_fork(after_in_child=server.forget)


class Confined:
    """The parsers of Parquet and Excel, run in a separate process."""

    def header(self, member: Member, reading: Reading) -> Header:
        """As the parser's."""
        return self.described(member, reading)[0]

    def count_rows(self, member: Member, reading: Reading) -> int:
        """The number of rows in the file's metadata; 0 if unknown."""
        return self.described(member, reading)[1]

    def described(self, member: Member, reading: Reading) -> tuple[Header, int]:
        """The header of a file and its number of rows, cached until it changes."""
        found = member.path.stat()
        try:
            return describe(Key(member, reading), found.st_mtime_ns, found.st_size)
        except Unread as unread:
            return unread.header, 0

    def rows(self, member: Member, reading: Reading) -> Iterator[Row | Problem]:
        """As the parser's; a blocking Problem if the file exceeds the memory or time limit."""
        with member.local() as path, closing(read_messages(path, reading, "rows")) as messages:
            last = 0
            for message in messages:
                for each in message.get("rows", ()):
                    step()
                    row = Row(each[0], each[1]) if isinstance(each, list) else Problem(**each)
                    last = row.line
                    yield row
                if "end" in message and message["end"] != "done":
                    yield refused(message["end"], reading.parser, last)


class Unread(Exception):
    """A file with unknown columns, which isn't cached. Has a header with the reason."""

    def __init__(self, header: Header) -> None:
        super().__init__()
        self.header = header


class Key:
    """A file and its parsing settings, as a cache key."""

    def __init__(self, member: Member, reading: Reading) -> None:
        self.member, self.reading = member, reading
        self.parts = (str(member.path), member.name, reading)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


@lru_cache(maxsize=32)
def describe(key: Key, _changed: int, _size: int) -> tuple[Header, int]:
    """The header of a file and the number of rows in its metadata."""
    header, count = Header(()), 0
    with key.member.local() as path, closing(read_messages(path, key.reading, "header")) as messages:
        for message in messages:
            if found := message.get("header"):
                header = Header(tuple(found["columns"]), tuple(Problem(**each) for each in found["problems"]))
                count = found["count"]
            elif message["end"] != "done":
                raise Unread(Header((), (refused(message["end"], key.reading.parser, 0),)))
    return header, count


def refused(end: str, kind: str, last: int) -> Problem:
    """Why reading a file ended early. end: the reader's message, "slow", or "lost" if it crashed."""
    if end == "slow":
        sentence = f"The file was rejected: reading stalled after row {last:,}."
        return Problem(last + 1, "slow", sentence, FIX[kind], blocks=True)
    if end == "damaged":
        return Problem(last + 1, "type", f"The file is damaged after row {last:,}.", FIX[kind], blocks=True)
    sentence = f"Reading the file takes more than {MEMORY // 1024**2:,} MB of memory, so it's rejected."
    return Problem(last + 1, "memory", sentence, FIX[kind], blocks=True)


def read_messages(path: Path, reading: Reading, what: str) -> Generator[Message, None, None]:
    """The messages of a child that reads the file, the last with its end. Each wait is a step that may
    raise.
    """
    request = {"path": str(path), "reading": asdict(reading), "what": what, "memory": MEMORY}
    for attempt in range(2):
        with server.connect() as line, suppress(BrokenPipeError):
            line.sendall(json.dumps(request).encode() + b"\n")
            hello = received(line, None)
            if hello is None and attempt == 0:
                continue  # the forking process has just exited
            child = Child(hello["pid"]) if hello else None
            while message := received(line, child):
                yield message
                if "end" in message:
                    return
            yield {"end": "slow" if child and child.late else "lost", "peak": 0}
            return


class Child:
    """The CPU time of a child. late: it took too much for one step."""

    def __init__(self, pid: int) -> None:
        self.pid, self.seen, self.step, self.late = pid, 0.0, 0.0, False

    def measure(self) -> None:
        """Add the CPU time since the last measurement to the caller's."""
        with suppress(psutil.Error):
            times = psutil.Process(self.pid).cpu_times()
            now = times.user + times.system
            spent_elsewhere(now - self.seen)
            self.step += now - self.seen
            self.seen = now
        self.late = self.step > STEP_SECONDS


def received(line: socket.socket, child: Child | None) -> Message | None:
    """The next message; None when there is none, or the child took too long."""
    if child:
        child.step = 0.0
    size = exactly(line, 4, child)
    content = exactly(line, int.from_bytes(size, "little"), child) if size else None
    if content and child:
        child.measure()  # also if it never blocks
    return json.loads(content.decode("utf-8", "surrogatepass")) if content else None


def exactly(line: socket.socket, size: int, child: Child | None) -> bytes | None:
    """Exactly so many bytes; None if they don't arrive."""
    content, there = bytearray(), select.poll()
    there.register(line, select.POLLIN)
    while len(content) < size:
        while not there.poll(WAIT_MS):
            if child:
                child.measure()
                if child.late:
                    return None
            step()
        try:
            part = line.recv(min(size - len(content), 1 << 20))
        except ConnectionError:
            return None
        if not part:
            return None
        content += part
    return bytes(content)
