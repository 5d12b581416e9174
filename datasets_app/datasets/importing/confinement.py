"""Read one file with a memory limit: `python -m datasets_app.datasets.importing.confinement FD`. A program
without Django's settings.

It waits on the socket FD for other sockets, forks a child for each, and the child reads one file under
RLIMIT_AS: a file that needs more memory ends only the child. The program exits when the socket closes or
after IDLE_SECONDS without a request.

A request is one JSON line: {"path", "reading", "what": "header" or "rows", "memory": bytes on top of the
program's own}. The responses are JSON texts, each after its length in four bytes: {"pid"}, then {"header"} or
any number of {"rows"}, then {"end"}: done, memory or damaged, with the child's peak memory in bytes.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from datasets_app.datasets.importing.readers import columns, sheets
from datasets_app.datasets.importing.readers.shapes import Reading, Row
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.importing.report import Problem

IDLE_SECONDS = 60.0
PACKET = 1 << 20  # characters of rows that are sent together
PACKET_ROWS = 500
ROW_LIMIT = 16_000_000  # characters of one row
LENGTH = struct.Struct("<I")
PARSERS = {"parquet": columns, "xlsx": sheets}
Answer = dict[str, Any]


def serve(control: socket.socket) -> None:
    """Fork a child for every socket that arrives."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # in the background
    while select.select([control], [], [], IDLE_SECONDS)[0]:
        try:
            data, fds, _, _ = socket.recv_fds(control, 1, 1)
        except OSError:
            return
        if not data:
            return
        with socket.socket(fileno=fds[0]) as line:
            if os.fork() == 0:
                control.close()
                try:
                    answer(line)
                finally:
                    os._exit(0)


def answer(line: socket.socket) -> None:
    """Run a child: read the requested file. Ends when the other side closes."""
    request = json.loads(line.makefile("rb").readline())
    send(line, {"pid": os.getpid()})
    threading.Thread(target=leave_when_closed, args=(line,), daemon=True).start()
    limit_memory(request["memory"])
    end = "done"
    try:
        for each in answers(request):
            send(line, each)
    except BrokenPipeError:
        return
    except MemoryError:
        end = "memory"
    except Exception:  # any library error on an unexpected file
        end = "damaged"
    send(line, {"end": end, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})


def leave_when_closed(line: socket.socket) -> None:
    """End the process when the other side closes: nothing more is ever received."""
    with suppress(ConnectionResetError):  # it closed before it received everything
        line.recv(1)
    os._exit(0)


def limit_memory(more: int) -> None:
    """Limit the process to so many bytes on top of its current size."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more,) * 2)


def answers(request: Answer) -> Iterator[Answer]:
    """The responses to a request. Raises MemoryError."""
    member, reading = Member(Path(request["path"])), Reading(**request["reading"])
    parser = PARSERS[reading.parser]
    if request["what"] == "header":
        found = parser.header(member, reading)
        count = columns.count_rows(member) if parser is columns else 0
        yield {
            "header": {
                "columns": found.columns,
                "problems": [asdict(each) for each in found.problems],
                "count": count,
            }
        }
        return
    packet: list[Any] = []
    size = 0
    for row in parser.rows(member, reading):
        each = small(row)
        packet.append([each.line, each.values] if isinstance(each, Row) else asdict(each))
        size += length(each)
        if size > PACKET or len(packet) >= PACKET_ROWS:
            yield {"rows": packet}
            packet, size = [], 0
    if packet:
        yield {"rows": packet}


def small(row: Row | Problem) -> Row | Problem:
    """The row, or a Problem if its cells are too long in total."""
    if isinstance(row, Problem) or length(row) <= ROW_LIMIT:
        return row
    sentence = f"Row {row.line:,} has {length(row):,} characters; the limit is {ROW_LIMIT:,}."
    return Problem(row.line, "long_cell", sentence, "Shorten its cells, or remove columns.")


def length(row: Row | Problem) -> int:
    """The number of characters of all cells."""
    return sum(map(len, row.values.values())) if isinstance(row, Row) else 0


def send(line: socket.socket, message: Answer) -> None:
    """Send one message after its length."""
    content = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    line.sendall(LENGTH.pack(len(content)))
    line.sendall(content)


if __name__ == "__main__":
    pa.set_memory_pool(pa.system_memory_pool())  # other pools reserve more than they use
    serve(socket.socket(fileno=int(sys.argv[1])))
