from __future__ import annotations

from celery import shared_task

from monitoring.retraining import actions


@shared_task  # type: ignore[untyped-decorator]
def tick() -> None:
    """Ask the triggers that are due, and carry the proposals on."""
    actions.tick()
