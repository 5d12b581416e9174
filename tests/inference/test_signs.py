"""A file that a server writes about itself has a time and a writer, so that a dead server's file is
recognized.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.runtime.inference import signs

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(30)
    return process.pid


def test_a_writer_lives_that_wrote_lately_and_is_there(ended):
    here, own = signs.host(), os.getpid()
    for silent_seconds, pid, host, lives in (
        (0, own, here, True),
        (10, own, here, True),
        (10.1, own, here, False),
        (0, ended, here, False),
        (0, ended, "elsewhere", True),
        (10.1, ended, "elsewhere", False),
        (-3, own, here, True),
    ):
        entry = {"at": (NOW - timedelta(seconds=silent_seconds)).isoformat(), "pid": pid, "host": host}
        assert signs.is_alive(entry, NOW) is lives, entry


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"at": None},
        {"at": "yesterday"},
        {"at": "2026-06-01T12:00:00"},
        {"at": NOW.isoformat(), "pid": "x"},
    ],
)
def test_a_file_without_a_valid_time_is_not_alive(entry):
    assert not signs.is_alive(entry, NOW)


def test_its_own_sign_is_alive():
    assert signs.is_alive(signs.sign(), datetime.now(UTC))


@pytest.mark.engine
def test_a_server_writes_its_status_again_when_a_beat_is_due_and_not_before(
    installation, server, monkeypatch
):
    status, due, clock = installation.serving / "status.json", server.router._beat_at, [0.0]
    monkeypatch.setattr("lifecycle.runtime.inference.router.time.monotonic", lambda: clock[0])

    def writes_at(seconds: float) -> bool:
        before, clock[0] = status.stat().st_ino, seconds  # a new file replaces the one before
        server.router.beat()
        return status.stat().st_ino != before

    assert (writes_at(due - 0.001), writes_at(due)) == (False, True)
    assert installation.status()["endpoints"]["inbox/support"]["epoch"] == installation.epoch
