"""Real workers over the embedded broker, on a database of their own: started, killed, asked to leave."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from lifecycle.runtime.engine.checkpoint import MARKER
from lifecycle.runtime.engine.events import points, read_events
from tests.support import forked, tables
from tests.support.hand import Hand
from tests.support.processes import family

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.journey
# What a run is worth is not asked here: a run that follows need not wait for it.
LATER = """CREATE TRIGGER later AFTER INSERT ON jobs_job WHEN NEW.kind = 'evaluation.evaluate'
BEGIN UPDATE jobs_job SET available_at = '2999-01-01 00:00:00' WHERE id = NEW.id; END"""


class Installation:
    """A data folder with its own SQLite database and the processes that work on it."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        folder.mkdir()
        self.database = folder / "lifecycle.sqlite3"
        self.steps = folder / "steps"
        self.log = (folder / "log").open("ab")
        self.running: list[subprocess.Popen] = []
        self.environment = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "BROKER_URL")
        } | {
            "DATA_DIR": str(folder),
            "JOB_LEASE_SECONDS": "4",
            "STEPS": str(self.steps),
            **forked.in_processes(),
        }
        self.hand: Hand | None = None
        shutil.copy(migrated, self.database)

    def run(self, call: str) -> str:
        """What a call of worker_process.py gives, all of them by one hand."""
        self.hand = self.hand or Hand(self.environment, Path(self.log.name))
        return self.hand.do(f"from tests.support import worker_process as of\nprint(of.{call})").strip()

    def start(self, *command: str) -> subprocess.Popen:
        process = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log, cwd=ROOT)
        self.running.append(process)
        return process

    def worker(self, queue: str = "default") -> subprocess.Popen:
        return self.start(sys.executable, str(ROOT / "tests" / "support" / "worker_process.py"), queue)

    def beat(self) -> subprocess.Popen:
        return self.start(sys.executable, str(ROOT / "manage.py"), "beat")

    def enqueue(self, kind: str) -> None:
        self.run(f"enqueue({kind!r})")

    def row(self, statement: str, *values: object) -> dict:
        with sqlite3.connect(self.database, timeout=20) as connection:
            connection.row_factory = sqlite3.Row
            return dict(connection.execute(statement, values).fetchone())

    def change(self, statement: str) -> None:
        with sqlite3.connect(self.database, timeout=20) as connection:
            connection.execute(statement)

    def job(self) -> dict:
        return self.row("SELECT * FROM jobs_job ORDER BY id DESC")

    def training(self, run: str) -> dict:
        """A run, beside its job."""
        return self.row(
            "SELECT r.state, r.step, r.best_step, f.root_digest, j.state AS job_state, j.attempt,"
            " j.lease_token FROM training_run r JOIN jobs_job j ON j.id = r.job_id LEFT JOIN artifacts_folder"
            " f ON f.id = r.artifact_id WHERE r.uuid = ?",
            UUID(run).hex,
        )

    def signs(self) -> dict:
        """The log of the workers."""
        return self.row(
            "SELECT count(*) AS n, max(queues) AS queues, max(device) AS device, max(seen_at) AS at FROM"
            " jobs_worker"
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
        if self.hand:
            self.hand.let_go()
        self.log.close()


@pytest.fixture
def installation(tmp_path):
    made = Installation(tmp_path / "installation", tables.of_an_installation())
    yield made
    made.end()


def test_an_evaluation_is_done_while_one_run_trains_and_another_waits(installation):
    for queue in ("training", "evaluation"):
        installation.worker(queue)
    for kind in ("test.train", "test.train", "test.evaluate"):
        installation.enqueue(kind)

    evaluated = installation.until(lambda job: job["state"] == "succeeded")

    def states():
        return installation.row(
            "SELECT group_concat(state) AS found FROM (SELECT state FROM jobs_job WHERE queue = 'training'"
            " ORDER BY id)"
        )

    assert [evaluated[name] for name in ("kind", "attempt", "stage", "done")] == [
        "test.evaluate",
        1,
        "Done at once",
        1,
    ]
    assert installation.until(lambda row: row["found"] == "running,queued", look=states)


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


def test_training_that_is_preempted_goes_on_with_another_worker_to_the_weights_of_an_undisturbed_run(
    installation,
):
    run = installation.run("launch(60)")
    look = partial(installation.training, run)
    first = installation.worker("training")
    installation.until(lambda found: found["step"] >= 20, 120, look)
    there = installation.signs()

    first.send_signal(signal.SIGTERM)
    first.wait(timeout=60)

    assert (there["n"], there["queues"], there["device"]) == (1, '["training"]', "cpu")
    assert installation.signs()["at"] < there["at"]  # it has left
    waiting = look()
    assert (waiting["state"], waiting["job_state"], waiting["attempt"], waiting["lease_token"]) == (
        "training",
        "queued",
        0,
        None,
    )
    checkpoints = Path(installation.environment["DATA_DIR"]) / "runs" / run / "checkpoints"
    assert (
        max(int(each.name.removeprefix("checkpoint-")) for each in checkpoints.iterdir()) >= waiting["step"]
    )
    installation.worker("training")
    ended = installation.until(lambda found: found["job_state"] == "succeeded", 300, look)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)

    calm = partial(installation.training, installation.run(f"reproduce({run!r})"))
    undisturbed = installation.until(lambda found: found["state"] == "succeeded", 300, calm)
    assert [ended[name] for name in ("step", "best_step", "root_digest")] == [
        undisturbed[name] for name in ("step", "best_step", "root_digest")
    ]


