"""`python -m tests.support.upgrade`: keeps what this version makes of a small installation, from which every
later one proves its upgrade.

`tests/upgrades/<version>/installation.tar.xz` holds the rows of every table, the migrations that its tables
come from, the data folder, and what its trained model answered. A release makes it once, before its tag; it
is never made anew.
"""

from __future__ import annotations

import base64
import json
import lzma
import os
import shutil
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "upgrades"
NAME = "installation.tar.xz"
TEXTS = ("my card is lost", "refund my order please", "password reset")
# recreated on demand
LEFT_OUT = ("broker", "static", "engine", "scratch", "*.sqlite3*", "*.lock", "*.sock", ".reader")
EMPTY = {  # tables of libraries into which the product writes nothing
    "access.User_user_permissions": "roles are groups",
    "auth.Group_permissions": "what a role may do is in access/roles.py",
    "guardian.UserObjectPermission": "roles are groups",
    "guardian.GroupObjectPermission": "each kind of thing has grants of its own",
}


def kept_versions() -> list[str]:
    """The versions that are kept, oldest first."""
    return sorted(
        (path.parent.name for path in KEPT.glob(f"*/{NAME}")),
        key=lambda name: [int(part) for part in name.split(".")],
    )


def present_version() -> str:
    """The version in pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


# ── Rows ────────────────────────────────────────────────────────────────────


def tables(apps: Any) -> list[Any]:
    """The models that have a table of their own."""
    return [
        each
        for each in apps.get_models(include_auto_created=True)
        if each._meta.managed and not each._meta.proxy
    ]


def columns(model: Any) -> list[Any]:
    """The fields that are written; others the database computes."""
    return [field for field in model._meta.local_concrete_fields if not field.generated]


def empty_tables(apps: Any) -> list[str]:
    """The tables without a row."""
    return [each._meta.label for each in tables(apps) if not each._base_manager.exists()]


def plain(value: Any) -> Any:
    """A value as JSON has it, from which `to_python` of its field makes it again."""
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal | timedelta):
        return str(value)
    raise TypeError(f"{value!r} has no form in JSON.")


def rows_of(model: Any, names: Sequence[str]) -> Iterator[list[Any]]:
    """These columns of all rows as JSON has them, oldest first."""
    for row in model._base_manager.order_by("pk").values_list(*names).iterator(500):
        yield json.loads(json.dumps(row, default=plain))


def write_rows(folder: Path, apps: Any) -> None:
    """A file for each table: the names of its columns, then a row a line, oldest first."""
    folder.mkdir()
    for model in tables(apps):
        names = [field.attname for field in columns(model)]
        lines = [json.dumps(row, ensure_ascii=False) for row in (names, *rows_of(model, names))]
        (folder / f"{model._meta.label}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_rows(folder: Path, apps: Any) -> None:
    """Put the rows of the files into tables as they were when the files were written; what migrations put
    there goes.

    apps: the models of that time.
    """
    from django.core.management.color import no_style
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for model in tables(apps):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")
        for path in sorted(folder.glob("*.jsonl")):
            insert(apps.get_model(path.stem), path.read_text(encoding="utf-8").splitlines())
        for statement in connection.ops.sequence_reset_sql(no_style(), tables(apps)):
            cursor.execute(statement)


def insert(model: Any, lines: list[str]) -> None:
    """The rows of one file, as they were: nothing is computed that is computed when a row is saved."""
    from django.db import connection

    by_name = {field.attname: field for field in columns(model)}
    fields = [by_name[name] for name in json.loads(lines[0])]
    rows = [
        model(
            **{
                field.attname: field.to_python(each)
                for field, each in zip(fields, json.loads(line), strict=True)
            }
        )
        for line in lines[1:]
    ]
    size = connection.ops.bulk_batch_size(fields, rows) or 1
    for at in range(0, len(rows), size):
        model._base_manager._insert(rows[at : at + size], fields=fields, using=connection.alias, raw=True)


# ── The archive ─────────────────────────────────────────────────────────────


def pack(folder: Path, archive: Path) -> None:
    """The files of a folder, compressed; the same files give the same bytes."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (
        lzma.open(archive, "wb", preset=9 | lzma.PRESET_EXTREME) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found = tarfile.TarInfo(path.relative_to(folder).as_posix())
                found.size, found.mode = path.stat().st_size, path.stat().st_mode & 0o777
                with path.open("rb") as file:
                    tar.addfile(found, file)


def unpack(version: str, into: Path) -> Path:
    """Lay out what is kept of a version: rows/, data/, migrations.json, answers.json."""
    with tarfile.open(KEPT / version / NAME) as tar:
        tar.extractall(into, filter="data")
    return into


