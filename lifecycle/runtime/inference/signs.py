"""Heartbeats: fields that a server writes into its files, so that readers can recognize files of a dead
server.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

BEAT_SECONDS = 2.0
BEATS_MISSED = 5  # a server that hasn't written for so many beats counts as dead


def sign() -> dict[str, Any]:
    """Time, process and host, for every file that a server writes about itself."""
    return {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "pid": os.getpid(), "host": host()}


def host() -> str:
    """This machine and its process namespace, within which a process number is unique."""
    namespace = ""
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace}".strip()


def is_alive(entry: Mapping[str, Any], now: datetime) -> bool:
    """Whether the writer of a file is alive: it wrote within BEATS_MISSED beats and, if it ran on this host,
    its process exists.

    entry: content of the file. False without a valid time. Hosts that share a data folder need clocks that
    agree to a few seconds.
    """
    try:
        silent = (now - datetime.fromisoformat(str(entry["at"]))).total_seconds()
        pid = int(entry.get("pid") or 0)
    except (KeyError, ValueError, TypeError, OverflowError):
        return False
    if silent > BEATS_MISSED * BEAT_SECONDS:
        return False
    return entry.get("host") != host() or is_running(pid)


def is_running(pid: int) -> bool:
    """Whether a process of this number exists."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of someone else
        return True
    return pid > 0
