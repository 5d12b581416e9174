"""The routes document: signed, numbered, written by atomic rename where the inference servers look for it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lifecycle.runtime import bundle
from lifecycle.runtime.inference.names import FORMAT
from registry.endpoints import rules, servers
from registry.endpoints.models import Routes
from registry.endpoints.queries import published as published_queries
from registry.endpoints.routes import routes
from registry.ground.ledger import keys


def publish() -> int:
    """Publish the routes in the database as the file; returns its epoch. Does nothing when it is current;
    safe to call at any time.

    The row of the routes is locked from reading the state to the rename, as it is by anyone who changes the
    state: a later state is never replaced by an earlier one.
    """
    if (epoch := current_epoch()) is not None:
        return epoch
    with writer_lock(), transaction.atomic():
        if (epoch := current_epoch()) is not None:
            return epoch
        row = Routes.objects.select_for_update().get(pk=published_queries.routes_row().pk)
        epoch = rules.epoch_to_publish(row.epoch, newest_outside())
        write(epoch, rules.endpoints_document(routes()))
        Routes.objects.filter(pk=row.pk).update(epoch=epoch, published_epoch=epoch)
    return epoch


@transaction.atomic
def publish_anew() -> None:
    """Publish under a new number though nothing differs, so that servers look again at what they refused."""
    next_epoch()
    transaction.on_commit(publish, robust=True)


def current_epoch() -> int | None:
    """The epoch of the published document if it matches the database and no server is ahead of it; else
    None.
    """
    document = published_queries.published()
    if document is None or document["epoch"] < max(published_queries.routes_row().epoch, newest_outside()):
        return None
    published = (document["format"], document["endpoints"])
    return int(document["epoch"]) if published == (FORMAT, rules.endpoints_document(routes())) else None


def lock() -> Routes:
    """Until the caller's transaction ends nothing that is served changes, and no fault is injected or
    lifted.
    """
    return Routes.objects.select_for_update().get(pk=published_queries.routes_row().pk)


def next_epoch() -> int:
    """Lock the routes until the caller's transaction ends, and take the next number."""
    row = lock()
    epoch = max(row.epoch, newest_outside()) + 1
    Routes.objects.filter(pk=row.pk).update(epoch=epoch)
    return epoch


def newest_outside() -> int:
    """The highest epoch that was ever published or applied by the files: servers refuse to go below it, over
    restarts too.
    """
    document = published_queries.published()
    return max(
        [int(document["epoch"]) if document else 0, *(state.epoch for state in servers.written_states())]
    )


def write(epoch: int, endpoints: dict[str, Any]) -> None:
    """The routes document, where the servers look."""
    document = {
        "format": FORMAT,
        "epoch": epoch,
        "at": timezone.now().isoformat(timespec="milliseconds"),
        "endpoints": endpoints,
    }
    sign_into_place(document, published_queries.routes_path())


def sign_into_place(document: dict[str, Any], path: Path) -> None:
    """Sign and rename into place; readers see the old or the new document, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}-", delete=False) as file:
        try:
            file.write(bundle.sign_document(document, keys.private_key_path()))
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def writer_lock() -> Iterator[None]:
    """One writer at a time on this machine."""
    path = Path(settings.DATA_DIR) / "serving" / ".routes.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
