"""Several people at the same moment, each in a thread and a connection of their own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection

from lifecycle.runtime.refusals import Refusal


def at_once(*calls: Callable[[], Any]) -> Counter[str]:
    """Run all calls in their own threads, started together. Returns how each ended."""
    start, ended = threading.Barrier(len(calls)), list[str]()

    def run(call: Callable[[], Any]) -> None:
        start.wait()
        try:
            call()
            ended.append("done")
        except (Refusal, PermissionDenied) as error:
            ended.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(ended)