def process_of(run: str) -> psutil.Process | None:
    """The engine's process of a run."""
    return next(iter(family(run, of=forked.Forked.parent.pid)), None)


def strike(
    folder: Path,
    step: int,
    moment: float,
    process: Callable[[], psutil.Process | None],
    look: Callable[[], dict],
    *,
    writing: bool,
) -> bool | None:
    """Kill a process `seconds` after the run's diary has this step, or with the first file of the next
    checkpoint (writing) where one comes within a second. Returns whether a checkpoint was left half written;
    None where the run ended before, which a busy machine may do between two looks. The diary is read, as the
    database is behind.
    """
    diary, checkpoints = folder / "events.jsonl", folder / "checkpoints"
    deadline = time.monotonic() + 300
    while (
        not (found := process())
        or max((point.step for point in points(read_events(diary)[0])), default=0) < step
    ):
        now = look()
        if now["job_state"] in ("succeeded", "failed"):
            return None
        assert time.monotonic() < deadline, f"step {step} was never reached: {now}"
        time.sleep(0.02)

    def half_written() -> list[Path]:
        return [each for each in checkpoints.glob("checkpoint-*") if not (each / MARKER).exists()]

    end = time.monotonic() + (1 if writing else moment)
    while time.monotonic() < end and not (writing and half_written()):
        time.sleep(0.0005)
    if not found.is_running():
        return None
    found.kill()
    found.wait(30)
    return bool(half_written())


@pytest.mark.skipif("KILLS" not in os.environ, reason="Each kill takes some ten seconds: set KILLS=20.")
def test_runs_whose_process_and_worker_are_killed_at_random_end_with_the_weights_of_an_undisturbed_one(
    installation,
):
    """Two kills for each run: of its process and of its worker, in either order, half of them while a
    checkpoint is written.

    A journey of test_survival kills both once in any case.
    """
    installation.change(LATER)
    installation.beat()
    installation.worker()  # which finds jobs of a dead worker
    worker = installation.worker("training")
    calm = installation.run("launch(30)")
    wanted = installation.until(
        lambda found: found["job_state"] == "succeeded", 300, partial(installation.training, calm)
    )
    draw, kills, middle = random.Random(1), [], wanted["step"] // 3

    for number in count():
        if len(kills) >= int(os.environ["KILLS"]):
            break
        run = installation.run(f"reproduce({calm!r})")
        look, folder = (
            partial(installation.training, run),
            Path(installation.environment["DATA_DIR"]) / "runs" / run,
        )
        mine = []
        for turn, step in enumerate((draw.randint(1, middle), draw.randint(middle + 1, 2 * middle))):
            is_worker, moment, writing = turn == number % 2, draw.uniform(0, 0.2), draw.random() < 0.5
            target = partial(psutil.Process, worker.pid) if is_worker else partial(process_of, run)
            torn = strike(folder, step, moment, target, look, writing=writing)
            if torn is not None:
                mine.append(
                    ("worker" if is_worker else "process") + (", a checkpoint half written" if torn else "")
                )
            if worker.poll() is not None:
                worker = installation.worker("training")
        ended = installation.until(lambda found: found["job_state"] in ("succeeded", "failed"), 300, look)
        assert (ended["state"], ended["attempt"]) == ("succeeded", 1 + len(mine)), (mine, ended)
        for name in ("step", "best_step", "root_digest"):
            assert ended[name] == wanted[name], (mine, name)
        kills += mine
        print(f"{wanted['step']} steps, killed: {'; '.join(mine)}")

    print(
        f"{len(kills)} kills, {sum('half' in each for each in kills)} of them left a checkpoint half written"
    )
