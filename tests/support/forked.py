"""Engine programs as forks of one process that has imported torch, transformers and peft: starting Python
with them takes five seconds.

In a pytest process `subprocess.Popen` of these programs asks that process for a fork, and is otherwise what
it was: descriptors, signals, exit status, environment and command line are those of a process of its own.
Only its parent is another one. With a `preexec_fn` it starts the ordinary way, as everything does within
`cold()`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).with_name("site")
PROGRAMS = {
    *("lifecycle.runtime.engine", "lifecycle.runtime.engine.follow"),
    *("tests.engine.calm_follower", "tests.engine.broken_follower", "tests.engine.dividing"),
}
LENGTH = struct.Struct(">i")
ENDED = struct.Struct(">id")  # status as wait gives it, processor seconds
ORDINARY = subprocess.Popen
Address = str


class Forked(ORDINARY):
    """A Popen whose process, where it is one of PROGRAMS, is a fork of the process at `address`."""

    address: Address = ""
    parent: subprocess.Popen[bytes] | None = None  # what listens there, in the process that started it
    cold: tuple[str, ...] = ()  # verbs of the engine that start the ordinary way
    cpu_seconds = 0.0  # of all that have ended
    status: socket.socket | None = None

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, *rest: Any) -> None:
        if preexec_fn or not is_program(args):
            super()._execute_child(args, executable, preexec_fn, *rest)
            return
        (
            _,
            _,
            cwd,
            env,
            _,
            _,
            _,
            p2cread,
            p2cwrite,
            c2pread,
            c2pwrite,
            errread,
            errwrite,
            *_,
            new_session,
            _,
        ) = rest
        request = {"arguments": list(args), "cwd": os.fspath(cwd or os.getcwd()), "session": new_session}
        request["environment"] = dict(os.environ if env is None else env)
        descriptors = [
            given if given != -1 else own for own, given in enumerate((p2cread, c2pwrite, errwrite))
        ]
        self.status = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.status.connect(running())
        message = json.dumps(request).encode()
        socket.send_fds(self.status, [LENGTH.pack(len(message))], descriptors)
        self.status.sendall(message)
        self.pid = LENGTH.unpack(self.status.recv(LENGTH.size))[0]
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self.status is None:
            return super()._try_wait(wait_flags)
        try:
            ending = self.status.recv(ENDED.size, socket.MSG_DONTWAIT if wait_flags & os.WNOHANG else 0)
        except BlockingIOError:
            return 0, 0
        self.status.close()
        status, seconds = ENDED.unpack(ending) if ending else (signal.SIGKILL, 0.0)
        Forked.cpu_seconds += seconds
        return self.pid, status

    def _internal_poll(self, *rest: Any, **more: Any) -> int | None:
        if self.status is None:
            return super()._internal_poll(*rest, **more)
        if self.returncode is None and self._waitpid_lock.acquire(False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def is_program(args: Any) -> bool:
    """Whether this command is `python -m` and one of PROGRAMS, to be forked."""
    return (
        isinstance(args, list | tuple)
        and len(args) > 2
        and args[:2] == type(args)((sys.executable, "-m"))
        and args[2] in PROGRAMS
        and not {*args[3:4]}.intersection(Forked.cold)
    )


def running() -> Address:
    """Where the process listens, which is started by the first call and ends with this one."""
    if not Forked.address:
        folder = tempfile.mkdtemp(prefix="lifecycle-forks-")
        Forked.address = str(Path(folder) / "socket")
        reader, writer = os.pipe()
        # room for longer ones
        command = [sys.executable, "-m", "tests.support.forking", Forked.address, str(writer), " " * 1000]
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        }
        Forked.parent = ORDINARY(
            command,
            cwd=ROOT,
            env=environment | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            pass_fds=[writer],
            start_new_session=True,
        )
        os.close(writer)
        assert os.read(reader, 1), "The process that engine programs are forked from did not start."
        os.close(reader)
        atexit.register(Forked.parent.stdin.close)
    return Forked.address


def in_processes() -> dict[str, str]:
    """The environment of Python processes whose programs are forked here, too: by `site/sitecustomize.py`.
    The warm engine isn't, which belongs to all processes of an installation and ends with the last.
    """
    return {"ENGINE_FORKS": running(), "PYTHONPATH": os.pathsep.join(map(str, (SITE, ROOT)))}


@contextmanager
def installed() -> Iterator[None]:
    """Within it, programs are forked."""
    subprocess.Popen = Forked
    try:
        yield
    finally:
        subprocess.Popen = ORDINARY


@contextmanager
def cold() -> Iterator[None]:
    """Within it, every program starts the ordinary way."""
    before, subprocess.Popen = subprocess.Popen, ORDINARY
    try:
        yield
    finally:
        subprocess.Popen = before
