"""The task that workers are woken with, and the repair of lost messages."""

from __future__ import annotations

import threading

from celery import shared_task
from django.db import close_old_connections

from lifecycle.ground.jobs import actions, devices, rules, runner
from lifecycle.ground.jobs.context import stopping

# other threads stay free
SLOTS = {queue.value: threading.BoundedSemaphore(slots) for queue, slots in rules.SLOTS.items()}


@shared_task  # type: ignore[untyped-decorator]
def drain(queue: str) -> None:
    """Run the waiting jobs of a queue until none is left. A bell that finds all slots taken leaves at once:
    those drains see its job.
    """
    slot = SLOTS[queue]
    if not slot.acquire(blocking=False):
        return
    try:
        while not stopping.is_set() and (job := actions.claim(queue, devices.serving().device)):
            runner.execute(job)
            close_old_connections()
    finally:
        slot.release()


@shared_task  # type: ignore[untyped-decorator]
def repair() -> None:
    """Free jobs of dead workers and ring for jobs that wait."""
    actions.reap()
    actions.ring_waiting()
