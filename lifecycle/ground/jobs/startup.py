"""The registry of steps that fill a new installation; `manage.py prepare` runs them on an empty database."""

from __future__ import annotations

from collections.abc import Callable

Step = Callable[[], None]
_steps: list[Step] = []


def on_empty(step: Step) -> None:
    """Register a step that runs once, after migrations, when there is no project yet. Slow work belongs in a
    job that it enqueues.
    """
    if step not in _steps:
        _steps.append(step)


def steps() -> list[Step]:
    """What was registered, in order."""
    return list(_steps)


_entrance: list[Callable[[], str]] = []


def begin_at(path: Callable[[], str]) -> None:
    """Register the start address that `manage.py up` prints. path: returns it without the first slash; "" for
    the home page.
    """
    _entrance[:] = [path]


def entrance() -> str:
    """The registered start address; see begin_at."""
    return _entrance[0]() if _entrance else ""
