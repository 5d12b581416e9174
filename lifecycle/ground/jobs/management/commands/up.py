"""`manage.py up`: web, workers, beat and inference on this machine."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lifecycle.ground.jobs.startup import entrance
from lifecycle.ground.jobs.supervisor import Shared, Supervisor
from lifecycle.runtime.inference import config as inference

BACKLOG = 2048  # connections that wait to be accepted, as many as uvicorn asks for


class Command(BaseCommand):
    """Starts what the Procfile lists, restarts what dies, and on Ctrl-C ends all of it."""

    help = "Run all processes on this machine; Ctrl-C stops them."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until Ctrl-C or SIGTERM."""
        check_port("PORT", settings.PORT)
        check_port("INFERENCE_PORT", settings.INFERENCE_PORT)
        lock = hold_data_dir(settings.DATA_DIR)
        servers = Shared(*inference_servers(inference.from_environment()))
        supervisor = Supervisor(
            (settings.BASE_DIR / "Procfile").read_text(encoding="utf-8"),
            environment(),
            shared={"inference": servers},
        )
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.stop)
        os.chdir(settings.BASE_DIR)
        supervisor.run(Announcer(supervisor).tick)
        lock.close()


class Announcer:
    """Prints the address once, when the web process responds."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._next = time.monotonic() + 0.5
        self._announced = False

    def tick(self) -> None:
        """Check twice a second until it is printed."""
        if self._announced or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.5
        if answers(settings.PORT):
            self._announced = True
            self._supervisor.write(
                f"Lifecycle is ready at http://localhost:{settings.PORT}/{entrance()} (Ctrl-C stops it)."
            )


def answers(port: int) -> bool:
    """Whether an HTTP server answers there, with whatever status."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def check_port(name: str, port: int) -> None:
    """Raises CommandError with a sentence when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} is in use ({error.strerror}). Stop the program that uses it, or choose another"
                f" port: {name}={port + 10} make run."
            ) from error


def hold_data_dir(data_dir: Path) -> IO[str]:
    """The lock on this folder of data. Raises CommandError when another `up` holds it."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (data_dir / "up.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise CommandError(
            f"Lifecycle is already running on {data_dir}. Stop it, or choose another folder: DATA_DIR=… make"
            " run."
        ) from error
    return lock


def inference_servers(config: inference.Config) -> tuple[socket.socket, dict[str, dict[str, str]]]:
    """The socket on which clients reach all inference servers, and what each of them has in its environment,
    by the name of its process.

    One server keeps its INFERENCE_NAME; of several each has a number too, for its status and its counts.
    Raises CommandError.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)
    except OSError as error:
        where = f"INFERENCE_HOST={config.host}, INFERENCE_PORT={config.port}"
        raise CommandError(
            f"The inference servers can't listen at {where}: {error.strerror}. Choose another address."
        ) from error
    handed = {"INFERENCE_SOCKET": str(listening.fileno())}
    if config.processes == 1:
        return listening, {"inference": handed}
    names = {f"inference-{at}": f"{config.name}-{at}".lstrip("-") for at in range(1, config.processes + 1)}
    return listening, {process: handed | {"INFERENCE_NAME": name} for process, name in names.items()}


# The demo's canary fails in a drill, and its dashboard shows costs; a real installation sets both itself.
DEMO_ALSO = {"INFERENCE_DRILLS": "1", "PRICE_PER_CORE_HOUR": "0.05"}


def environment() -> dict[str, str]:
    """The environment of every process: this Python first in the path, the same data folder and ports."""
    own = Path(sys.executable).parent
    return (
        (DEMO_ALSO if settings.DEMO else {})
        | os.environ
        | {
            "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', '')}",
            "DATA_DIR": str(settings.DATA_DIR),
            "PORT": str(settings.PORT),
            "INFERENCE_PORT": str(settings.INFERENCE_PORT),
            "PYTHONUNBUFFERED": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "OPENBLAS_NUM_THREADS": "1",
        }
    )
