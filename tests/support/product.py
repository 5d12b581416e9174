"""The real product as processes of its own: `manage.py prepare` and `manage.py up` on a folder of its own,
ended without a trace.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil
import psycopg

from lifecycle.ground.jobs.supervisor import die_with_parent
from lifecycle.runtime.inference import signs
from tests.support import forked, tables
from tests.support.hand import Hand
from tests.support.processes import family

ROOT = Path(__file__).parents[2]
# until the work of a worker that was killed goes on; a busy machine is silent for some of them
LEASE_SECONDS = 8
EARLY_SECONDS = 2
SEND = """
from lifecycle.ground.jobs.celery import app
for task in {tasks}:
    app.send_task(task, queue="default")
"""
T = TypeVar("T")


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, all different."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found


def until(condition: Callable[[], T], what: str, *, seconds: float = 600) -> T:
    """What the condition gives once it is true. The limit only ends a test that would hang.

    It looks less and less often: each look takes from the processor what the awaited work needs.
    """
    end, pause = time.monotonic() + seconds, 0.05
    while not (found := condition()):
        assert time.monotonic() < end, f"It never happened: {what}"
        time.sleep(pause)
        pause = min(pause * 1.2, 1.0)
    return found


class Product:
    """One running installation. url: of the site. inference: of the inference server. cold: engine programs
    start as in production, else as in other tests.
    """

    def __init__(self, folder: Path, environment: dict[str, str], *, cold: bool = False) -> None:
        self.folder, self.cold = folder, cold
        self.data_dir = folder / "var"
        self.port, inference_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.inference = f"http://127.0.0.1:{inference_port}"
        self.log_path = folder / "up.log"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DJANGO_SETTINGS_MODULE", "INFERENCE_URL")
        }
        self.environment = (
            inherited
            | {
                "DATA_DIR": str(self.data_dir),
                "PORT": str(self.port),
                "INFERENCE_PORT": str(inference_port),
                "DEMO": "0",
                "DEBUG": "0",
                "JOB_LEASE_SECONDS": str(LEASE_SECONDS),
                "HF_HUB_OFFLINE": "1",
                "INFERENCE_DRILLS": "1",
                "API_RATE": "100000/min",
                "STATIC_ROOT": str(tables.KEPT.with_name("static")),
            }
            | ({} if cold else forked.in_processes())
            | environment
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.hand: Hand | None = None

    def manage(self, *command: str) -> str:
        """Run a management command; returns what it printed. Fails the test with its words when it fails."""
        done = self.try_manage(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def try_manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        """The same without judging the exit status."""
        program = [sys.executable, "manage.py", *command]
        return subprocess.run(
            program, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=900, check=False
        )

    def python(self, code: str) -> str:
        """Run lines of Python inside the installation, for what has no page; returns what they printed."""
        self.hand = self.hand or Hand(self.environment, self.log_path)
        return self.hand.do(code)

    def command(self, name: str, **options: Any) -> str:
        """What a management command prints that the hand runs, which starts no Python for it."""
        return self.python(
            f"from django.core.management import call_command; call_command({name!r}, **{options})"
        )

    def verified(self) -> str:
        """What `manage.py verify_audit` prints."""
        return self.command("verify_audit")

    def early(self, condition: Callable[[], T], what: str, *tasks: str, seconds: float = 600) -> T:
        """What the condition gives once it is true. What beat has a worker do every so often, of what leads
        there, is done over the broker now and every few seconds, ahead of the clock.
        """
        due = 0.0

        def look() -> T:
            nonlocal due
            if time.monotonic() >= due:
                self.python(SEND.format(tasks=tasks))
                due = time.monotonic() + EARLY_SECONDS
            return condition()

        return until(look, what, seconds=seconds)

    def start(self, *, from_nothing: bool = False) -> None:
        """As `make run` does, until the site and the inference server answer. It begins with tables that are
        there.

        from_nothing: with an empty folder, as a first start.
        """
        database = self.data_dir / "lifecycle.sqlite3"
        if (kept := tables.sqlite_path()).exists() and not (
            from_nothing or self.environment["DATABASE_URL"] or database.exists()
        ):
            self.data_dir.mkdir(mode=0o700)
            shutil.copy(kept, database)
            self.command("migrate", verbosity=0)
        with tables.alone():  # the first collects the static files for all
            if from_nothing:
                self.manage("prepare")
            else:
                self.command("prepare")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # noqa: PLW1509
                preexec_fn=die_with_parent,
            )
        self.hand = self.hand or Hand(self.environment, self.log_path)
        until(self.answers, "the product answers")

    def answers(self) -> bool:
        """Whether both servers answer. Fails when the product has ended."""
        assert self.process is not None
        assert self.process.poll() is None, self.log()[-3000:]
        return responds(f"{self.url}/healthz") and responds(f"{self.inference}/v2/health/live")

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does; returns its exit status."""
        assert self.process is not None
        if self.hand:
            self.hand.let_go()
            self.hand = None
        self.process.send_signal(number)
        code = self.process.wait(300)
        self.process = None
        return code

    def left(self) -> list[psutil.Process]:
        """Every process of this installation, whatever its parent is now."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = (
                    process.environ().get("DATA_DIR") == str(self.data_dir)
                    and process.status() != psutil.STATUS_ZOMBIE
                )
            except (psutil.AccessDenied, psutil.NoSuchProcess, OSError):
                continue
            if ours:
                found.append(process)
        return found

    def running(self, *words: str) -> list[psutil.Process]:
        """The processes of this product whose command line holds all these words."""
        assert self.process is not None
        forks = [] if self.cold else family(*words, str(self.data_dir), of=forked.Forked.parent.pid)
        return family(*words, of=self.process.pid) + forks

    def kill(self, *words: str) -> list[int]:
        """`kill -9` the processes whose command line holds all these words; returns who they were."""
        found = self.running(*words)
        assert found, f"No process of the product has {words} in its command line."
        for process in found:
            process.kill()
        return [process.pid for process in found]

    @contextmanager
    def frozen(self, *programs: str) -> Iterator[None]:
        """Stop these processes where they stand, as an overloaded host does, and let them go on
        afterwards.
        """
        stopped = [process for words in programs for process in self.running(*words.split())]
        assert stopped
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()

    def servers(self) -> list[dict[str, Any]]:
        """The status of each live inference server, by name."""
        found = [
            json.loads(path.read_bytes()) for path in sorted((self.data_dir / "serving").glob("status*.json"))
        ]
        return [each for each in found if signs.is_alive(each, datetime.now(UTC))]

    def spool_is_empty(self) -> bool:
        """Whether all that the inference server wrote of its answers has been taken in."""
        return not [
            path for path in (self.data_dir / "spool").iterdir() if path.suffix in (".open", ".jsonl")
        ]

    def log(self) -> str:
        """Everything that the processes printed."""
        return (
            re.sub(r"\x1b\[[0-9;]*m", "", self.log_path.read_text(errors="replace"))
            if self.log_path.exists()
            else ""
        )


def responds(url: str) -> bool:
    """Whether the URL answers with 200."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def own_database() -> Iterator[dict[str, str]]:
    """The environment of an installation: embedded by default; a database of its own where DATABASE_URL names
    a server.
    """
    base = os.environ.get("DATABASE_URL", "")
    if not base.startswith(("postgres://", "postgresql://")):
        yield {"DATABASE_URL": "", "BROKER_URL": os.environ.get("BROKER_URL", "")}
        return
    name = f"lifecycle_journey_{os.getpid()}_{time.time_ns() % 10**6}"
    with psycopg.connect(base, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {
                "DATABASE_URL": urlunsplit(urlsplit(base)._replace(path=f"/{name}")),
                "BROKER_URL": os.environ.get("BROKER_URL", ""),
            }
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def running_product(*, from_nothing: bool = False, **more: str) -> Iterator[Product]:
    """A product that serves, and nothing of it afterwards: no process, no folder, no database. from_nothing:
    all of it starts as in production. more: of its environment.
    """
    with tempfile.TemporaryDirectory(prefix="lifecycle-journey-") as folder, own_database() as environment:
        product = Product(Path(folder), environment | more, cold=from_nothing)
        try:
            product.start(from_nothing=from_nothing)
            yield product
            if product.process is not None:
                product.stop()
            assert product.left() == []
        finally:
            for process in product.left():
                process.kill()


def json_script(page: str, element: str) -> Any:
    """What a page carries for its script under this id."""
    found = re.search(rf'<script id="{element}" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found, f"The page carries no {element}."
    return httpx.Response(200, content=found[1].encode()).json()
