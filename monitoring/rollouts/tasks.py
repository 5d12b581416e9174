from __future__ import annotations

from celery import shared_task

from monitoring.rollouts import actions


@shared_task  # type: ignore[untyped-decorator]
def tick() -> None:
    """Look at every open rollout."""
    actions.tick()
