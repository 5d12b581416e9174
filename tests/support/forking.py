"""`python -m tests.support.forking SOCKET DESCRIPTOR`: imports what engine programs import, reports it, and
forks one for each request.

It ends when the pipe on its standard input does. No tensor is made here: its thread pool would be dead in
every fork.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import lifecycle.runtime.engine.__main__ as _settings_of_libraries  # noqa: F401  before they are imported
from lifecycle.runtime.engine import program
from tests.support import forked

RUN_AS_MAIN = ("lifecycle.runtime.engine.__main__", "lifecycle.runtime.engine.follow")


def main(address: str, ready: int) -> None:
    """Serve until the tests end."""
    for module, _ in program.VERBS.values():
        importlib.import_module(module)
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import peft  # noqa: F401

    import lifecycle.runtime.engine.follow  # noqa: F401

    for name in RUN_AS_MAIN:
        sys.modules.pop(name, None)
    # or whenever an engine looks for garbage, it walks over all that was imported, and copies the pages that
    # it shares
    gc.freeze()
    forked.Forked.address = address
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(ready, b"1")
        os.close(ready)
        serve(listener)


def serve(listener: socket.socket) -> None:
    """Fork for each client that connects, and send it how the child ended."""
    living: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor of the child's end
    while True:
        for ready in select.select([sys.stdin.fileno(), listener.fileno(), *living], [], [])[0]:
            if ready == sys.stdin.fileno():
                return
            if ready == listener.fileno():
                connection, _ = listener.accept()
                pid = begin(
                    connection, [listener.fileno(), *living, *(each.fileno() for _, each in living.values())]
                )
                living[os.pidfd_open(pid)] = (pid, connection)
            else:
                pid, connection = living.pop(ready)
                os.close(ready)
                _, status, used = os.wait4(pid, 0)
                with connection:
                    send_to(connection, forked.ENDED.pack(status, used.ru_utime + used.ru_stime))


def begin(connection: socket.socket, others: list[int]) -> int:
    """The child for one request. others: descriptors that are not its own."""
    head, descriptors, _, _ = socket.recv_fds(connection, forked.LENGTH.size, 3)
    (length,) = forked.LENGTH.unpack(head)
    message = b""
    while len(message) < length:
        message += connection.recv(length - len(message))
    pid = os.fork()
    if pid == 0:
        for each in (*others, connection.fileno()):
            os.close(each)
        be(json.loads(message), descriptors)
    for each in descriptors:
        os.close(each)
    send_to(connection, forked.LENGTH.pack(pid))
    return pid


def send_to(connection: socket.socket, message: bytes) -> None:
    """Send it to a client that may have disconnected."""
    with suppress(OSError):
        connection.sendall(message)


def be(request: dict[str, Any], descriptors: list[int]) -> None:
    """Become the program: never returns."""
    code = 1
    try:
        for at, each in enumerate(descriptors):
            os.dup2(each, at)
            os.close(each)
        if request["session"]:
            os.setsid()
        rename([*request["arguments"]])
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["cwd"])
        sys.stdin, sys.stdout, sys.stderr = (
            open(at, mode, buffering=1, closefd=False)  # noqa: SIM115
            for at, mode in enumerate("rww")
        )
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(each, signal.SIG_DFL if each != signal.SIGINT else signal.default_int_handler)
        settle_libraries()
        forked.subprocess.Popen = forked.Forked
        sys.argv = request["arguments"][2:]
        code = run(sys.argv[0])
    except BaseException:
        traceback.print_exc()
    finally:
        for each in (sys.stdout, sys.stderr):
            each.flush()
        os._exit(code)


def run(module: str) -> int:
    """Its exit status, as the interpreter would give it."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


def settle_libraries() -> None:
    """What libraries read from the environment, or drew, when they were imported."""
    import numpy
    import torch

    numpy.random.seed()
    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))


def rename(arguments: list[str]) -> None:
    """Show this command line to others: it is written over the one that the process was started with."""
    start, end = (int(each) for each in Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
    line = "\0".join(arguments).encode() + b"\0"
    ctypes.memmove(start, line[: end - start - 1].ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
