"""Installations of the product that benchmarks make and throw away, and the processes that play in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lifecycle.ground.jobs.supervisor import die_with_parent

ROOT = Path(__file__).parents[1]
ENGINES = ("sqlite", "postgresql")
DATABASE = os.environ.get("BENCH_DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"


@contextmanager
def installation(engine: str, **more: str) -> Iterator[dict[str, str]]:
    """The environment of an installation that is removed afterwards: on SQLite, or in a database of its own
    on the server of DATABASE.

    more: settings of it besides.
    """
    with tempfile.TemporaryDirectory(prefix="lifecycle-bench-") as data_dir, database(engine) as url:
        yield os.environ | {
            "DATA_DIR": data_dir,
            "DATABASE_URL": url,
            "BROKER_URL": "",
            "DEMO": "0",
            "HF_HUB_OFFLINE": "1",
            "LOG_LEVEL": "ERROR",
            "STATIC_ROOT": "",
            "DJANGO_SETTINGS_MODULE": "lifecycle.settings",
            **more,
        }


@contextmanager
def database(engine: str, template: str = "") -> Iterator[str]:
    """The URL of a database that is dropped afterwards, empty or a copy of the one of this URL; "" on SQLite,
    whose file is in DATA_DIR.
    """
    if engine == "sqlite":
        yield ""
        return
    name = f"bench_{uuid.uuid4().hex[:12]}"
    on_server(
        f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template.rpartition("/")[2]}"' if template else "")
    )
    try:
        yield f"{DATABASE.rpartition('/')[0]}/{name}"
    finally:
        on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


def on_server(statement: str) -> None:
    """Make or drop a database."""
    import psycopg

    with psycopg.connect(DATABASE, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def file_or_url(environment: dict[str, str]) -> str:
    """The database of an installation as its bare drivers open it: a URL, or the path of SQLite's file."""
    return environment["DATABASE_URL"] or str(Path(environment["DATA_DIR"]) / "lifecycle.sqlite3")


def play(module: str, part: str, given: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Run one part of a benchmark's module in a process of its own; the result in its last line."""
    found: dict[str, Any] = json.loads(
        run([sys.executable, "-m", f"benchmarks.{module}", part, json.dumps(given)], environment)[-1]
    )
    return found


def run(command: list[str], environment: dict[str, str]) -> list[str]:
    """The lines of a command that has to end well; it ends with this process."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=die_with_parent,
    )
    return done.stdout.splitlines()
