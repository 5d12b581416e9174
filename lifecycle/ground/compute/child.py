"""Runs one engine verb in a child process: its memory is freed when it ends, and a crash affects nothing
else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from lifecycle.ground.compute.environment import ROOT, scrubbed
from lifecycle.ground.jobs.context import JobContext, LeaseLost, Released
from lifecycle.ground.jobs.devices import serving
from lifecycle.runtime.engine.events import read_events

log = logging.getLogger(__name__)
ENGINE: tuple[str, ...] = (sys.executable, "-m", "lifecycle.runtime.engine")
POLL_SECONDS = 0.2
NICE = 5  # of what trains: what someone waits for goes first on the same cores
GRACE_SECONDS = 60.0  # from SIGTERM (write a checkpoint, leave) to SIGKILL
OFFSET = "events_offset"


def wait_until_free(ctx: JobContext, folder: Path) -> None:
    """Return once no process works in the folder: that of a worker that was lost leaves with its checkpoint,
    or with its artifact where it was as far as that. Ask before anything is laid out there. Raises as
    ctx.raise_if_cancelled.
    """
    if not folder.is_dir():
        return
    with (folder / "lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                ctx.progress(0, stage="Waiting for a lost worker's process to exit")
                ctx.raise_if_cancelled()
                time.sleep(POLL_SECONDS)
            else:
                return


@dataclass(frozen=True, slots=True)
class Result:
    """How a verb ended: the content of result.json, or what the exit status of a child that died without one
    shows.

    status: succeeded, failed or cancelled. code, message, next_step: empty unless failed. data: the whole of
    result.json.
    """

    status: str
    code: str = ""
    message: str = ""
    next_step: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the verb did its work."""
        return self.status == "succeeded"


def run_child(
    ctx: JobContext,
    verb: str,
    folder: Path,
    on_events: Callable[[list[dict[str, Any]]], None],
    *,
    threads: int | None = None,
    accelerated: bool = False,
    enough: Callable[[], bool] = lambda: False,
    program: Sequence[str] = ENGINE,
    grace_seconds: float = GRACE_SECONDS,
) -> Result:
    """Run `python -m lifecycle.runtime.engine VERB FOLDER` to its end; spec and data are already in the
    folder.

    on_events gets new events in batches, in a transaction with the checkpoint that remembers them: each event
    once, also after a crash. accelerated: it trains: it sees the GPUs that this worker serves, without it
    none, and gives way to what computes beside it. enough: asked while it runs; once true the child is to
    leave as if the job were cancelled, though it is not.
    A cancelled job gives the child time to write its checkpoint, and returns status cancelled: record it,
    then call ctx.raise_if_cancelled(), so that the job ends so too. Raises LeaseLost or Released after the
    child has left. Running the same verb on the same folder again continues where it stopped.
    """
    with contextlib.suppress(FileNotFoundError):
        (folder / "result.json").unlink()  # of an earlier, cancelled or failed, execution
    # a recreated folder is read from its beginning
    if OFFSET in ctx.job.checkpoint and not (folder / "events.jsonl").exists():
        ctx.checkpoint({name: value for name, value in ctx.job.checkpoint.items() if name != OFFSET})
    with (folder / "output.log").open("ab") as output:
        child = subprocess.Popen(
            [*program, verb, str(folder)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=scrubbed(os.environ, threads=threads, gpus=serving().gpus if accelerated else ()),
            start_new_session=True,
        )
    if accelerated:
        os.setpriority(os.PRIO_PROCESS, child.pid, min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19))
    try:
        killed = watch(ctx, child, folder, on_events, enough, grace_seconds)
        while tail(ctx, folder, on_events):
            pass
    finally:
        stop(child, grace_seconds)
        if child.returncode < 0 or not (folder / "result.json").exists():
            log.warning(
                "child_died job=%s verb=%s pid=%s by=%s",
                ctx.job.uuid,
                verb,
                child.pid,
                ending(child.returncode),
            )
    if ctx.lost:
        raise LeaseLost
    result = read_result(folder, child.returncode)
    if killed and not result.data:
        result = Result("cancelled")  # it did not leave on its own, and its last checkpoint is whole
    if ctx.stopping and result.status == "cancelled" and not ctx.cancelled:
        raise Released
    return result


