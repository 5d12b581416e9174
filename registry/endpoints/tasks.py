from __future__ import annotations

from celery import shared_task

from registry.endpoints import actions


@shared_task  # type: ignore[untyped-decorator]
def tend() -> None:
    """Publish what a token's end or a missed publication left behind, and look at what the servers refuse."""
    actions.publish()
    actions.check_loads()
