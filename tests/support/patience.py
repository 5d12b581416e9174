"""A SQLite database in memory is shared by the threads of a test, and a table that a request still reads is locked at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError

T = TypeVar("T")


def patiently(act: Callable[[], T], *, tries: int = 100) -> T:
    """What it gives once no request holds what it needs; tried for ten seconds."""
    for _ in range(tries):
        try:
            return act()
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.1)
    return act()
