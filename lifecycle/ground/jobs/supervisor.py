"""Supervises all processes of one machine: one log, restarts, and a common shutdown."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import queue
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import psutil
from honcho.colour import get_colours  # type: ignore[import-untyped]
from honcho.environ import parse_procfile  # type: ignore[import-untyped]
from honcho.printer import Message, Printer  # type: ignore[import-untyped]

log = logging.getLogger(__name__)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
REAP_SECONDS = 5.0  # between reaps of adopted processes
QUICK_SECONDS = 5.0  # a process that lived shorter than this waits before it is started again
GRACE_SECONDS = 30.0  # from SIGTERM to SIGKILL: a training child writes its checkpoint in it


@dataclass
class Program:
    """One line of the Procfile, or one copy of it, and the process that runs it now. inherits: open files
    that it is handed.
    """

    name: str
    command: list[str]
    colour: str
    environment: dict[str, str]
    inherits: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    quick_ends: int = 0
    start_at: float = 0.0
    reader: threading.Thread | None = field(default=None, repr=False)

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start: none after a long life, else 1, 2, 4 … 30."""
        return min(2.0 ** (self.quick_ends - 1), 30.0) if self.quick_ends else 0.0


@dataclass(frozen=True)
class Shared:
    """Several copies of one program, which all accept from one listening socket.

    copies: by name, what each has in its environment beside the rest. The supervisor holds the socket open as
    well: its queue of connections is one for all copies, so that none waits at a copy that has died, and none
    is refused while a copy starts again. A socket of each copy's own on the same port (SO_REUSEPORT) has a
    queue of its own, and what waits there dies with it.
    """

    socket: socket.socket
    copies: Mapping[str, Mapping[str, str]]


class Supervisor:
    """Runs programs until `stop`. It starts all processes from the thread that calls `run`.

    shared: by the name of a program, what runs in its place.
    """

    def __init__(
        self,
        procfile: str,
        environment: Mapping[str, str],
        *,
        grace_seconds: float = GRACE_SECONDS,
        shared: Mapping[str, Shared] | None = None,
    ) -> None:
        colours = get_colours()
        self.environment = dict(environment)
        self.grace_seconds = grace_seconds
        self.programs: list[Program] = []
        self._shared = dict(shared or {})
        for name, line in parse_procfile(procfile).processes.items():
            command, found = (
                [expand(part, self.environment) for part in shlex.split(line)],
                self._shared.get(name),
            )
            copies: Mapping[str, Mapping[str, str]] = found.copies if found else {name: {}}
            inherits = (found.socket.fileno(),) if found else ()
            for copy, more in copies.items():
                self.programs.append(
                    Program(copy, command, next(colours), {**self.environment, **more}, inherits)
                )
        self._lines: queue.Queue[Message] = queue.Queue()
        self._printer = Printer(sys.stdout, width=max(len(program.name) for program in self.programs))
        self._stop = threading.Event()
        self._next_reap = 0.0

    def stop(self, *_: object) -> None:
        """Make `run` end. Idempotent, and safe in a signal handler."""
        self._stop.set()

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Start everything and keep it running until `stop`; then end it all. tick: called about five times a
        second.
        """
        adopt_orphans()
        try:
            while not self._stop.is_set():
                for program in self.programs:
                    self._tend(program)
                tick()
                self._bury()
                self._print(timeout=0.2)
        finally:
            self._end_all()

    def write(self, text: str) -> None:
        """Write a line of the supervisor itself to the log."""
        self._printer.write(Message("line", text + "\n", datetime.now(), "lifecycle", None))

    def _tend(self, program: Program) -> None:
        """Start a program that is due; note one that has died and when to start it again."""
        if program.process is None:
            if time.monotonic() >= program.start_at:
                self._start(program)
            return
        code = program.process.poll()
        if code is None:
            return
        lived = time.monotonic() - program.began
        program.quick_ends = program.quick_ends + 1 if lived < QUICK_SECONDS else 0
        program.process, program.start_at = None, time.monotonic() + program.pause
        again = f"Restarting in {program.pause:.0f} s." if program.pause else "Restarting."
        self.write(f"{program.name} exited with {code} after {lived:.0f} s. {again}")

    def _start(self, program: Program) -> None:
        program.process = subprocess.Popen(
            program.command,
            env=program.environment,
            pass_fds=program.inherits,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # noqa: PLW1509
            preexec_fn=die_with_parent if LIBC else None,
        )
        program.began = time.monotonic()
        program.reader = threading.Thread(target=self._read, args=(program, program.process), daemon=True)
        program.reader.start()

    def _read(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  it was asked for as a pipe
        for line in process.stdout:
            self._lines.put(
                Message("line", line.decode(errors="replace"), datetime.now(), program.name, program.colour)
            )

    def _print(self, timeout: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._printer.write(self._lines.get(timeout=timeout))
            while True:
                self._printer.write(self._lines.get_nowait())

    def _end_all(self) -> None:
        """Ask every process to leave, wait, and kill the process groups of those that stay.

        A socket that was shared closes with the last that accepts there.
        """
        for each in self._shared.values():
            each.socket.close()
        running = [
            program.process for program in self.programs if program.process and program.process.poll() is None
        ]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + self.grace_seconds
        while any(process.poll() is None for process in running) and time.monotonic() < deadline:
            self._print(timeout=0.1)
        for process in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # each was started as the leader of its own group
            process.wait()
        end_descendants()
        self._print(timeout=0.1)

    def _bury(self) -> None:
        """Reap adopted processes, which otherwise stay as zombies."""
        if time.monotonic() < self._next_reap:
            return
        self._next_reap = time.monotonic() + REAP_SECONDS
        own = {program.process.pid for program in self.programs if program.process}
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
                if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """The text with $NAME replaced from the environment. Raises KeyError for a name that is not set."""
    if not text.startswith("$"):
        return text
    return environment[text[1:]]


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent died (the warm engine, a training child), so that we
    can end them.
    """
    if LIBC is not None:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_descendants(grace_seconds: float = 5.0) -> None:
    """End every process that still descends from this one."""
    left = psutil.Process().children(recursive=True)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=grace_seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=grace_seconds)


def die_with_parent() -> None:
    """Runs in the new process: have the system send it SIGTERM when its supervisor dies, however that
    happens.
    """
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
