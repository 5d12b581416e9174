"""Signs of life: what a server writes into its files so that a reader can tell a server that runs from what a dead one left behind."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

BEAT_SECONDS = 2.0
BEATS_MISSED = 5  # a server that has written nothing for so many beats is believed dead


def sign() -> dict[str, Any]:
    """Who writes, and when: to be part of every file that a server writes about itself."""
    return {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "pid": os.getpid(), "host": host()}


def host() -> str:
    """Where a process number means something: this machine, and on it this namespace of processes."""
    namespace = ""
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace}".strip()


def is_alive(said: Mapping[str, Any], now: datetime) -> bool:
    """Whether the writer of a file lives: it wrote within BEATS_MISSED beats, and where it ran here, its process is there.

    said: what the file holds. A file without a time, or with one that cannot be read, is no one's. Hosts that share a data folder have
    clocks that agree to a few seconds.
    """
    try:
        silent = (now - datetime.fromisoformat(str(said["at"]))).total_seconds()
        pid = int(said.get("pid") or 0)
    except (KeyError, ValueError, TypeError, OverflowError):
        return False
    if silent > BEATS_MISSED * BEAT_SECONDS:
        return False
    return said.get("host") != host() or is_running(pid)


def is_running(pid: int) -> bool:
    """Whether a process of this number is there."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of someone else
        return True
    return pid > 0
