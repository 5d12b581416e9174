"""An empty database in which all migrations have run, made once for each state of their files and copied from
then on.

Running them takes seven seconds of CPU. What comes after every migrate (triggers, permissions, the standard
policy) is not in the copy: `migrate` finds nothing to run in it and does just that, with the code of today.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".pytest_cache" / "tables"
OURS = re.compile(r"^from ((?:datasets_app|lifecycle|monitoring|registry)\.[\w.]+) import", re.MULTILINE)
MEMORY = "file:memorydb_default?mode=memory&cache=shared"  # as Django names a test database in memory


def provide(file: Path | None) -> None:
    """Have the test database that Django is about to make begin as the copy; with SQLite in this file or,
    with None, in memory.
    """
    if connection.vendor == "postgresql":
        connection.settings_dict["TEST"]["TEMPLATE"] = postgres_template()
    elif file:
        shutil.copy(sqlite_template(), file)
        connection.settings_dict["TEST"]["NAME"] = str(file)
    elif connection.creation._get_test_db_name() == MEMORY:
        with closing(sqlite3.connect(sqlite_template())) as kept:
            connection.settings_dict["NAME"] = MEMORY
            connection.ensure_connection()  # an in-memory database exists while a connection is open
            kept.backup(connection.connection)


@cache
def of_an_installation() -> Path:
    """A SQLite database as `manage.py migrate` leaves it, for processes of their own; from the copy where
    there is one.
    """
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("DATA_DIR")))
    path = folder / "lifecycle.sqlite3"
    if (kept := sqlite_path()).exists():
        shutil.copy(kept, path)
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "DATA_DIR": str(folder)
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=environment, check=True, cwd=ROOT
    )
    return path


def digest(vendor: str) -> str:
    """Of all that the tables come from: every migration, and the modules of ours that they import."""
    found = {
        path for config in apps.get_app_configs() for path in Path(config.path, "migrations").glob("*.py")
    }
    for path in list(found):
        for name in OURS.findall(path.read_text(encoding="utf-8")) if path.is_relative_to(ROOT) else ():
            found.add(Path(find_spec(name).origin))
    whole = sha256(f"{django.VERSION} {vendor}".encode())
    for path in sorted(found):
        whole.update(f"{path}\0".encode() + path.read_bytes())
    return whole.hexdigest()[:16]


def sqlite_path() -> Path:
    """Where the copy lies once it is made."""
    return KEPT / f"{digest('sqlite')}.sqlite3"


def sqlite_template() -> Path:
    """The file of the copy, made where it is missing."""
    path = sqlite_path()
    with alone():
        if not path.exists():
            for old in KEPT.glob("*.sqlite3*"):
                old.unlink()
            new = path.with_suffix(".sqlite3-new")
            with connected_to(new):
                migrate()
            new.rename(path)
    return path


def postgres_template() -> str:
    """The name of the copy on the server, unique to this checkout."""
    family = f"lifecycle_tables_{sha256(str(ROOT).encode()).hexdigest()[:8]}"
    name = f"{family}_{digest('postgresql')}"
    with alone(), connection._nodb_cursor() as server:
        server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [family])
        there = [row[0] for row in server.fetchall()]
        if name not in there:
            for old in there:
                server.execute(f'DROP DATABASE "{old}"')
            server.execute(f'CREATE DATABASE "{family}"')
            with connected_to(family):
                migrate()
            server.execute(f'ALTER DATABASE "{family}" RENAME TO "{name}"')
    return name


def migrate() -> None:
    """All migrations, and nothing of what comes after."""
    with mock.patch("django.core.management.commands.migrate.emit_post_migrate_signal"):
        call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def connected_to(name: str | Path) -> Iterator[None]:
    """The default connection leads to this database."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


@contextmanager
def alone() -> Iterator[None]:
    """One process of this checkout at a time: the second finds what the first has made."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":  # before the first tests, while there is something else to do
    import tests.support.environment  # noqa: F401  its DATA_DIR, before settings are read

    django.setup()
    sqlite_template() if connection.vendor == "sqlite" else postgres_template()
