"""Real workers over the embedded broker, on a database of their own: started, killed, asked to leave."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from tests.support import tables

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

    def worker(self, queue: str = "default") -> subprocess.Popen:
        return self.start(*HAND, "worker", queue)

    def beat(self) -> subprocess.Popen:
        return self.start(sys.executable, str(ROOT / "manage.py"), "beat")

    def enqueue(self, kind: str) -> None:
        self.run(*HAND, "enqueue", kind)

    def row(self, statement: str, *values: object) -> dict:
        with sqlite3.connect(self.database, timeout=20) as connection:
            connection.row_factory = sqlite3.Row
            return dict(connection.execute(statement, values).fetchone())

    def job(self) -> dict:
        return self.row("SELECT * FROM jobs_job ORDER BY id DESC")

    def training(self, run: str) -> dict:
        """A run, beside its job."""
        return self.row(
            "SELECT r.state, r.step, r.best_step, f.root_digest, j.state AS job_state, j.attempt, j.lease_token FROM training_run r"
            " JOIN jobs_job j ON j.id = r.job_id LEFT JOIN artifacts_folder f ON f.id = r.artifact_id WHERE r.uuid = ?",
            UUID(run).hex,
        )

    def until(self, true, seconds: float = 60.0, look=None) -> dict:
        deadline = time.monotonic() + seconds
        while not true(found := (look or self.job)()):
            assert time.monotonic() < deadline, f"still {found} after {seconds} s"
            time.sleep(0.1)
        return found

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.log.close()


@pytest.fixture
def installation(tmp_path):
    made = Installation(tmp_path / "installation", tables.of_an_installation())
    yield made
    made.end()


def test_worker_picks_up_what_is_queued(installation):
    installation.worker()
    installation.enqueue("test.quick")

    job = installation.until(lambda job: job["state"] == "succeeded")

    assert (job["attempt"], job["stage"], job["done"]) == (1, "Done at once", 1)


def test_worker_says_that_it_is_there_until_it_leaves(installation):
    worker = installation.worker("training")
    installation.enqueue("test.quick")  # by then it has its tables open

    def seen():
        return installation.row("SELECT count(*) AS n, max(queues) AS queues, max(device) AS device, max(seen_at) AS at FROM jobs_worker")

    deadline = time.monotonic() + 30
    while not seen()["n"] and time.monotonic() < deadline:
        time.sleep(0.1)
    there = seen()
    worker.send_signal(signal.SIGTERM)
    worker.wait(30)

    assert (there["n"], there["queues"], there["device"]) == (1, '["training"]', "cpu")
    assert seen()["at"] < there["at"]


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


def test_training_that_is_preempted_goes_on_with_another_worker_to_the_weights_of_an_undisturbed_run(installation):
    run = installation.run(*HAND, "launch", "60")
    look = partial(installation.training, run)
    first = installation.worker("training")
    installation.until(lambda found: found["step"] >= 20, 120, look)

    first.send_signal(signal.SIGTERM)
    first.wait(timeout=60)

    waiting = look()
    assert (waiting["state"], waiting["job_state"], waiting["attempt"], waiting["lease_token"]) == ("training", "queued", 0, None)
    checkpoints = Path(installation.environment["DATA_DIR"]) / "runs" / run / "checkpoints"
    assert max(int(each.name.removeprefix("checkpoint-")) for each in checkpoints.iterdir()) >= waiting["step"]
    installation.worker("training")
    ended = installation.until(lambda found: found["job_state"] == "succeeded", 300, look)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)

    calm = partial(installation.training, installation.run(*HAND, "reproduce", run))
    undisturbed = installation.until(lambda found: found["state"] == "succeeded", 300, calm)
    assert [ended[name] for name in ("step", "best_step", "root_digest")] == [
        undisturbed[name] for name in ("step", "best_step", "root_digest")
    ]
