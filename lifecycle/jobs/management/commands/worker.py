"""`manage.py worker QUEUE …`: one worker process."""

from __future__ import annotations

import logging
import os
import warnings
from argparse import ArgumentParser
from typing import Any

from celery import signals
from celery.platforms import SecurityWarning
from django.core.management.base import BaseCommand

from lifecycle.jobs.celery import app, ring
from lifecycle.jobs.context import stopping
from lifecycle.jobs.rules import Queue

SPARE_THREADS = 3  # free for periodic tasks and for bells while jobs run
SLOTS = {Queue.DEFAULT: 2, Queue.SCANS: 1, Queue.TRAINING: 1}


def ring_all(queues: list[str]) -> None:
    """Wake ourselves for what was queued while no worker ran."""
    for queue in queues:
        ring(queue)


def quiet() -> None:
    """Leave to the log what jobs say: no banner, no line for each bell, no lecture to containers that run as root."""
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.worker.consumer.connection"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=SecurityWarning)


class Command(BaseCommand):
    """Threads, since the heavy work is done by child processes; so a SIGTERM reaches the handlers, which let go of their jobs."""

    help = "Run the jobs of one or more queues until SIGTERM; then jobs that can be resumed go back into the queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """QUEUE …"""
        parser.add_argument("queues", nargs="+", choices=Queue.values)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ring once for what waits, then listen."""
        queues: list[str] = options["queues"]
        signals.worker_shutting_down.connect(lambda **_: stopping.set(), weak=False)
        signals.worker_ready.connect(lambda **_: ring_all(queues), weak=False)
        quiet()
        threads = sum(SLOTS[Queue(queue)] for queue in queues) + SPARE_THREADS
        app.start(
            ["--quiet", "worker", "--queues", ",".join(queues), "--pool", "threads", "--concurrency", str(threads), "--loglevel", "INFO",
             "--hostname", f"{'-'.join(queues)}-{os.getpid()}@%h", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        )  # fmt: skip
