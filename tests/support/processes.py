"""Processes that a test looks for."""

from __future__ import annotations

from contextlib import suppress

import psutil


def family(*words: str, of: int | None = None) -> list[psutil.Process]:
    """The processes that this one, or that of a pid, started, and those started by them, whose command line
    holds all these words. What has ended since it was listed has none.
    """
    found = []
    for process in psutil.Process(of).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            line = " ".join(process.cmdline())
            if all(word in line for word in words):
                found.append(process)
    return found