def watch(
    ctx: JobContext,
    child: subprocess.Popen[bytes],
    folder: Path,
    on_events: Callable[[list[dict[str, Any]]], None],
    enough: Callable[[], bool],
    grace_seconds: float,
) -> bool:
    """Hand on events until the child has ended; ask it to leave when there is a reason to, and kill it after
    the grace. Returns whether that was needed.
    """
    kill_at: float | None = None
    while child.poll() is None:
        tail(ctx, folder, on_events)
        if kill_at is None and (ctx.cancelled or ctx.lost or ctx.stopping or enough()):
            child.terminate()
            kill_at = time.monotonic() + grace_seconds
        if kill_at is not None and time.monotonic() > kill_at:
            log.warning(
                "child_killed job=%s pid=%s: it didn't exit within %s s",
                ctx.job.uuid,
                child.pid,
                grace_seconds,
            )
            child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(POLL_SECONDS)
    return kill_at is not None and child.returncode == -signal.SIGKILL


def tail(ctx: JobContext, folder: Path, on_events: Callable[[list[dict[str, Any]]], None]) -> bool:
    """Hand on what is new in events.jsonl. Returns whether there was anything. A job that lost its lease
    hands on nothing.
    """
    if ctx.lost:
        return False
    events, offset = read_events(folder / "events.jsonl", int(ctx.job.checkpoint.get(OFFSET, 0)))
    if not events:
        return False
    for event in events:
        if event.get("kind") == "metric" and event.get("total_steps"):
            ctx.progress(int(event["step"]), int(event["total_steps"]), unit="steps")
        elif event.get("kind") == "progress":
            ctx.progress(
                int(event["done"]), int(event["total"]), unit=event.get("unit"), message=event.get("message")
            )
        elif event.get("kind") == "stage" and isinstance(event.get("name"), str):
            ctx.progress(0, stage=event["name"].capitalize(), message=str(event.get("message", "")))
    with transaction.atomic():
        on_events(events)
        ctx.checkpoint(ctx.job.checkpoint | {OFFSET: offset})
    return True


def stop(child: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """Always end the child: close its pipe, send SIGTERM, wait, kill."""
    if child.stdin is not None:
        child.stdin.close()
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def read_result(folder: Path, returncode: int) -> Result:
    """result.json as a Result; without one, a Result from the exit status. returncode: negative for a signal,
    as in subprocess.
    """
    try:
        data = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return without_result(returncode)
    except ValueError:
        return Result(
            "failed",
            "crashed",
            "The run's result can't be read.",
            "Resume it. It continues from its last checkpoint.",
        )
    error = data.get("error") or {}
    return Result(
        data["status"], error.get("code", ""), error.get("message", ""), error.get("next_step", ""), data
    )


def without_result(returncode: int) -> Result:
    """The Result of a child that ended without result.json."""
    if returncode == -signal.SIGKILL:
        return Result(
            "failed",
            "out_of_memory",
            "The process was killed, probably because the machine ran out of memory.",
            "Choose a smaller batch size or shorter texts, or free memory. Then resume; the run continues"
            " from its last checkpoint.",
        )
    return Result(
        "failed",
        "crashed",
        f"The process exited without a result ({ending(returncode)}).",
        "Check the end of its log, then resume. The run continues from its last checkpoint.",
    )


def ending(returncode: int) -> str:
    """How a process ended. returncode: negative for a signal, as in subprocess."""
    return f"signal {signal.Signals(-returncode).name}" if returncode < 0 else f"exit status {returncode}"
