"""What labeling does by itself."""

from __future__ import annotations

from celery import shared_task

from datasets_app.labeling import actions


@shared_task  # type: ignore[untyped-decorator]
def sweep() -> int:
    """Free the slots whose lease has run out."""
    return actions.sweep()
