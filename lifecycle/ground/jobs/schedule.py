"""The registry of periodic tasks. Upper rooms register in AppConfig.ready(); the beat process reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lifecycle.ground.jobs.rules import Queue


@dataclass(frozen=True, slots=True)
class Periodic:
    """One Celery task that beat sends every `seconds`. A message that waited longer than that is dropped: the
    next one does its work.
    """

    seconds: float
    task: str
    args: tuple[Any, ...] = ()


_periodic: dict[tuple[str, tuple[Any, ...]], Periodic] = {}


def every(seconds: float, task: str, *args: Any) -> None:
    """Have the task of this full name (such as "monitoring.traffic.tasks.ingest") run every so many seconds
    on the default worker.
    """
    _periodic[task, args] = Periodic(seconds, task, args)


def entries() -> dict[str, dict[str, Any]]:
    """The schedule in the shape that Celery beat reads."""
    return {
        f"{entry.task}{entry.args or ''}": {
            "task": entry.task,
            "schedule": entry.seconds,
            "args": entry.args,
            "options": {"queue": Queue.DEFAULT.value, "expires": max(entry.seconds, 10.0)},
        }
        for entry in _periodic.values()
    }
