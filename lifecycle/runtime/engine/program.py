"""The program around a verb: one writer per folder, stop requests, and a result.json in every case except a
kill.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import signal
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from lifecycle.runtime.engine.effort import spent
from lifecycle.runtime.engine.events import EventWriter, write_json
from lifecycle.runtime.engine.faults import Fault, describe

# verb: module and function; imported when the verb is known, since torch takes seconds
VERBS = {
    "train": ("lifecycle.runtime.engine.training", "train"),
    "profile": ("lifecycle.runtime.engine.profiling", "profile"),
    "evaluate": ("lifecycle.runtime.engine.verbs", "evaluate"),
    "evaluate_each": ("lifecycle.runtime.engine.verbs", "evaluate_each"),
    "predict": ("lifecycle.runtime.engine.verbs", "predict"),
    "robustness": ("lifecycle.runtime.engine.robustness", "robustness"),
    "explain": ("lifecycle.runtime.engine.task_types.generation.occlusion", "explain"),
    "losses": ("lifecycle.runtime.engine.losing", "losses"),
    "embed": ("lifecycle.runtime.engine.verbs", "embed"),
    "merge": ("lifecycle.runtime.engine.merging", "merge"),
    "unpack": ("lifecycle.runtime.engine.unpacking", "unpack"),
    "export": ("lifecycle.runtime.engine.verbs", "export"),
    "probe": ("lifecycle.runtime.engine.verbs", "probe"),
    "warm": ("lifecycle.runtime.engine.warm", "serve"),
}
BUSY = 75
# as of a process that SIGTERM ended, so that the caller knows that the run isn't finished
ASKED_TO_STOP = 143
RESERVE_BYTES = 65536


def run(verb: str, folder: Path) -> int:
    """Carry a verb out on a folder. 0 = succeeded, 1 = failed, 75 = another process works in this folder, 143
    = it was asked to stop.
    """
    if verb == "warm":
        importlib.import_module(VERBS[verb][0]).serve(folder)
        return 0
    if not folder.is_dir():
        print(f"Folder {folder} not found.", file=sys.stderr)
        return 2
    with _locked(folder / "lock") as free:
        if not free:
            print(f"Another process is using {folder}.", file=sys.stderr)
            return BUSY
        return _carry_out(verb, folder, stop_request())


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Locks the folder for the block; yields False if another process has the lock."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def stop_request() -> Callable[[], bool]:
    """A function that returns True after SIGTERM, or after the parent closed the pipe on standard input."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin else 0
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        threading.Thread(target=_wait_for_end, args=(sys.stdin.buffer, asked), daemon=True).start()
    return asked.is_set


def _wait_for_end(stream: IO[bytes], asked: threading.Event) -> None:
    while os.read(stream.fileno(), 4096):
        pass
    asked.set()


def leave_with_parent() -> None:
    """End this process when the pipe on standard input ends: its result is no longer needed."""
    if sys.stdin is not None and stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        threading.Thread(target=_leave_at_its_end, args=(sys.stdin.fileno(),), daemon=True).start()


def _leave_at_its_end(pipe: int) -> None:
    # not by sys.stdin: the interpreter aborts at its end where a thread holds the lock of that
    while os.read(pipe, 1_024):
        pass
    os._exit(1)


def _carry_out(verb: str, folder: Path, cancelled: Callable[[], bool]) -> int:
    result_path, reserve = folder / "result.json", folder / ".reserve"
    if verb == "train" and _succeeded(result_path):
        return 0
    result_path.unlink(missing_ok=True)
    try:
        reserve.write_bytes(b"\0" * RESERVE_BYTES)
        module, function = VERBS[verb]
        result = getattr(importlib.import_module(module), function)(folder, cancelled)
        reserve.unlink(missing_ok=True)
        write_json(result_path, result)
    except BaseException as error:
        fault = describe(error)
        if fault.code == "crashed":
            traceback.print_exc()
        reserve.unlink(missing_ok=True)
        write_json(result_path, failure(fault) | (spent(folder) if verb == "train" else {}))
        _write_fault(folder, fault)
        return 1
    return ASKED_TO_STOP if result["status"] == "cancelled" else 0


def _succeeded(path: Path) -> bool:
    with suppress(FileNotFoundError, ValueError):
        return bool(json.loads(path.read_text(encoding="utf-8"))["status"] == "succeeded")
    return False


def failure(fault: Fault) -> dict[str, Any]:
    """The result.json of a run that failed."""
    return {
        "format": 1,
        "status": "failed",
        "error": fault.to_json(),
        "best_step": None,
        "last_step": None,
        "metrics": {},
    }


def _write_fault(folder: Path, fault: Fault) -> None:
    """Write the fault as the last event; if the disk is too full even for that, result.json has it."""
    try:
        EventWriter(folder / "events.jsonl").write(
            "end", status="failed", message=fault.message, code=fault.code
        )
    except OSError:
        print(fault.message, file=sys.stderr)
