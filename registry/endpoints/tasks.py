from __future__ import annotations

from celery import shared_task

from registry.endpoints import actions


@shared_task  # type: ignore[untyped-decorator]
def tend() -> None:
    """Bring back files that are gone, publish what a token's end or a missed publication left behind, look at what servers refuse."""
    if actions.lay_out_missing():
        actions.publish_anew()
    actions.publish()
    actions.check_loads()
