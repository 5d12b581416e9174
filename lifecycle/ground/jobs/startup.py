"""The port through which rooms fill a new installation. Filled in AppConfig.ready(), called by `manage.py prepare` on an empty database."""

from __future__ import annotations

from collections.abc import Callable

Step = Callable[[], None]
_steps: list[Step] = []


def on_empty(step: Step) -> None:
    """Have this called once, after migrations, when there is no project yet. Slow work belongs into a job that the step queues."""
    if step not in _steps:
        _steps.append(step)


def steps() -> list[Step]:
    """What was registered, in order."""
    return list(_steps)


_entrance: list[Callable[[], str]] = []


def begin_at(path: Callable[[], str]) -> None:
    """path: gives where people begin, without the first slash, as `manage.py up` prints it; "" for the start page."""
    _entrance[:] = [path]


def entrance() -> str:
    """See begin_at."""
    return _entrance[0]() if _entrance else ""
