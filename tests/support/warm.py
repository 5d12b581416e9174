"""The warm engine in tests: started by the first call, ended with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

from lifecycle.ground.compute import warm


@contextlib.contextmanager
def ended_engine() -> Iterator[None]:
    """Whatever engine the block starts for the present DATA_DIR is ended afterwards."""
    try:
        yield
    finally:
        found = subprocess.run(
            ["pgrep", "-f", f"warm {warm.socket_path()}"], capture_output=True, text=True
        ).stdout.split()
        for each in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(each), signal.SIGTERM)
