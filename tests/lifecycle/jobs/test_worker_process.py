"""Real workers over the embedded broker, on a database of their own: started, killed, asked to leave."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HAND = [sys.executable, str(ROOT / "tests" / "support" / "worker_process.py")]
pytestmark = pytest.mark.journey


class Installation:
    """A data folder with its own SQLite database and the processes that work on it."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        folder.mkdir()
        self.database = folder / "lifecycle.sqlite3"
        self.steps = folder / "steps"
        self.log = (folder / "log").open("ab")
        self.running: list[subprocess.Popen] = []
        self.environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "BROKER_URL")} | {
            "DATA_DIR": str(folder), "JOB_LEASE_SECONDS": "4", "STEPS": str(self.steps),
        }  # fmt: skip
        shutil.copy(migrated, self.database)

    def run(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()

    def start(self, *command: str) -> subprocess.Popen:
        process = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log, cwd=ROOT)
        self.running.append(process)
        return process

    def worker(self) -> subprocess.Popen:
        return self.start(*HAND, "worker", "default")

    def beat(self) -> subprocess.Popen:
        return self.start(sys.executable, str(ROOT / "manage.py"), "beat")

    def enqueue(self, kind: str) -> None:
        self.run(*HAND, "enqueue", kind)

    def job(self) -> dict:
        with sqlite3.connect(self.database, timeout=20) as connection:
            connection.row_factory = sqlite3.Row
            return dict(connection.execute("SELECT * FROM jobs_job").fetchone())

    def until(self, true, seconds: float = 60.0) -> dict:
        deadline = time.monotonic() + seconds
        while not true(job := self.job()):
            assert time.monotonic() < deadline, f"still {job['state']} after {seconds} s, attempt {job['attempt']}"
            time.sleep(0.1)
        return job

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory) -> Path:
    """An empty database with all tables."""
    folder = tmp_path_factory.mktemp("migrated")
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {"DATA_DIR": str(folder)}
    subprocess.run([sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"], env=environment, check=True, cwd=ROOT)
    return folder / "lifecycle.sqlite3"


@pytest.fixture
def installation(tmp_path, migrated):
    made = Installation(tmp_path / "installation", migrated)
    yield made
    made.end()


def test_worker_picks_up_what_is_queued(installation):
    installation.worker()
    installation.enqueue("test.quick")

    job = installation.until(lambda job: job["state"] == "succeeded")

    assert (job["attempt"], job["stage"], job["done"]) == (1, "Done at once", 1)


def test_job_queued_while_no_worker_ran_is_found_at_the_start(installation):
    installation.enqueue("test.quick")
    for bell in (Path(installation.environment["DATA_DIR"]) / "broker" / "queue").glob("*"):
        bell.unlink()
    installation.worker()

    installation.until(lambda job: job["state"] == "succeeded")


def test_killed_worker_leaves_its_job_to_another_that_goes_on_from_the_checkpoint(installation):
    first = installation.worker()
    installation.enqueue("test.count")
    installation.until(lambda job: job["done"] >= 2)

    first.send_signal(signal.SIGKILL)
    first.wait()
    installation.worker()
    installation.beat()

    job = installation.until(lambda job: job["state"] == "succeeded")
    assert (job["attempt"], job["done"], job["checkpoint"]) == (2, 10, '{"step": 10}')
    steps = [line.split(":") for line in installation.steps.read_text().split()]
    assert {int(step) for _, step in steps} == set(range(10))
    assert len(steps) <= 11
    assert steps[-1] == ["2", "9"]


def test_worker_that_is_asked_to_leave_hands_its_job_back_at_once(installation):
    first = installation.worker()
    installation.enqueue("test.count")
    installation.until(lambda job: job["done"] >= 2)

    first.send_signal(signal.SIGTERM)
    first.wait(timeout=30)

    job = installation.job()
    assert (job["state"], job["attempt"], job["lease_token"]) == ("queued", 0, None)
    assert first.returncode == 0
    installation.worker()
    job = installation.until(lambda job: job["state"] == "succeeded")
    assert job["attempt"] == 1
    assert len(installation.steps.read_text().split()) == 10
