"""`manage.py worker QUEUE …`: one worker process."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from argparse import ArgumentParser
from typing import Any

from celery import signals
from celery.platforms import SecurityWarning
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from lifecycle.ground.jobs import actions, devices
from lifecycle.ground.jobs.celery import app, ring
from lifecycle.ground.jobs.context import stopping
from lifecycle.ground.jobs.devices import Serving
from lifecycle.ground.jobs.rules import SIGN_SECONDS, SLOTS, Device, Queue, bells

SPARE_THREADS = 3  # free for periodic tasks and for bells while jobs run
log = logging.getLogger(__name__)


def bell_queue(queue: str, device: Device) -> str:
    """The broker's queue for workers of this device."""
    return bells(queue, device)[0]


def ring_all(queues: list[str], device: Device) -> None:
    """Wake ourselves for what was queued while no worker ran."""
    for queue in queues:
        ring(queue, bell_queue(queue, device))


def give_signs(queues: list[str], device: Device, end: threading.Event) -> None:
    """Write a heartbeat every 15 s until the worker ends; if the database is down, the next one is
    written.
    """
    while True:
        try:
            actions.announce(queues, device)
        except DatabaseError as error:
            log.warning("sign_failed error=%s", type(error).__name__)
            connection.close()
        if end.wait(SIGN_SECONDS):
            break
    with contextlib.suppress(DatabaseError):
        actions.leave()
    connection.close()


def chosen_device(text: str) -> Serving:
    """What this worker serves. Raises CommandError where the machine has no such GPU: it would take runs and
    fail every one.
    """
    try:
        wanted = devices.read(text, os.environ.get("CUDA_VISIBLE_DEVICES"))
    except ValueError as error:
        raise CommandError(f"{error} Check --device or TRAINING_DEVICE.") from error
    if wanted.device == Device.GPU and (found := devices.count_gpus(wanted)) < len(wanted.gpus):
        raise CommandError(
            f"This worker should use {wanted}, but torch finds {found}. Check nvidia-smi and whether torch is"
            " a CUDA build (python -c 'import torch; print(torch.version.cuda)'), or start it with --device"
            " cpu."
        )
    return wanted


def quiet() -> None:
    """Keep the log to what jobs write: no banner, no line for each bell, no warning to containers that run as
    root.
    """
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.worker.consumer.connection"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=SecurityWarning)


class Command(BaseCommand):
    """Uses threads, since child processes do the heavy work; so a SIGTERM reaches the handlers, which release
    their jobs.
    """

    help = "Run jobs of one or more queues until SIGTERM, then requeue resumable jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """QUEUE … --device DEVICE"""
        parser.add_argument("queues", nargs="+", choices=Queue.values)
        parser.add_argument(
            "--device",
            default=None,
            help="training device: cpu, cuda, cuda:N, or cuda:N,N; defaults to TRAINING_DEVICE",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ring once for what waits, then listen."""
        queues: list[str] = options["queues"]
        trains = Queue.TRAINING in queues
        if options["device"] and not trains:
            raise CommandError("--device needs a training worker: add the queue training.")
        serving = chosen_device(options["device"] or settings.TRAINING_DEVICE) if trains else Serving()
        devices.serve(serving)
        end = threading.Event()
        signs = threading.Thread(
            target=give_signs, args=[queues, serving.device, end], name="signs", daemon=True
        )
        signals.worker_shutting_down.connect(lambda **_: stopping.set(), weak=False)
        signals.worker_ready.connect(lambda **_: signs.start(), weak=False)
        signals.worker_ready.connect(lambda **_: ring_all(queues, serving.device), weak=False)
        quiet()
        threads = sum(SLOTS[Queue(queue)] for queue in queues) + SPARE_THREADS
        bell_queues = ",".join(bell_queue(queue, serving.device) for queue in queues)
        try:
            app.start(
                [
                    "--quiet",
                    "worker",
                    "--queues",
                    bell_queues,
                    "--pool",
                    "threads",
                    "--concurrency",
                    str(threads),
                    "--loglevel",
                    "INFO",
                    "--hostname",
                    f"{'-'.join(queues)}-{os.getpid()}@%h",
                    "--without-gossip",
                    "--without-mingle",
                    "--without-heartbeat",
                ]
            )
        finally:
            end.set()
            if signs.is_alive():
                signs.join(2.0)
