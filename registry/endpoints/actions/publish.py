"""The routes document: signed, numbered, written by atomic rename where the inference servers look for it."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lifecycle import bundle
from registry.endpoints import queries, rules
from registry.endpoints.models import Routes
from registry.ledger import keys


def publish() -> int:
    """Write the newest state for the servers, and return its epoch. Whoever calls last writes last, so a later state is never replaced."""
    with writer_lock():
        with transaction.atomic():
            epoch = queries.routes_row().epoch
            endpoints = rules.endpoints_document(queries.routes())
        write(epoch, endpoints)
        Routes.objects.filter(published_epoch__lt=epoch).update(published_epoch=epoch)
    return epoch


def publish_if_changed() -> int | None:
    """Publish under a new number when the file says something else than the database: tokens came or went, or a publication was missed."""
    endpoints = rules.endpoints_document(queries.routes())
    current = read()
    if current and current["endpoints"] == endpoints and current["epoch"] == queries.routes_row().epoch:
        return None
    with transaction.atomic():
        next_epoch()
    return publish()


def next_epoch() -> int:
    """Lock the routes until the caller's transaction ends, and take the next number."""
    row = Routes.objects.select_for_update().get(pk=queries.routes_row().pk)
    Routes.objects.filter(pk=row.pk).update(epoch=F("epoch") + 1)
    return row.epoch + 1


def write(epoch: int, endpoints: dict[str, Any]) -> None:
    """Sign and rename into place; readers see the old or the new document, whole."""
    document = {"format": rules.FORMAT, "epoch": epoch, "at": timezone.now().isoformat(timespec="milliseconds"), "endpoints": endpoints}
    path = queries.routes_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".routes-", delete=False) as file:
        file.write(bundle.sign_document(document, keys.private_key_path()))
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def read() -> dict[str, Any] | None:
    """The document as it was last written, or None."""
    try:
        document: dict[str, Any] = json.loads(queries.routes_path().read_bytes())["document"]
    except (OSError, ValueError, KeyError):
        return None
    return document


@contextmanager
def writer_lock() -> Iterator[None]:
    """One writer at a time on this machine."""
    path = Path(settings.DATA_DIR) / "serving" / ".routes.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
