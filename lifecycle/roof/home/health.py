"""Health checks. Each returns a sentence, so that readers of /readyz know what to fix."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from lifecycle.ground.jobs.rules import Device, Queue, State
from lifecycle.ground.remembered import cache
from monitoring.alerts.actions import is_evaluation_missed

DISK_MIN_BYTES = 1 << 30
WAIT_MAX = timedelta(minutes=2)
KEPT_SECONDS = 5


@dataclass(frozen=True)
class Check:
    """One part of the installation. needed: whether the site cannot be called ready without it."""

    name: str
    ok: bool
    detail: str
    needed: bool = True


def recent() -> list[Check]:
    """All checks, cached for five seconds, so that frequent probes cost no more than one."""
    return cache.get_or_set("health", run_all, KEPT_SECONDS) or []


def run_all() -> list[Check]:
    """Every check, in the order of the house from the ground up."""
    return [check() for check in CHECKS]


def database() -> Check:
    """The database answers and has all tables."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return Check(
            "database",
            False,
            f"The database isn't responding ({type(error).__name__}). Check DATABASE_URL and the server.",
        )
    if waiting:
        return Check("database", False, f"{len(waiting)} unapplied migrations. Run `manage.py migrate`.")
    return Check("database", True, f"{connection.vendor} is responding, and all migrations are applied.")


def storage() -> Check:
    """The data folder can be written and has room."""
    folder = Path(settings.DATA_DIR)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("storage", False, f"The data folder can't be read: {error.strerror}.")
    if not os.access(folder, os.W_OK):
        return Check("storage", False, "The data folder isn't writable: permission denied.")
    if free < DISK_MIN_BYTES:
        return Check(
            "storage",
            False,
            f"Only {free >> 20} MiB free in the data folder. Uploads and runs will fail; free at least 1"
            " GiB.",
        )
    return Check("storage", True, f"{free >> 30} GiB free in the data folder.")


def signing_key() -> Check:
    """Versions and routes can be signed."""
    exists = (Path(settings.DATA_DIR) / "keys" / "signing.pem").exists()
    return Check(
        "signing key",
        exists,
        "The signing key exists." if exists else "There is no signing key. Run `manage.py prepare`.",
    )


def workers() -> Check:
    """No job waits for a missing worker. A run that asks for a GPU where there never was one is reported on
    its page: it is no fault of the site.
    """
    running = set(Job.objects.filter(state=State.RUNNING).values_list("queue", flat=True))
    late = Job.objects.filter(state=State.QUEUED, available_at__lt=timezone.now() - WAIT_MAX).exclude(
        queue__in=running
    )
    if not jobs.has_gpu_workers(Queue.TRAINING):
        late = late.exclude(device=Device.GPU)
    queues = sorted(set(late.values_list("queue", flat=True)[:100]))
    if queues:
        return Check(
            "workers",
            False,
            f"Jobs have waited over two minutes in {', '.join(queues)} and none is running. Start a worker"
            " for it.",
        )
    return Check("workers", True, "No job is waiting for a worker.")


def inference() -> Check:
    """The inference server answers; the site itself works without it."""
    try:
        answer = httpx.get(f"{settings.INFERENCE_URL}/v2/health/ready", timeout=2)
    except httpx.HTTPError as error:
        detail = (
            f"The inference server at {settings.INFERENCE_URL} isn't responding ({type(error).__name__})."
            " Start it."
        )
        return Check("inference", False, detail, needed=False)
    if answer.status_code == 200:
        return Check("inference", True, "The inference server is ready.", needed=False)
    return Check(
        "inference",
        False,
        f"The inference server returns {answer.status_code}: it's loading or draining.",
        needed=False,
    )


def watch() -> Check:
    """Alerts are evaluated. The beat and the workers raise a page when they aren't; this check changes
    nothing.
    """
    try:
        missing = is_evaluation_missed()
    except DatabaseError as error:
        return Check(
            "alerts",
            False,
            f"Couldn't read from the database when alerts were evaluated ({type(error).__name__}).",
            needed=False,
        )
    if missing:
        detail = (
            "Alerts haven't been evaluated for over two minutes. Start beat and a worker for the default"
            " queue."
        )
        return Check("alerts", False, detail, needed=False)
    return Check("alerts", True, "Alerts are being evaluated.", needed=False)


CHECKS: list[Callable[[], Check]] = [database, storage, signing_key, workers, watch, inference]