# ── A database of its own ───────────────────────────────────────────────────


@contextmanager
def own_database(folder: Path) -> Iterator[Any]:
    """A connection to a new database with the tables that the kept rows were in; it goes afterwards. They are
    made of today's, by taking back what came since, which is a tenth of the work of all migrations.
    """
    from django.db import connection, connections
    from django.db.migrations.executor import MigrationExecutor

    from tests.support import tables

    kept = dict(json.loads((folder / "migrations.json").read_bytes()))
    wanted = [(app, kept.get(app)) for app, _ in leaves()]  # None: a room that there wasn't
    before, postgres = connections["default"], connection.vendor == "postgresql"
    made = connections.create_connection("default")
    name = f"lifecycle_upgrade_{os.getpid()}" if postgres else str(folder / "lifecycle.sqlite3")
    made.settings_dict = {**before.settings_dict, "NAME": name}
    if postgres:
        with before._nodb_cursor() as server:
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{tables.postgres_template()}"')
    else:
        shutil.copy(tables.sqlite_template(), name)
    try:
        with connected(made):
            MigrationExecutor(made).migrate(wanted)
            yield made
    finally:
        made.close()
        if postgres:
            with before._nodb_cursor() as server:
                server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def connected(to: Any) -> Iterator[None]:
    """The default connection is this one."""
    from django.db import connections

    before = connections["default"]
    connections["default"] = to
    try:
        yield
    finally:
        connections["default"] = before


def restore_and_migrate(folder: Path) -> None:
    """Put the rows that were kept into the tables that they were in, then migrate as an upgrade does."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    wanted = [(app, last) for app, last in json.loads((folder / "migrations.json").read_bytes())]
    read_rows(folder / "rows", MigrationLoader(connection).project_state(wanted).apps)
    call_command("migrate", verbosity=0)


def leaves() -> list[list[str]]:
    """The last migrations of each app."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    return sorted([app, name] for app, name in MigrationLoader(connection).graph.leaf_nodes())


def served_answers(texts: Sequence[str]) -> dict[str, Any]:
    """The labels and scores that the inference engine gives for texts, with the version that is live in
    production.
    """
    import numpy as np

    from lifecycle.runtime import bundle
    from lifecycle.runtime.inference import engines
    from registry.catalog import actions as catalog
    from registry.endpoints.models import Deployment
    from registry.ground.ledger import keys

    live = Deployment.objects.select_related("version").get(
        arm="stable", ended_at=None, endpoint__environment="production"
    )
    folder = catalog.materialise(live.version)
    engine = engines.load(
        folder, bundle.verify(folder, keys.public_key_path(), expected_root=live.version.root_digest)
    )
    found = engine.predict(list(texts))
    return {"labels": list(found.card.labels), "scores": np.array(found.values("SCORES")).tolist()}


# ── Making one ──────────────────────────────────────────────────────────────


def main() -> None:
    """Make the installation in a new folder and keep it."""
    import django

    django.setup()
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from lifecycle.modeling.training import facts
    from tests.support import forked, warm
    from tests.support import tables as kept_tables
    from tests.support.lived import Lived

    version, data = present_version(), Path(settings.DATA_DIR)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    assert connection.vendor == "sqlite", "It is made on SQLite: unset DATABASE_URL."
    shutil.copy(kept_tables.sqlite_template(), data / "lifecycle.sqlite3")
    call_command("migrate", verbosity=0)
    # an older environment still reports the previous version
    code = f"{version}+{facts.code_version().partition('+')[2]}"
    with forked.installed(), warm.ended_engine(), mock.patch.object(facts, "code_version", return_value=code):
        Lived().live()
    missing = set(empty_tables(apps)) - EMPTY.keys()
    if missing:
        sys.exit(
            f"Nothing is in {', '.join(sorted(missing))}. Have tests/support/lived.py fill it, or give"
            " the reason in EMPTY."
        )
    call_command("verify_audit", verbosity=0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_rows(folder / "rows", apps)
        (folder / "migrations.json").write_text(json.dumps(leaves(), indent=1) + "\n")
        (folder / "answers.json").write_text(
            json.dumps({"texts": TEXTS, **served_answers(TEXTS)}, indent=1) + "\n"
        )
        shutil.copytree(data, folder / "data", ignore=shutil.ignore_patterns(*LEFT_OUT))
        pack(folder, KEPT / version / NAME)
    size = (KEPT / version / NAME).stat().st_size
    print(f"tests/upgrades/{version}/{NAME}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    import tests.support.environment  # noqa: F401  its DATA_DIR, before settings are read

    os.environ["DJANGO_SETTINGS_MODULE"] = "lifecycle.settings"
    main()
