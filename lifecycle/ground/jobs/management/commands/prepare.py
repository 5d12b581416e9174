"""`manage.py prepare`: make an installation ready to start; quick when it is."""

from __future__ import annotations

import hashlib
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from lifecycle.ground.jobs import startup
from registry.ground.access.models import Project
from registry.ground.ledger.keys import private_key_path

# of the chart library, for notebooks: as large as itself, and compressed as long
UNUSED = ["widgetbundle.js"]


class Command(BaseCommand):
    """Folders and keys, migrations, static files, first content: each only where it is missing."""

    help = "Create folders, keys, tables, and static files, and seed an empty database."

    def handle(self, *args: Any, **options: Any) -> None:
        """Create what is missing and print it."""
        settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", verbosity=0, interactive=False)
            self.stdout.write("Database tables are up to date.")
        private_key_path()  # after the tables: it asks them whether a lost key has signed
        self.collect_static()
        if not Project.objects.exists():
            for step in startup.steps():
                step()
        # so that an inference server that starts first has something to read
        if "publish_routes" in get_commands():
            call_command("publish_routes", verbosity=0, stdout=StringIO())

    def collect_static(self) -> None:
        """Collect the static files again when one of them changed."""
        mark = Path(settings.STATIC_ROOT) / "collected.sha256"
        fingerprint = static_fingerprint()
        if mark.exists() and mark.read_text(encoding="ascii") == fingerprint:
            return
        call_command("collectstatic", verbosity=0, interactive=False, clear=True, ignore_patterns=UNUSED)
        mark.write_text(fingerprint, encoding="ascii")
        self.stdout.write("Static files collected.")


def static_fingerprint() -> str:
    """sha256 over name, size and time of every static file of every room and package."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda pair: pair[0]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
