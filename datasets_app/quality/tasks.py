"""Periodic tasks."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from datasets_app.quality.actions import quality


@shared_task  # type: ignore[untyped-decorator]
def measure_due() -> int:
    """Measure queues whose labels changed since their last report, if that is a day old or older."""
    return quality.measure_due(timezone.now())
