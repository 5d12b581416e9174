"""The product's web process, which reports its time in every response: `gunicorn
benchmarks.label_queue_wsgi`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from lifecycle.wsgi import application as product


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The product's answer, with a Server-Timing header in milliseconds. inside: from the thread that took
    the request up until the answer was made, through all middleware, waiting for the database and for other
    threads included. cpu: this thread's own time on it.
    """
    began, busy = time.perf_counter(), time.thread_time()

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        inside, cpu = 1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - busy)
        return start_response(
            status, [*headers, ("Server-Timing", f"inside;dur={inside:.3f}, cpu;dur={cpu:.3f}")], *more
        )

    return product(environ, start)
