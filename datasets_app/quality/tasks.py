"""What runs from time to time."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from datasets_app.quality.actions import quality


@shared_task  # type: ignore[untyped-decorator]
def measure_due() -> int:
    """Have the queues measured whose labels changed since their last measure, a day ago or longer."""
    return quality.measure_due(timezone.now())
